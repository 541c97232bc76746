"""Each method of the control service does what it is for, called as grpcurl would, with what reflection tells."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.integration.control.conftest import sql as sql  # the fixture
from tests.integration.control.test_rollouts import proposed
from tests.integration.server.ads import Client
from tests.integration.server.test_control import Reflected, reflected
from tests.support.controlled import A, B, Controlled, plain_channel
from tests.support.postgres import PostgresServer, name_of, opened, shut
from xds.control import OPERATIONS

SOON = (datetime.now(UTC) + timedelta(hours=2)).isoformat().replace("+00:00", "Z")
ANY: dict[str, Any] = {"etag": "*", "message": "a try"}

# Method, fields, and where in the answer what is expected.
SCRIPT: tuple[tuple[str, dict[str, Any], str, object], ...] = (
    ("AddCell", {"id": "cell-c", "state": "active", "capacity": 5, "message": "new"}, "capacity", "5"),
    ("ListCells", {"limit": 1}, "data.0.id", A),
    ("GetCell", {"cell": "cell-c"}, "state", "active"),
    ("SetCapacity", {"cell": "cell-c", "capacity": 0, **ANY}, "capacity", "0"),
    ("SetCapacity", {"cell": "cell-c", **ANY}, "capacity", None),
    ("SetEndpoints", {"cell": "cell-c", "endpoints": [{"port": 80}], **ANY}, "endpoints.0.port", 80),
    ("ChangeCell", {"cell": "cell-c", "labels": {"rack": "4"}, **ANY}, "labels.rack", "4"),
    ("ChangeCell", {"cell": "cell-c", "tier": "ent", "remove_labels": ["rack"], **ANY}, "labels", None),
    ("SetCellState", {"cell": "cell-c", "state": "cordoned", **ANY}, "now", "cordoned"),
    ("AddTenant", {"id": "t1", "cell": A, "message": "new"}, "state", "active"),
    ("GetTenant", {"tenant": "t1"}, "cell", A),
    ("ListTenants", {"cell": A}, "data.1.id", "t1"),
    ("SetTenantState", {"tenant": "t1", "state": "suspended", **ANY}, "now", "suspended"),
    ("MoveTenant", {"tenant": "t1", "to": B, **ANY}, "changed", True),
    ("MoveTenants", {"tenants": ["t1"], "to": A, "message": "back"}, "data.0.now", A),
    ("MoveEach", {"cells": {"t1": B}}, "data.0.now", B),
    ("MoveShare", {"from": B, "to": A, "share": 1}, "moved", "1"),
    ("PrepareMove", {"tenant": "t1", "to": B, **ANY}, "phase", "prepared"),
    ("HoldMove", {"tenant": "t1", **ANY}, "changed", True),
    ("ListPhasedMoves", {}, "data.0.phase", "held"),
    ("Explain", {"tenant": "t1"}, "move.to", B),
    ("SwitchMove", {"tenant": "t1", **ANY}, "to", B),
    ("FinishMove", {"tenant": "t1", **ANY}, "phase", "finished"),
    ("AbortMove", {"tenant": "t1", **ANY}, "phase", "none"),
    ("MoveTenant", {"tenant": "t1", "to": A, **ANY}, "changed", True),
    ("SetOverride", {"tenant": "t1", "cell": B, "reason": "x", "expires_at": SOON, **ANY}, "now.owner", "olga"),
    ("ListOverrides", {"cell": B}, "data.0.tenant", "t1"),
    ("ClearOverride", {"tenant": "t1", **ANY}, "changed", True),
    ("ListAudit", {"tenant": "t1", "since": "2020-01-01T00:00:00Z", "limit": 1}, "data.0.before.cell_id", B),
    ("RehearseDrain", {"cell": A, "to": B}, "to", {B: "2"}),
    ("Rehearse", {"move_tenants": {"tenants": ["t1"], "to": B}}, "changes.0.after.cell_id", B),
    ("StartDrain", {"cell": A, "to": B, "batch": 5, "pause_seconds": 0, **ANY}, "state", "running"),
    ("StopDrain", {"cell": A, **ANY}, "stopped", "stopped by olga: a try"),
    ("ResumeDrain", {"cell": A, **ANY}, "state", "running"),
    ("GetDrain", {"cell": A}, "left", "2"),
    ("ListDrains", {"open": True}, "data.0.batch", "5"),
    ("EvacuateCell", {"cell": A, "to": B, **ANY}, "moved", "2"),
    ("UndrainCell", {"cell": A, **ANY}, "moved", "2"),
    ("ListSnapshots", {"limit": 1}, "data.0.by", "here"),
    ("GetSnapshot", {"number": 1}, "number", "1"),
    ("ListResources", {"number": 1, "type": "srds", "name": "acme"}, "data.0.type", "srds"),
    ("DiffSnapshots", {"older": 1, "newer": 1}, "data", None),
    ("CheckSnapshot", {"number": 1}, "accepted", True),
    ("ListHeld", {"content": True}, "data", None),
    ("Freeze", ANY, "policy.frozen", True),
    ("Resume", ANY, "policy.message", "a try"),
    ("Pin", ANY, "policy.by", "olga"),
    ("Rollback", {"number": 1, **ANY}, "policy.pinned", "1"),
    ("SetMode", {"mode": "manual", **ANY}, "policy.mode", "manual"),
    ("GetPublishing", {}, "policy.mode", "manual"),
    ("GetFleet", {}, "complete", True),
    ("ListNodes", {"connected": True}, "data.0.id", "edge-1"),
    ("GetNode", {"node": "edge-1"}, "data.0.group", "alphaswarm-edge"),
    ("ListRollouts", {"limit": 1}, "data", None),
)
BELOW = {"Publish", "StartRollout", "AbortRollout", "EvacuateNow"}


@pytest.fixture
async def client(operated: Controlled) -> AsyncIterator[Reflected]:
    async with reflected(operated, operated.token) as made:
        yield made


def test_no_method_is_forgotten() -> None:
    assert {name for name, *_ in SCRIPT} | BELOW == {each.name for each in OPERATIONS}


def found(answer: Any, path: str) -> object:
    for step in path.split("."):
        answer = answer[int(step)] if step.isdigit() else answer.get(step)
    return answer


async def test_each_method_answers_what_it_is_for(operated: Controlled, client: Reflected) -> None:
    async with plain_channel(operated.xds) as channel:
        await Client(channel, "delta", node_id="edge-1").open(cluster="alphaswarm-edge")
        for name, fields, path, expected in SCRIPT:
            if name == "GetFleet":
                await is_known(client, "edge-1")
            answer = await client.call(name, **fields)
            assert found(answer, path) == expected, (name, answer)


async def is_known(client: Reflected, node: str) -> None:
    """Wait until the replica has told of a node; the watch tells at once."""
    async for event in client.watch("WatchFleet"):
        if any(each["id"] == node for each in event.get("changed", ())):
            return


async def test_what_is_held_is_published(operated: Controlled, client: Reflected) -> None:
    await client.call("SetMode", mode="manual", etag="*")
    await client.call("MoveTenant", tenant="acme", to=B, etag="*")
    await operated.until(lambda: bool(operated.publisher.status.held))
    held = await client.call("GetPublishing")
    done = await client.call("Publish", digest=held["held"]["digest"], etag=held["etag"], message="looks good")
    assert (done["changed"], done["policy"]["message"]) == (True, "looks good")
    await operated.until(lambda: operated.publisher.status.snapshot == 2)


async def test_a_rollout_is_stopped_started_and_watched(client: Reflected, sql: asyncpg.Connection) -> None:
    await proposed(sql)
    events = aiter(client.watch("WatchRollout"))
    seen = await anext(events)
    assert seen["state"] == "pending"
    stopped = await client.call("AbortRollout", etag=seen["etag"], message="not today")
    assert stopped["reason"] == "aborted by olga: not today"
    assert (await anext(events))["state"] == "stopped"
    started = await client.call("StartRollout", waves="10%", soak_seconds=0, etag=stopped["etag"])
    assert (started["state"], started["waves"]) == ("running", ["10%", "all"])


async def test_the_red_button_works_while_the_database_is_down(
    operated: Controlled, client: Reflected, sql: asyncpg.Connection, postgres: PostgresServer
) -> None:
    database = await name_of(sql)
    shut(postgres, database)
    await operated.until(lambda: bool(operated.publisher.status.error))
    moved = await client.call("EvacuateNow", **{"from": A, "to": B, "message": "it burns"})
    assert moved == {"was": A, "tenants": "1", "to": {B: "1"}}
    alone = await client.call("GetFleet")
    assert ("complete" in alone, [each["name"] for each in alone["replicas"]]) == (False, ["here"])
    opened(postgres, database)
