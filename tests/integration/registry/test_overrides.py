"""Overrides in a real registry: what is published, what is logged, and how they end."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from xds.errors import Conflict, NotFound, RequestError
from xds.model import Cell, CellState, Override, OverrideKind, Tenant
from xds.names import CellId, TenantId
from xds.operations import (
    AuditQuery,
    Author,
    OverrideChange,
    add_cell,
    add_tenant,
    clear_override,
    end_expired,
    list_audit,
    list_overrides,
    list_tenants,
    move_tenant,
    set_capacity,
    set_cell_state,
    set_override,
)
from xds.registry import PostgresRegistry

A, B, C = CellId("cell-a"), CellId("cell-b"), CellId("cell-c")
ACME = TenantId("acme")
NOW = datetime.now(UTC).replace(microsecond=0)
LATER = NOW + timedelta(hours=1)
OVERRIDE = Override(tenant=ACME, cell=B, kind=OverrideKind.ISOLATION, owner="anna", reason="too loud", expires_at=LATER)


@pytest.fixture
async def store(registry: PostgresRegistry) -> PostgresRegistry:
    for cell in (A, B, C):
        await add_cell(registry, Cell(id=cell))
    await add_tenant(registry, Tenant(ACME, A))
    return registry


async def published(store: PostgresRegistry) -> Tenant:
    return (await store.load()).tenants[ACME]


async def test_an_override_is_published_and_the_placement_stays(store: PostgresRegistry) -> None:
    topology = await store.load()
    change = await set_override(store, OVERRIDE, now=NOW, by=Author("anna"))
    assert change == OverrideChange(ACME, None, OVERRIDE)
    changes = await store.changes_since(topology.revision)
    assert changes.tenants == {ACME: await published(store)}
    tenant = await published(store)
    assert tenant.cell == B
    assert tenant.arrival is not None
    assert tenant.arrival.previous == A
    assert [each.cell for each in await list_tenants(store)] == [A]
    assert await list_overrides(store) == (OVERRIDE,)
    assert await list_overrides(store, cell=A) == ()


async def test_once_it_is_cleared_the_tenant_is_back(store: PostgresRegistry) -> None:
    await set_override(store, OVERRIDE, now=NOW)
    revision = (await store.load()).revision
    assert (await clear_override(store, ACME)).was == OVERRIDE
    (tenant,) = (await store.changes_since(revision)).tenants.values()
    assert tenant is not None
    assert tenant.cell == A
    assert tenant.arrival is not None
    assert tenant.arrival.previous == B
    assert not (await clear_override(store, ACME)).is_change


async def test_it_may_be_changed_and_saying_it_again_changes_nothing(store: PostgresRegistry) -> None:
    await set_override(store, OVERRIDE, now=NOW)
    revision = (await store.load()).revision
    assert not (await set_override(store, OVERRIDE, now=NOW)).is_change
    await set_override(store, replace(OVERRIDE, reason="still too loud"), now=NOW)
    assert (await store.load()).revision == revision
    await set_override(store, replace(OVERRIDE, cell=C), now=NOW)
    tenant = await published(store)
    assert (tenant.cell, tenant.arrival and tenant.arrival.previous) == (C, B)


async def test_a_move_beneath_an_override_shows_when_it_is_over(store: PostgresRegistry) -> None:
    await set_override(store, OVERRIDE, now=NOW)
    before = await published(store)
    await move_tenant(store, ACME, C)
    assert await published(store) == before  # nor may tokens of A's be let in for longer
    await clear_override(store, ACME)
    assert (await published(store)).cell == C


async def test_it_ends_by_itself_and_nobody_elses_does(store: PostgresRegistry, sql: asyncpg.Connection) -> None:
    await add_tenant(store, Tenant(TenantId("globex"), A))
    await set_override(store, OVERRIDE, now=NOW)
    await set_override(store, replace(OVERRIDE, tenant=TenantId("globex")), now=NOW)
    assert await end_expired(store) == ()
    await sql.execute("UPDATE overrides SET expires_at = clock_timestamp() WHERE tenant_id = 'acme'")
    revision = (await store.load()).revision
    assert await end_expired(store) == (ACME,)
    (tenant,) = (await store.changes_since(revision)).tenants.values()
    assert tenant is not None
    assert tenant.cell == A
    (event,) = await list_audit(store, AuditQuery(limit=1))
    assert (event.actor, event.action, event.kind, event.after) == (
        "expiry",
        "tenants override expire",
        "override",
        None,
    )


async def test_several_replicas_end_one_once_and_wait_for_nobody(
    store: PostgresRegistry, sql: asyncpg.Connection
) -> None:
    await set_override(store, OVERRIDE, now=NOW)
    await sql.execute("UPDATE overrides SET expires_at = clock_timestamp()")
    async with asyncio.timeout(10):
        async with store.transaction() as transaction:
            await transaction.tenants([ACME])
            assert await end_expired(store) == ()
        ended = await asyncio.gather(*(end_expired(store) for _ in range(4)))
    assert sorted(map(len, ended)) == [0, 0, 0, 1]


async def test_a_place_is_taken_there_and_kept_here(store: PostgresRegistry) -> None:
    await set_capacity(store, A, 1)
    await set_capacity(store, B, 1)
    await set_override(store, OVERRIDE, now=NOW)
    for cell in (A, B):
        with pytest.raises(Conflict, match=f"cell {cell}: is full: has room for 1 tenants, has 1, 1 more came"):
            await add_tenant(store, Tenant(TenantId("new"), cell))
    await add_tenant(store, Tenant(TenantId("new"), C))
    with pytest.raises(Conflict, match="cell cell-b: is full"):
        await set_override(store, replace(OVERRIDE, tenant=TenantId("new")), now=NOW)


async def test_a_cordoned_cell_may_have_one_and_no_other_may(store: PostgresRegistry) -> None:
    await set_cell_state(store, B, CellState.CORDONED)
    await set_override(store, OVERRIDE, now=NOW)
    await set_cell_state(store, B, CellState.DRAINING)
    with pytest.raises(Conflict, match=r"cannot be retired while tenants live in it \(1\)"):
        await set_cell_state(store, B, CellState.RETIRED)
    with pytest.raises(Conflict, match="cell cell-b: is draining, only an active or a cordoned cell"):
        await set_override(store, replace(OVERRIDE, reason="again"), now=NOW)


async def test_a_tenant_takes_its_override_along(store: PostgresRegistry, sql: asyncpg.Connection) -> None:
    await set_override(store, OVERRIDE, now=NOW)
    await sql.execute("DELETE FROM tenants")
    assert await list_overrides(store) == ()


@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"tenant": TenantId("nobody")}, NotFound, "tenant nobody: no such tenant"),
        ({"cell": CellId("cell-q")}, NotFound, "cell cell-q: no such cell"),
        ({"owner": ""}, RequestError, "override owner: expected 1 to 200 printable characters, got ''"),
        ({"reason": "a\nb"}, RequestError, "override reason: expected"),
        ({"expires_at": NOW}, RequestError, "override expiry: expected a time to come"),
    ],
)
async def test_nonsense_is_refused(
    store: PostgresRegistry, changed: dict[str, object], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        await set_override(store, replace(OVERRIDE, **changed), now=NOW)  # type: ignore[arg-type]
    assert (await published(store)).cell == A
