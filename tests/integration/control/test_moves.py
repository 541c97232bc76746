"""Moves of many, and in phases, over HTTP; and the explanation that says whether every Envoy follows."""

import pytest

from tests.support.controlled import ACME, A, B, Controlled
from xds.model import Tenant
from xds.names import TenantId
from xds.operations import add_tenant, import_tenants

TENANT = f"/manage/tenants/{ACME}"


async def step(operated: Controlled, name: str, **body: object) -> dict[str, object]:
    answer = await operated.ask("POST", f"{TENANT}/move/{name}", body, If_Match=await operated.etag(TENANT))
    assert answer.status == 200, answer
    return dict(answer.body)


async def state(operated: Controlled) -> tuple[str, str]:
    told = await operated.get(TENANT)
    return told["cell"], told["state"]


async def test_a_tenant_moves_in_phases_each_of_which_is_seen(operated: Controlled) -> None:
    prepared = await step(operated, "prepare", to=B, message="closer")
    assert (prepared["phase"], prepared["origin"], prepared["to"], prepared["changed"]) == ("prepared", A, B, True)
    assert (await step(operated, "prepare", to=B))["changed"] is False
    listed = await operated.get("/manage/moves/phased")
    assert [each["operation"] for each in listed["data"]] == [prepared["operation"]]
    assert (await step(operated, "hold"))["phase"] == "held"
    assert await state(operated) == (A, "moving")
    assert (await step(operated, "switch"))["phase"] == "switched"
    assert await state(operated) == (B, "moving")
    explained = await operated.get(f"{TENANT}/explanation")
    assert (explained["cell"], explained["move"]["phase"], explained["last"]["actor"]) == (B, "switched", "olga")
    assert (await step(operated, "finish"))["phase"] == "finished"
    assert await state(operated) == (B, "active")
    assert await operated.get("/manage/moves/phased") == {"data": []}
    events = (await operated.get(f"/manage/audit?operation={prepared['operation']}"))["data"]
    assert [each["action"] for each in events] == [f"tenants move: {name}" for name in ("finish", "switch", "hold")]


async def test_a_move_is_aborted_and_that_again_is_no_change(operated: Controlled) -> None:
    await step(operated, "prepare", to=B)
    await step(operated, "switch")
    assert (await step(operated, "abort"))["phase"] == "aborted"
    assert await state(operated) == (A, "active")
    again = await step(operated, "abort")
    assert (again["phase"], again["changed"]) == ("none", False)
    assert (await step(operated, "prepare", to=A))["phase"] == "none", "it lives there already"


async def test_a_phase_out_of_its_order_or_on_an_old_view_is_refused(operated: Controlled) -> None:
    seen = await operated.etag(TENANT)
    early = await operated.ask("POST", f"{TENANT}/move/switch", {}, If_Match=seen)
    assert (early.status, "no move in phases is under way" in early.body["detail"]) == (409, True)
    await step(operated, "prepare", to=B)
    await step(operated, "hold")
    late = await operated.ask("POST", f"{TENANT}/move/switch", {}, If_Match=seen)
    assert (late.status, late.body["detail"]) == (412, "tenant acme: has changed since you looked: look again")
    assert (await operated.ask("POST", f"{TENANT}/move/switch", {})).status == 428
    assert await state(operated) == (A, "moving")


async def test_each_to_its_cell_all_or_none(operated: Controlled) -> None:
    await add_tenant(operated.registry, Tenant(TenantId("b"), B))
    refused = await operated.ask("POST", "/manage/moves/each", {"cells": {ACME: B, "nobody": A}})
    assert refused.status == 404
    moved = await operated.ask("POST", "/manage/moves/each", {"cells": {ACME: B, "b": A}})
    assert [(each["tenant"], each["now"]) for each in moved.body["data"]] == [(ACME, B), ("b", A)]


async def test_a_share_of_a_cell_moves_and_said_again_nobody(operated: Controlled) -> None:
    await import_tenants(operated.registry, ["tenant,cell", *(f"t{number},{A}" for number in range(100))])
    asked = {"from": A, "to": B, "share": 0.3}
    tried = await operated.ask("POST", "/manage/rehearsals", {"move_share": asked})
    moved = await operated.ask("POST", "/manage/moves/share", asked)
    assert (moved.status, 10 < moved.body["moved"] < 50) == (200, True)
    assert tried.body["changes_in_all"] == moved.body["moved"]
    again = await operated.ask("POST", "/manage/moves/share", asked)
    assert again.body == {"was": A, "now": B, "moved": 0}


@pytest.mark.parametrize("share", [0, 1.5, "0.1", None])
async def test_a_share_that_is_none_is_refused(operated: Controlled, share: object) -> None:
    refused = await operated.ask("POST", "/manage/moves/share", {"from": A, "to": B, "share": share})
    assert (refused.status, "share: " in refused.body["detail"]) == (400, True)


async def test_an_explanation_is_of_the_registry_and_of_this_replica(operated: Controlled) -> None:
    await operated.published()
    told = await operated.get(f"{TENANT}/explanation")
    assert (told["cell"], told["placed"], told["state"], told["agrees"]) == (A, A, "active", True)
    assert (told["here"]["cell"], told["here"]["envoys"]) == (A, {})
    assert "So its requests go to cell-a, which is active." in told["why"]
    missing = await operated.ask("GET", "/manage/tenants/nobody/explanation")
    assert missing.status == 404
