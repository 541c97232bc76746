"""Publishing, over HTTP: held, looked at, published, rolled back, and who said so."""

import asyncpg

from tests.support.controlled import ACME, A, B, Controlled
from xds.model import Cell
from xds.names import CellId
from xds.operations import add_cell, import_tenants, move_tenant

PATH = "/manage/publishing"


async def decide(operated: Controlled, what: str, **body: object) -> dict[str, object]:
    answer = await operated.ask("POST", f"{PATH}/{what}", body, If_Match=await operated.etag(PATH))
    assert answer.status == 200, answer
    again = await operated.ask("GET", PATH)
    assert answer.etag == again.etag, "what is answered is what is to be seen"
    return dict(answer.body)


async def test_what_is_held_is_looked_at_and_published_by_name(operated: Controlled) -> None:
    await decide(operated, "mode", mode="manual", message="release week")
    await move_tenant(operated.registry, ACME, B)
    await operated.until(lambda: bool(operated.publisher.status.held))
    held = (await operated.get(PATH))["held"]
    assert held["changed"] == 1

    wrong = await operated.ask("POST", f"{PATH}/publish", {"digest": "x"}, If_Match="*")
    assert wrong.status == 409
    assert "look at it again" in wrong.body["detail"]

    await decide(operated, "publish", digest=held["digest"], message="looks right")
    await operated.until(lambda: operated.publisher.status.snapshot == 2)
    newest = await operated.get("/manage/snapshots/2")
    assert (newest["by"], newest["kind"], newest["message"]) == ("olga", "operator", "looks right")


async def test_a_rollback_lasts_until_resume(operated: Controlled) -> None:
    await move_tenant(operated.registry, ACME, B)
    await operated.until(lambda: operated.publisher.status.snapshot == 2)
    decided = await decide(operated, "rollback", number=1, message="oh no")
    assert decided["changed"] is True
    await operated.until(lambda: operated.publisher.status.snapshot == 3)
    state = await operated.get(PATH)
    assert (state["policy"]["pinned"], state["policy"]["by"], state["policy"]["message"]) == (1, "olga", "oh no")
    assert await operated.get("/manage/snapshots/1/diff/3") == {"data": []}
    await decide(operated, "resume")
    await operated.until(lambda: operated.publisher.status.snapshot == 4)
    assert await operated.get("/manage/snapshots/2/diff/4") == {"data": []}


async def test_freeze_and_pin_are_told_and_undone(operated: Controlled) -> None:
    assert (await decide(operated, "freeze"))["policy"]["frozen"] is True  # type: ignore[index]
    assert (await decide(operated, "pin"))["policy"]["pinned"] == 1  # type: ignore[index]
    again = await decide(operated, "pin")
    assert again["changed"] is False
    resumed = (await decide(operated, "resume"))["policy"]
    assert "pinned" not in resumed  # type: ignore[operator]
    assert resumed["frozen"] is False  # type: ignore[index]


async def test_of_two_decisions_on_the_same_view_one_is_refused(operated: Controlled) -> None:
    seen = await operated.etag(PATH)
    assert (await operated.ask("POST", f"{PATH}/freeze", {}, If_Match=seen)).status == 200
    late = await operated.ask("POST", f"{PATH}/resume", {}, If_Match=seen)
    assert (late.status, late.body["detail"]) == (412, "publishing: has changed since you looked: look again")
    assert (await operated.get(PATH))["policy"]["frozen"] is True


async def test_what_there_is_not_can_be_neither_served_nor_published(operated: Controlled) -> None:
    missing = await operated.ask("POST", f"{PATH}/rollback", {"number": 9}, If_Match="*")
    assert missing.status == 404
    nothing = await operated.ask("POST", f"{PATH}/publish", {"digest": "x"}, If_Match="*")
    assert (nothing.status, "nothing is held" in nothing.body["detail"]) == (409, True)


async def hold(operated: Controlled, tenants: int) -> dict[str, object]:
    """Have so many new tenants be held; what is said of it."""
    await decide(operated, "mode", mode="manual")
    rows = [f"t{number:05},{B}" for number in range(tenants)]
    await import_tenants(operated.registry, ["tenant,cell", *rows])
    await operated.until(lambda: bool(operated.publisher.status.held))
    held = (await operated.get(PATH))["held"]
    assert held["changed"] == tenants
    return dict(held)


async def test_all_that_is_held_is_shown_in_pages(operated: Controlled) -> None:
    assert await operated.get(f"{PATH}/held") == {"data": []}
    digest = (await hold(operated, 1_200))["digest"]
    found, cursor = [], ""
    while True:
        page = await operated.get(f"{PATH}/held?limit=500{cursor}")
        assert page["digest"] == digest
        found += page["data"]
        if "next" not in page:
            break
        cursor = f"&cursor={page['next']}"
    assert [(each["sign"], each["type"], each["name"]) for each in found] == [
        ("+", "srds", f"t{number:05}") for number in range(1_200)
    ]
    (full,) = (await operated.get(f"{PATH}/held?limit=1&content=true"))["data"]
    assert full["after_content"]["route_configuration_name"] == B
    assert "before_content" not in full
    wrong = await operated.ask("GET", f"{PATH}/held?cursor=WyIiLCJ4IiwiIl0")
    assert (wrong.status, wrong.body["detail"]) == (400, "cursor: expected `next` of a page before")


async def test_what_an_envoy_rejects_is_not_published_and_told_in_its_words(
    operated: Controlled, sql: asyncpg.Connection
) -> None:
    good = await operated.ask("POST", f"{PATH}/check", {})
    assert (good.status, good.body["number"], good.body["accepted"], good.body["rejections"]) == (200, 1, True, [])
    await decide(operated, "mode", mode="manual")
    await add_cell(operated.registry, Cell(id=CellId("cell-c")))
    await operated.until(lambda: bool(operated.publisher.status.held))
    held = (await operated.get(PATH))["held"]
    without_domains = b"\x0a\x06cell-c\x12\x03\x0a\x01x"
    await sql.execute("UPDATE snapshot_candidate_resources SET body = $1 WHERE name = 'cell-c'", without_domains)
    checked = await operated.ask("POST", f"{PATH}/check", {})
    assert (checked.body["digest"], checked.body["accepted"]) == (held["digest"], False), checked
    (rejection,) = checked.body["rejections"]
    assert (rejection["type"], rejection["name"], rejection["row"]) == ("rds", "cell-c", "cell cell-c")

    refused = await operated.ask("POST", f"{PATH}/publish", {"digest": held["digest"]}, If_Match="*")
    assert refused.status == 409
    assert "Envoy rejects 1 resources: rds cell-c (cell cell-c): " in refused.body["detail"]
    assert operated.publisher.status.snapshot == 1
    await decide(operated, "publish", digest=held["digest"], check=False)
    await operated.until(lambda: operated.publisher.status.snapshot == 2)
    missing = await operated.ask("POST", f"{PATH}/check", {"number": 9})
    assert missing.status == 404


async def test_two_contents_are_compared_with_both_sides(operated: Controlled) -> None:
    await move_tenant(operated.registry, ACME, B)
    await operated.until(lambda: operated.publisher.status.snapshot == 2)
    (difference,) = (await operated.get("/manage/snapshots/1/diff/2?content=true"))["data"]
    sides = [difference[f"{side}_content"]["route_configuration_name"] for side in ("before", "after")]
    assert sides == [A, B]
