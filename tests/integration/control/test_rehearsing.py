"""Changes that are rehearsed, over HTTP: what is told comes true when they are made, and nothing does before."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.controlled import Controlled
from xds.control import OPERATIONS
from xds.control.rehearsing import SHOWN, Rehearse

PATH = "/manage/rehearsals"
SOON = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
ANY = {"etag": "*", "message": "a try"}

# What each is asked, after those above it; and to how many tenants it would be something.
CHANGES: dict[str, tuple[dict[str, Any], int]] = {
    "add_cell": ({"id": "cell-c", "state": "active", "capacity": 5}, 0),
    "set_capacity": ({"cell": "cell-c", "capacity": 2, **ANY}, 0),
    "set_endpoints": ({"cell": "cell-c", "endpoints": [{"port": 8081}], **ANY}, 0),
    "change_cell": ({"cell": "cell-c", "region": "eu", **ANY}, 0),
    "set_cell_state": ({"cell": "cell-c", "state": "cordoned", **ANY}, 0),
    "add_tenant": ({"id": "globex", "cell": "cell-a"}, 1),
    "move_tenant": ({"tenant": "globex", "to": "cell-b", **ANY}, 1),
    "move_tenants": ({"tenants": ["acme", "globex"], "to": "cell-a"}, 1),
    "move_each": ({"cells": {"acme": "cell-b"}}, 1),
    "move_share": ({"from": "cell-b", "to": "cell-a", "share": 1.0}, 1),
    "set_override": ({"tenant": "acme", "cell": "cell-b", "reason": "x", "expires_at": SOON, **ANY}, 1),
    "clear_override": ({"tenant": "acme", **ANY}, 1),
    "evacuate_cell": ({"cell": "cell-a", "to": "cell-b", **ANY}, 2),
    "undrain_cell": ({"cell": "cell-a", **ANY}, 2),
    "set_tenant_state": ({"tenant": "globex", "state": "suspended", **ANY}, 1),
}
NO_ENVOYS_BUSINESS = ("set_capacity", "set_cell_state")  # who is cordoned goes on serving


async def made(operated: Controlled, name: str, body: dict[str, Any]) -> None:
    """Make the change."""
    (operation,) = (each for each in OPERATIONS if each.name == name.title().replace("_", ""))
    rest = {field: value for field, value in body.items() if field not in (*operation.path_fields, "etag")}
    condition = {"If_Match": body["etag"]} if operation.is_conditional else {}
    answer = await operated.ask(operation.method, operation.path.format(**body), rest, **condition)
    assert answer.status < 300, answer


async def everything(operated: Controlled) -> tuple[Any, ...]:
    paths = ("cells", "tenants", "overrides", "drains", "audit?limit=1000")
    return tuple([await operated.get(f"/manage/{path}") for path in paths])


def told(event: dict[str, Any]) -> dict[str, Any]:
    """An event but for what another transaction has otherwise."""
    return {name: value for name, value in event.items() if name not in ("id", "at", "operation")}


def test_every_change_of_cells_and_tenants_can_be_rehearsed() -> None:
    of_registry = ("/manage/cells", "/manage/tenants", "/manage/moves")
    changes = {each.run.__name__ for each in OPERATIONS if each.method != "GET" and each.path.startswith(of_registry)}
    of_drains = {"start_drain", "stop_drain", "resume_drain", "rehearse_drain"}  # the last one has them
    phases = {f"{phase}_move" for phase in ("prepare", "hold", "switch", "finish", "abort")}  # of a move, which has
    assert set(Rehearse.model_fields) == set(CHANGES) == changes - of_drains - phases


async def test_what_is_told_comes_true_and_nothing_does_before(operated: Controlled) -> None:
    for name, (body, tenants) in CHANGES.items():
        before = await everything(operated)
        rehearsed = await operated.ask("POST", PATH, {name: body})
        assert rehearsed.status == 200, (name, rehearsed)
        assert await everything(operated) == before, name
        each_envoy, changes = rehearsed.body["each_envoy"], rehearsed.body["changes"]
        assert each_envoy["tenants"] == tenants, name
        assert (each_envoy["bytes"] > 0) is (name not in NO_ENVOYS_BUSINESS), name

        await made(operated, name, body)
        done = (await operated.get(f"/manage/audit?limit={len(changes)}"))["data"]
        assert [told(each) for each in done[::-1]] == [told(each) for each in changes], name
        assert rehearsed.body["changes_in_all"] == len(changes) > 0


async def test_what_would_be_refused_is_refused(operated: Controlled) -> None:
    stale = {"move_tenant": {"tenant": "acme", "to": "cell-b", "etag": "0"}}
    assert (await operated.ask("POST", PATH, stale)).status == 412
    nobody = await operated.ask("POST", PATH, {"move_tenants": {"tenants": ["nobody"], "to": "cell-b"}})
    assert (nobody.status, nobody.body["detail"]) == (404, "tenant nobody: no such tenant")


@pytest.mark.parametrize(
    "body",
    [{}, {"move_tenants": None}, {"clear_override": {"tenant": "acme", **ANY}, "add_tenant": None}],
    ids=["none", "null", "two"],
)
async def test_it_must_be_one_change(operated: Controlled, body: dict[str, Any]) -> None:
    refused = await operated.ask("POST", PATH, body)
    assert refused.status == 400
    assert refused.body["detail"].startswith("request: expected one change, one of add_cell, set_cell_state,")


async def test_of_many_changes_the_first_are_told_and_how_many_there_are(operated: Controlled) -> None:
    async with operated.registry.transaction() as transaction:
        await transaction._queries.execute(
            f"INSERT INTO tenants SELECT 't' || i, 'cell-a' FROM generate_series(1, {SHOWN}) i"
        )
    answer = await operated.ask("POST", PATH, {"evacuate_cell": {"cell": "cell-a", "to": "cell-b", **ANY}})
    assert (len(answer.body["changes"]), answer.body["changes_in_all"]) == (SHOWN, SHOWN + 2)
    assert answer.body["each_envoy"]["tenants"] == SHOWN + 1
