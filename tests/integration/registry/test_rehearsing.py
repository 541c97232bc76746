"""A rehearsal: what it says would come of an operation comes of it, and it leaves nothing behind."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from tests.support.edge import edge_options
from xds.errors import Conflict
from xds.model import Cell, CellState, Override, OverrideKind, Tenant, TenantState
from xds.names import CellId, TenantId, TypeUrl
from xds.operations import (
    AuditQuery,
    Author,
    DrainOptions,
    add_cell,
    add_tenant,
    evacuate_cell,
    import_tenants,
    list_audit,
    move_tenants,
    set_capacity,
    set_override,
    set_tenant_state,
)
from xds.operations.forecasting import forecast
from xds.registry import PostgresRegistry
from xds.snapshot import delta_size
from xds.translate import translate

A, B = CellId("cell-a"), CellId("cell-b")
ANNA = Author("anna", "a try")
NOW = datetime.now(UTC)


@pytest.fixture
async def store(registry: PostgresRegistry) -> PostgresRegistry:
    for cell in (A, B):
        await add_cell(registry, Cell(id=cell))
    await import_tenants(registry, ["tenant,cell", *(f"t{number},cell-a" for number in range(10))])
    return registry


def override() -> Override:
    return Override(
        tenant=TenantId("t1"),
        cell=B,
        kind=OverrideKind.TESTING,
        owner="anna",
        reason="test",
        expires_at=NOW + timedelta(hours=1),
    )


OPERATIONS: dict[str, Any] = {
    "add": lambda store: add_tenant(store, Tenant(TenantId("new"), B), by=ANNA),
    "move": lambda store: move_tenants(store, {TenantId("t1"): B, TenantId("t2"): B}, by=ANNA),
    "evacuate": lambda store: evacuate_cell(store, A, DrainOptions(to=B), by=ANNA),
    "override": lambda store: set_override(store, override(), now=NOW, by=ANNA),
    "add-cell": lambda store: add_cell(store, Cell(id=CellId("cell-c")), by=ANNA),
    "capacity": lambda store: set_capacity(store, A, 5, by=ANNA),
}


@pytest.mark.parametrize("name", OPERATIONS)
async def test_what_is_rehearsed_is_what_comes_of_it(
    store: PostgresRegistry, sql: asyncpg.Connection, name: str
) -> None:
    rehearsal, before = store.rehearsal(), await store.load()
    log = await sql.fetchval("SELECT count(*) FROM change_log")
    await OPERATIONS[name](rehearsal)
    assert await store.load() == before
    assert await sql.fetchval("SELECT count(*) FROM change_log") == log
    assert "anna" not in {event.actor for event in await list_audit(store, AuditQuery())}

    await OPERATIONS[name](store)
    done = await list_audit(store, AuditQuery(limit=len(rehearsal.events)))
    told = [(each.action, each.actor, each.kind, each.cell, each.tenant, each.before, each.after) for each in done]
    assert told[::-1] == [
        (each.action, each.actor, each.kind, each.cell, each.tenant, each.before, each.after)
        for each in rehearsal.events
    ]
    # What each Envoy would get, against what the whole translation then differs by.
    now = time.time()
    told_bytes = forecast(rehearsal.before, rehearsal.after, edge_options(), now=now)
    whole, after = translate(before, edge_options(), now=now), translate(await store.load(), edge_options(), now=now)
    sent = [
        delta_size(type_url, resource)
        for type_url, table in after.shared.items()
        for resource in table.values()
        if (held := whole.shared[type_url].get(resource.name)) is None or held.version != resource.version
    ]
    assert (told_bytes.resources, told_bytes.bytes, told_bytes.removed) == (len(sent), sum(sent), 0)
    assert (told_bytes.tenants, told_bytes.resources > 0) == {
        "add": (1, True),
        "move": (2, True),
        "evacuate": (10, True),
        "override": (1, True),
        "add-cell": (0, True),
        "capacity": (0, False),
    }[name]


async def test_a_move_is_one_small_resource(store: PostgresRegistry) -> None:
    rehearsal = store.rehearsal()
    await move_tenants(rehearsal, {TenantId("t1"): B})
    told = forecast(rehearsal.before, rehearsal.after, edge_options(), now=time.time())
    assert told.resources == 1
    assert len(TypeUrl.SCOPE) < told.bytes < 300


async def test_what_goes_away_is_counted_too(store: PostgresRegistry) -> None:
    rehearsal = store.rehearsal()
    async with rehearsal.transaction() as transaction:
        await transaction._queries.execute("DELETE FROM tenants WHERE id = 't1'")
    told = forecast(rehearsal.before, rehearsal.after, edge_options(), now=time.time())
    assert (told.tenants, told.resources, told.removed) == (1, 0, 1)


async def test_a_refusal_is_the_same_as_ever(store: PostgresRegistry) -> None:
    await set_capacity(store, B, 1)
    with pytest.raises(Conflict, match="cell cell-b: is full"):
        await move_tenants(store.rehearsal(), {TenantId("t1"): B, TenantId("t2"): B})
    assert (await store.load()).cells[A].state is CellState.ACTIVE


async def test_a_state_that_holds_writes_is_two_small_resources_and_an_anchor(store: PostgresRegistry) -> None:
    rehearsal = store.rehearsal()
    await set_tenant_state(rehearsal, TenantId("t1"), TenantState.MOVING)
    told = forecast(rehearsal.before, rehearsal.after, edge_options(), now=time.time())
    assert told.resources == 3  # the scope, the table that holds writes, its anchor
