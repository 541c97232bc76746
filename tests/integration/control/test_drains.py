"""Drains, over HTTP, on a real registry. Batches are done here by hand; by processes in tests/integration/cli."""

from typing import Any

import pytest

from tests.support.controlled import A, B, Controlled
from xds.model import Tenant
from xds.names import TenantId
from xds.operations import add_tenant
from xds.operations.drainorders import work_off

CELL = "/manage/cells/cell-a"
PATH = f"{CELL}/drain"
NOW = {"batch": 2, "pause_seconds": 0}


@pytest.fixture
async def crowded(operated: Controlled) -> Controlled:
    """Five tenants in the first cell."""
    for number in range(4):
        await add_tenant(operated.registry, Tenant(TenantId(f"t{number}"), A))
    return operated


async def start(plane: Controlled, **body: object) -> Any:
    started = await plane.ask("POST", f"{PATH}/start", NOW | body, If_Match=await plane.etag(CELL))
    assert started.status == 200, started
    return started.body


def figures(drain: dict[str, Any]) -> tuple[str, int, int]:
    return drain["state"], drain["moved"], drain["left"]


async def test_a_drain_is_ordered_and_worked_off_batch_by_batch(crowded: Controlled) -> None:
    started = await start(crowded, to=B, message="new kernel")
    assert figures(started) == ("running", 0, 5)
    assert {name: started[name] for name in ("cell", "to", "batch", "pause_seconds", "by", "message", "stopped")} == {
        "cell": A,
        "to": B,
        "batch": 2,
        "pause_seconds": 0,
        "by": "olga",
        "message": "new kernel",
        "stopped": "",
    }
    assert (await crowded.get(CELL))["state"] == "draining"
    for moved, left in ((2, 3), (4, 1), (5, 0)):
        await work_off(crowded.registry)
        assert figures(await crowded.get(PATH)) == ("running", moved, left)
    await work_off(crowded.registry)
    ended = await crowded.get(PATH)
    assert (*figures(ended), "ended_at" in ended) == ("ended", 5, 0, True)
    assert await work_off(crowded.registry) == ()

    events = (await crowded.get(f"/manage/audit?operation={started['id']}"))["data"]
    assert {(each["actor"], each["message"]) for each in events} == {("olga", "new kernel")}
    assert len([each for each in events if each["kind"] == "tenant"]) == 5

    back = await crowded.ask("POST", f"{CELL}/undrain", {"message": "never mind"}, If_Match=f'"{ended["etag"]}"')
    assert back.body == {"cell": A, "operation": started["id"], "moved": 5, "stayed": 0}
    assert figures(await crowded.get(PATH)) == ("undone", 5, 5)


async def test_it_is_stopped_and_gone_on_with_by_whoever_has_seen_it(crowded: Controlled) -> None:
    seen = (await start(crowded, to=B))["etag"]
    await work_off(crowded.registry)
    stopped = await crowded.ask("POST", f"{PATH}/stop", {"message": "lunch"}, If_Match=f'"{seen}"')
    assert figures(stopped.body) == ("stopped", 2, 3)
    assert stopped.body["stopped"] == "stopped by olga: lunch"
    assert await work_off(crowded.registry) == ()

    late = await crowded.ask("POST", f"{PATH}/resume", {}, If_Match=f'"{seen}"')
    told = "the drain of cell cell-a: has changed since you looked: look again"
    assert (late.status, late.body["detail"]) == (412, told)
    again = await crowded.ask("POST", f"{PATH}/stop", {}, If_Match="*")
    assert (again.status, "its last one is stopped" in again.body["detail"]) == (409, True)

    resumed = await crowded.ask("POST", f"{PATH}/resume", {}, If_Match=stopped.etag)
    assert figures(resumed.body) == ("running", 2, 3)
    await work_off(crowded.registry)
    assert figures(await crowded.get(PATH)) == ("running", 4, 1)
    actions = [each["action"] for each in (await crowded.get(f"/manage/audit?cell={A}"))["data"]]
    assert {"cells drain stop", "cells drain resume"} <= set(actions)


