"""Rollouts, over HTTP, on a real registry: seen, started and stopped. Waves through real Envoys are in tests/e2e."""

import asyncpg

from tests.support.controlled import Controlled
from xds.publish.rollout import Rollout
from xds.publish.waves import Waves
from xds.registry.rolloutrows import PROPOSE, rollout_values

PATH = "/manage/rollouts"


async def proposed(sql: asyncpg.Connection) -> None:
    """A rollout that waits for an operator's word."""
    rollout = Rollout(id=0, structure="{}", waves=Waves("node=edge-a-*, 50%"), soak_seconds=600.0)
    await sql.execute(PROPOSE, *rollout_values(rollout))


def quoted(seen: dict[str, str]) -> str:
    return f'"{seen["etag"]}"'


async def test_a_rollout_is_seen_aborted_and_started_once_more(operated: Controlled, sql: asyncpg.Connection) -> None:
    assert await operated.get(PATH) == {"data": []}
    await proposed(sql)
    (seen,) = (await operated.get(PATH))["data"]
    assert (seen["state"], seen["waves"], seen["soak_seconds"]) == ("pending", ["node=edge-a-*", "50%", "all"], 600.0)

    aborted = await operated.ask("POST", f"{PATH}/abort", {"message": "not today"}, If_Match=quoted(seen))
    assert (aborted.body["state"], aborted.body["reason"]) == ("stopped", "aborted by olga: not today")
    again = await operated.ask("POST", f"{PATH}/abort", {}, If_Match="*")
    assert (again.status, again.body["detail"]) == (404, "rollout: none is running")

    frozen = await operated.ask("POST", "/manage/publishing/freeze", {}, If_Match="*")
    assert frozen.status == 200
    held = await operated.ask("POST", f"{PATH}/start", {}, If_Match="*")
    assert (held.status, "publishing is held" in held.body["detail"]) == (409, True)
    await operated.ask("POST", "/manage/publishing/resume", {}, If_Match="*")
    late = await operated.ask("POST", f"{PATH}/start", {}, If_Match=quoted(seen))
    assert (late.status, late.body["detail"]) == (412, "rollout 1: has changed since you looked: look again")
    asked = {"waves": "10%", "soak_seconds": 60, "message": "now"}
    started = await operated.ask("POST", f"{PATH}/start", asked, If_Match=aborted.etag)
    assert started.status == 200, started
    told = started.body
    assert (told["state"], told["waves"], told["soak_seconds"]) == ("running", ["10%", "all"], 60.0)
    assert (told["by"], told["message"]) == ("olga", "now")
    (seen,) = (await operated.get(f"{PATH}?limit=1"))["data"]
    assert seen["by"] == "olga"


async def test_there_is_nothing_to_start_and_nonsense_is_refused(operated: Controlled, sql: asyncpg.Connection) -> None:
    nothing = await operated.ask("POST", f"{PATH}/start", {}, If_Match="*")
    assert (nothing.status, "there is nothing to roll out" in nothing.body["detail"]) == (404, True)
    await proposed(sql)
    for body, detail in (({"waves": "some"}, "waves: expected"), ({"soak_seconds": -1}, "soak_seconds: ")):
        refused = await operated.ask("POST", f"{PATH}/start", body, If_Match="*")
        assert (refused.status, detail in refused.body["detail"]) == (400, True)
    assert (await operated.get(PATH))["data"][0]["state"] == "pending"


async def test_they_come_in_pages_and_nothing_is_changed_unseen(operated: Controlled, sql: asyncpg.Connection) -> None:
    for _ in range(3):
        await proposed(sql)
        await sql.execute("UPDATE rollouts SET state = 'done'")
    first = await operated.get(f"{PATH}?limit=2")
    second = await operated.get(f"{PATH}?limit=2&cursor={first['next']}")
    assert [each["id"] for each in (*first["data"], *second["data"])] == [3, 2, 1]
    assert "next" not in second
    for path in ("start", "abort"):
        assert (await operated.ask("POST", f"{PATH}/{path}", {})).status == 428
