"""A move in phases on a real registry, the Envoys being what a witness says; each step, going on, aborting."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg
import pytest

from xds.errors import Conflict, NotFound
from xds.model import Cell, CellState, Tenant, TenantState
from xds.names import CellId, TenantId
from xds.operations import (
    AuditQuery,
    Author,
    Phase,
    add_cell,
    add_tenant,
    list_audit,
    list_cells,
    move_tenant,
    set_capacity,
    set_cell_state,
    set_tenant_state,
)
from xds.operations.phasing import (
    MoveOptions,
    Step,
    Witnessed,
    abort_move,
    finish_move,
    hold_move,
    move_in_phases,
    prepare_move,
    switch_move,
)
from xds.registry import PostgresRegistry

A, B = CellId("cell-a"), CellId("cell-b")
ACME = TenantId("acme")
ANNA = Author("anna", "closer to them")


@pytest.fixture
async def store(registry: PostgresRegistry) -> PostgresRegistry:
    for cell in (A, B):
        await add_cell(registry, Cell(id=cell))
    await add_tenant(registry, Tenant(ACME, A))
    return registry


async def acme(store: PostgresRegistry) -> tuple[CellId, TenantState]:
    tenant = (await store.load()).tenants[ACME]
    return tenant.cell, tenant.state


@dataclass
class Follower:
    """A replica of two Envoys that follows the registry, but for the steps that it is to miss."""

    store: PostgresRegistry
    lags: bool = False
    nacks: frozenset[TenantState] = frozenset()
    seen: list[tuple[CellId, TenantState]] = field(default_factory=list)

    async def witness(self, tenant: TenantId) -> Sequence[Witnessed]:
        topology = await self.store.load()
        held = topology.tenants[tenant]
        self.seen.append((held.cell, held.state))
        second = "nacked" if held.state in self.nacks else "acked"
        return [
            Witnessed(
                server="http://replica",
                revision=topology.revision - self.lags,
                snapshot=1,
                cell=held.cell,
                state=held.state,
                envoys=(("edge-1", "acked"), ("edge-2", second)),
            )
        ]


async def test_every_step_is_told_verified_and_audited(store: PostgresRegistry) -> None:
    follower = Follower(store)
    told: list[Step] = []
    options = MoveOptions(holds=True, witness=follower)
    steps = await move_in_phases(store, ACME, B, options, by=ANNA, told=told.append)
    assert [(step.step, step.cell, step.envoys) for step in steps] == [
        ("prepared", A, None),
        ("held", A, 2),
        ("switched", B, 2),
        ("finished", B, 2),
    ]
    assert tuple(told) == steps
    assert follower.seen == [(A, TenantState.MOVING), (B, TenantState.MOVING), (B, TenantState.ACTIVE)]
    assert await acme(store) == (B, TenantState.ACTIVE)
    assert await store.list_moves() == []
    (last, *_) = await list_audit(store, AuditQuery(limit=1))
    events = await list_audit(store, AuditQuery(operation=last.operation))
    assert [event.action for event in events] == ["tenants move: finish", "tenants move: switch", "tenants move: hold"]
    assert {(event.actor, event.message) for event in events} == {("anna", "closer to them")}


async def test_without_a_hold_nothing_is_held_and_there_is_nothing_to_do_twice(store: PostgresRegistry) -> None:
    steps = await move_in_phases(store, ACME, B, MoveOptions())
    assert [(step.step, step.envoys) for step in steps] == [("prepared", None), ("switched", None), ("finished", None)]
    assert await move_in_phases(store, ACME, B, MoveOptions(holds=True)) == ()


@pytest.mark.parametrize("fault", ["lags", "nacks"])
async def test_what_is_not_acknowledged_stops_it_and_it_can_be_gone_on_with(
    store: PostgresRegistry, fault: str
) -> None:
    deaf = Follower(store, lags=True) if fault == "lags" else Follower(store, nacks=frozenset({TenantState.MOVING}))
    words = "http://replica has published revision" if fault == "lags" else r"edge-2 \(nacked\)"
    with pytest.raises(Conflict, match=f"tenant acme: held, but not acknowledged within 0.2 s: {words}"):
        await move_in_phases(store, ACME, B, MoveOptions(holds=True, witness=deaf, verify_seconds=0.2))
    assert await acme(store) == (A, TenantState.MOVING)
    (move,) = await store.list_moves()
    assert (move.phase, move.origin, move.to) == (Phase.HELD, A, B)
    with pytest.raises(Conflict, match="a move to cell-b is under way"):
        await move_in_phases(store, ACME, A, MoveOptions())
    with pytest.raises(Conflict, match="a move to cell-b is under way"):
        await move_tenant(store, ACME, B)
    with pytest.raises(Conflict, match=r"a move to cell-b is under way \(held\): finish or abort it first"):
        await set_tenant_state(store, ACME, TenantState.ACTIVE)
    steps = await move_in_phases(store, ACME, B, MoveOptions(holds=True, witness=Follower(store)))
    assert [step.step for step in steps] == ["prepared", "switched", "finished"]
    assert await acme(store) == (B, TenantState.ACTIVE)


@pytest.mark.parametrize("phase", Phase)
async def test_it_can_be_aborted_at_any_step(store: PostgresRegistry, phase: Phase) -> None:
    await prepare_move(store, ACME, B)
    if phase is not Phase.PREPARED:
        await hold_move(store, ACME)
    if phase is Phase.SWITCHED:
        await switch_move(store, ACME)
        await set_cell_state(store, A, CellState.DRAINING)
        await set_capacity(store, A, 0)
    aborted = await abort_move(store, ACME, by=ANNA)
    assert aborted is not None
    assert aborted.phase is phase
    assert await acme(store) == (A, TenantState.ACTIVE)
    assert await store.list_moves() == []
    assert await abort_move(store, ACME) is None
    with pytest.raises(NotFound, match="tenant nobody"):
        await abort_move(store, TenantId("nobody"))


async def test_who_is_suspended_stays_so(store: PostgresRegistry) -> None:
    await set_tenant_state(store, ACME, TenantState.SUSPENDED)
    follower = Follower(store)
    await move_in_phases(store, ACME, B, MoveOptions(holds=True, witness=follower))
    assert {state for _, state in follower.seen} == {TenantState.SUSPENDED}
    assert await acme(store) == (B, TenantState.SUSPENDED)


async def test_steps_have_an_order(store: PostgresRegistry) -> None:
    await prepare_move(store, ACME, B)
    with pytest.raises(Conflict, match="tenant acme: its move is prepared, expected switched"):
        await finish_move(store, ACME)
    await switch_move(store, ACME)
    with pytest.raises(Conflict, match="tenant acme: its move is switched, expected prepared"):
        await hold_move(store, ACME)


async def test_two_that_go_on_with_one_move_do_it_once(store: PostgresRegistry) -> None:
    await prepare_move(store, ACME, B)
    async with asyncio.timeout(20):
        done = await asyncio.gather(*(switch_move(store, ACME) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(each, Conflict) for each in done) == 3
    assert await acme(store) == (B, TenantState.ACTIVE)


async def test_what_can_not_be_is_refused_before_anything_is_held(store: PostgresRegistry) -> None:
    await set_capacity(store, B, 0)
    with pytest.raises(Conflict, match="cell cell-b: is full: has room for 0 tenants, has 0"):
        await prepare_move(store, ACME, B)
    with pytest.raises(NotFound, match="tenant nobody"):
        await prepare_move(store, TenantId("nobody"), B)
    with pytest.raises(NotFound, match="cell cell-q"):
        await prepare_move(store, ACME, CellId("cell-q"))
    assert await store.list_moves() == []


async def test_a_cell_that_closes_meanwhile_stops_the_switch(store: PostgresRegistry) -> None:
    await prepare_move(store, ACME, B)
    await hold_move(store, ACME)
    await set_cell_state(store, B, CellState.DRAINING)
    with pytest.raises(Conflict, match="cell cell-b: is draining, only an active cell takes tenants"):
        await switch_move(store, ACME)
    assert await acme(store) == (A, TenantState.MOVING)


@pytest.mark.parametrize("cell", [A, B])
async def test_a_cell_is_not_retired_while_somebody_may_come_or_come_back(
    store: PostgresRegistry, cell: CellId
) -> None:
    await prepare_move(store, ACME, B)
    if cell == A:
        await switch_move(store, ACME)
    await set_cell_state(store, cell, CellState.DRAINING)
    words = f"cell {cell}: cannot be retired while the move of tenant acme from or to it is under way"
    with pytest.raises(Conflict, match=words):
        await set_cell_state(store, cell, CellState.RETIRED)
    await abort_move(store, ACME)
    assert await acme(store) == (A, TenantState.ACTIVE)
    if cell == B:
        await set_cell_state(store, B, CellState.RETIRED)


async def test_nobody_is_put_back_into_a_cell_that_takes_no_traffic(
    store: PostgresRegistry, sql: asyncpg.Connection
) -> None:
    await prepare_move(store, ACME, B)
    await switch_move(store, ACME)
    await sql.execute("UPDATE cells SET state = 'retired' WHERE id = 'cell-a'")
    with pytest.raises(Conflict, match="cell cell-a: is retired, tenant acme would get nothing but 503s there"):
        await abort_move(store, ACME)
    assert await acme(store) == (B, TenantState.ACTIVE)
    await finish_move(store, ACME)


@pytest.mark.parametrize("holds", [False, True])
async def test_who_is_to_move_has_a_place_kept_until_then(store: PostgresRegistry, holds: bool) -> None:
    await set_capacity(store, B, 1)
    await prepare_move(store, ACME, B)
    if holds:
        await hold_move(store, ACME)
    with pytest.raises(Conflict, match="cell cell-b: is full: has room for 1 tenants, has 1, 1 more came"):
        await add_tenant(store, Tenant(TenantId("new"), B))
    await switch_move(store, ACME)
    await finish_move(store, ACME)
    assert [listing.tenants for listing in await list_cells(store)] == [0, 1]
    await prepare_move(store, ACME, A)
    await abort_move(store, ACME)
    assert [listing.tenants for listing in await list_cells(store)] == [0, 1], "given back"


async def test_a_place_that_an_override_takes_already_is_not_kept_twice(
    store: PostgresRegistry, sql: asyncpg.Connection
) -> None:
    await prepare_move(store, ACME, B)
    await sql.execute(
        "INSERT INTO overrides (tenant_id, cell_id, kind, owner, reason, expires_at)"
        " VALUES ('acme', 'cell-b', 'testing', 'eve', 'by hand', now() + interval '1 hour')"
    )
    assert [listing.tenants for listing in await list_cells(store)] == [1, 1]