async def test_drains_are_listed_the_newest_first(crowded: Controlled) -> None:
    await start(crowded, to=B)
    await crowded.ask("POST", f"{CELL}/undrain", {}, If_Match="*")
    second = (await start(crowded))["id"]
    newest = await crowded.get("/manage/drains?limit=1")
    assert [each["id"] for each in newest["data"]] == [second]
    older = await crowded.get(f"/manage/drains?limit=1&cursor={newest['next']}")
    assert [each["state"] for each in older["data"]] == ["undone"]
    assert "next" not in older
    assert [each["id"] for each in (await crowded.get("/manage/drains?open=true"))["data"]] == [second]
    assert (await crowded.get("/manage/drains?cell=cell-b"))["data"] == []


async def test_a_rehearsal_says_where_all_would_go_and_changes_nothing(crowded: Controlled) -> None:
    await crowded.ask("PUT", "/manage/cells/cell-b/capacity", {"capacity": 9}, If_Match="*")
    before = await crowded.get(CELL)
    told = await crowded.ask("POST", f"{PATH}/rehearsal", {})
    each_envoy = told.body.pop("each_envoy")
    assert (told.status, told.body) == (200, {"tenants": 5, "to": {"cell-b": 5}, "kept": 0, "being_moved": 0})
    assert (each_envoy["tenants"], each_envoy["removed"], each_envoy["resources"] >= 5) == (5, 0, True)
    assert each_envoy["bytes"] > 5 * 50
    assert await crowded.get(CELL) == before
    assert (await crowded.ask("GET", PATH)).status == 404

    await crowded.ask("PUT", "/manage/cells/cell-b/capacity", {"capacity": 4}, If_Match="*")
    full = await crowded.ask("POST", f"{PATH}/rehearsal", {"to": B})
    assert (full.status, "cell cell-b: is full: has room for 4 tenants" in full.body["detail"]) == (409, True)


async def test_an_evacuation_empties_a_cell_at_once_and_it_can_be_retired(crowded: Controlled) -> None:
    seen = await crowded.etag(CELL)
    gone = await crowded.ask("POST", f"{CELL}/evacuate", {"to": B, "message": "it burns"}, If_Match=seen)
    assert (gone.status, figures(gone.body)) == (200, ("ended", 5, 0))
    assert (await crowded.ask("POST", f"{CELL}/evacuate", {"to": B}, If_Match=seen)).status == 412
    retired = await crowded.ask("PUT", f"{CELL}/state", {"state": "retired"}, If_Match=await crowded.etag(CELL))
    assert retired.body["now"] == "retired"


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"to": "cell-a"}, 400, "cell cell-a: expected another cell"),
        ({"to": "cell-q"}, 404, "cell cell-q: no such cell"),
        ({"batch": 0}, 400, "batch: input should be greater than or equal to 1, got 0"),
        ({"pause_seconds": -1}, 400, "pause_seconds: input should be greater than or equal to 0, got -1"),
    ],
)
async def test_nonsense_is_refused_and_nothing_is_drained(
    operated: Controlled, body: dict[str, object], status: int, detail: str
) -> None:
    refused = await operated.ask("POST", f"{PATH}/start", body, If_Match="*")
    assert (refused.status, detail in refused.body["detail"]) == (status, True), refused
    assert (await operated.get(CELL))["state"] == "active"


async def test_what_was_never_drained_is_not_found_and_a_change_wants_what_was_seen(operated: Controlled) -> None:
    for path in (PATH, "/manage/cells/cell-q/drain"):
        assert (await operated.ask("GET", path)).status == 404
    for path in (f"{PATH}/stop", f"{PATH}/resume"):
        assert (await operated.ask("POST", path, {}, If_Match="*")).status == 404
    for path in (f"{PATH}/start", f"{PATH}/stop", f"{PATH}/resume", f"{CELL}/evacuate", f"{CELL}/undrain"):
        assert (await operated.ask("POST", path, {})).status == 428
