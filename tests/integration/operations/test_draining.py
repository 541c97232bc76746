"""Drains on a real registry: whole batches, gone on with, undone; two at once; many tenants."""

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from xds.errors import Conflict, NotFound, RequestError
from xds.model import Cell, CellState, Override, OverrideKind, Tenancy, TenantState
from xds.names import CellId, TenantId
from xds.operations import (
    AuditQuery,
    Author,
    DrainOptions,
    Phase,
    PhasedMove,
    add_cell,
    drain_cell,
    evacuate_cell,
    import_tenants,
    list_audit,
    list_cells,
    move_tenant,
    set_capacity,
    set_cell_state,
    set_override,
    undrain_cell,
)
from xds.registry import PostgresRegistry

A, B, C = CellId("cell-a"), CellId("cell-b"), CellId("cell-c")
TO_B = DrainOptions(to=B, batch=4)
ANNA = Author("anna", "kernel update")


@pytest.fixture
async def store(registry: PostgresRegistry) -> PostgresRegistry:
    """Three active cells, ten tenants in the first."""
    for cell in (A, B, C):
        await add_cell(registry, Cell(id=cell))
    await import_tenants(registry, ["tenant,cell", *(f"t{number},cell-a" for number in range(10))])
    return registry


async def placed(store: PostgresRegistry) -> dict[str, int]:
    return {row.cell.id: row.tenants for row in await list_cells(store) if row.tenants}


async def state(store: PostgresRegistry, cell: CellId = A) -> CellState:
    return (await store.load()).cells[cell].state


class Interrupted(Exception):
    """Stands for whatever ends a process between two batches."""


def stopping(done: int, _total: int) -> None:
    if done:
        raise Interrupted


async def test_a_cell_is_drained_in_batches_and_says_how_far_it_is(store: PostgresRegistry) -> None:
    steps: list[tuple[int, int]] = []
    drained = await drain_cell(store, A, TO_B, by=ANNA, progress=lambda *step: steps.append(step))
    assert (drained.moved, drained.batches, drained.is_resumed, drained.is_empty) == (10, 3, False, True)
    assert steps == [(0, 10), (4, 10), (8, 10), (10, 10)]
    assert await placed(store) == {B: 10}
    assert await state(store) is CellState.DRAINING
    events = await list_audit(store, AuditQuery(operation=drained.drain.id))
    assert len(events) == 11
    assert {(event.actor, event.message, event.action) for event in events} == {
        ("anna", "kernel update", "cells drain")
    }


async def test_what_was_begun_is_gone_on_with_by_whoever_comes(store: PostgresRegistry) -> None:
    with pytest.raises(Interrupted):
        await drain_cell(store, A, TO_B, by=ANNA, progress=stopping)
    assert await placed(store) == {A: 6, B: 4}
    drained = await drain_cell(store, A, DrainOptions(to=C), by=Author("bob"))
    assert (drained.moved, drained.is_resumed) == (6, True)
    assert await placed(store) == {B: 4, C: 6}
    assert len(await list_audit(store, AuditQuery(operation=drained.drain.id))) == 11


async def test_by_capacity_tenants_go_where_there_is_most_room(store: PostgresRegistry) -> None:
    await set_capacity(store, B, 4)
    await set_capacity(store, C, 12)
    await add_cell(store, Cell(id=CellId("cell-d"), tenancy=Tenancy.DEDICATED))
    await add_cell(store, Cell(id=CellId("cell-e"), region="eu"))
    await drain_cell(store, A, DrainOptions(batch=3))
    assert Counter(await placed(store)) == {B: 3, C: 7}


async def test_no_room_ends_it_and_what_was_moved_stays_moved(store: PostgresRegistry) -> None:
    await set_capacity(store, B, 5)
    with pytest.raises(Conflict, match="cell cell-b: is full: has room for 5 tenants, has 4, 4 more came"):
        await drain_cell(store, A, DrainOptions(to=B, batch=4, stops_on_error=True))
    assert await placed(store) == {A: 6, B: 4}
    await set_capacity(store, C, 3)
    with pytest.raises(Conflict, match="all are full"):
        await drain_cell(store, A, DrainOptions(stops_on_error=True))
    assert await placed(store) == {A: 6, B: 4}


async def test_an_undrain_brings_back_those_who_were_not_moved_since(store: PostgresRegistry) -> None:
    drained = await drain_cell(store, A, TO_B)
    await move_tenant(store, TenantId("t1"), C)
    await move_tenant(store, TenantId("t2"), C)
    await move_tenant(store, TenantId("t2"), B)  # where the drain had it, but by somebody's word
    undone = await undrain_cell(store, A, by=ANNA)
    assert (undone.moved, undone.stayed, undone.drain.id) == (8, 2, drained.drain.id)
    assert await placed(store) == {A: 8, B: 1, C: 1}
    assert await state(store) is CellState.ACTIVE
    again = await undrain_cell(store, A)
    assert (again.moved, again.is_change) == (0, False)
    assert await placed(store) == {A: 8, B: 1, C: 1}
    with pytest.raises(Conflict, match="cell cell-b: has no drain that could be undone"):
        await undrain_cell(store, B)


async def test_half_a_drain_can_be_undone_and_then_its_process_goes_on_no_more(store: PostgresRegistry) -> None:
    async def meanwhile() -> None:
        await undrain_cell(store, A)

    undoing: list[asyncio.Task[None]] = []

    def progress(done: int, _total: int) -> None:
        if done == 4:
            undoing.append(asyncio.ensure_future(meanwhile()))  # noqa: TID251 -- a test

    with pytest.raises(Conflict, match="cell cell-a: its drain was given up by somebody else; it is active"):
        await drain_cell(store, A, DrainOptions(to=B, batch=4, pause=0.5, stops_on_error=True), progress=progress)
    await undoing[0]
    assert await placed(store) == {A: 10}


async def test_an_evacuation_is_one_transaction_and_can_be_undone(
    store: PostgresRegistry, sql: asyncpg.Connection
) -> None:
    expires = datetime.now(UTC) + timedelta(hours=1)
    await import_tenants(store, ["tenant,cell", "guest,cell-b"])
    guest = Override(
        tenant=TenantId("guest"),
        cell=A,
        kind=OverrideKind.TESTING,
        owner="anna",
        reason="test",
        expires_at=expires,
    )
    await set_override(store, guest, now=datetime.now(UTC))
    done = await evacuate_cell(store, A, DrainOptions(to=C), by=ANNA)
    assert (done.moved, done.is_empty) == (10, True)
    assert await placed(store) == {B: 1, C: 10}
    assert (await store.load()).tenants[TenantId("guest")].cell == B
    revisions = await sql.fetch("SELECT DISTINCT xmin::text FROM tenants WHERE cell_id = 'cell-c'")
    assert len(revisions) == 1
    assert (await undrain_cell(store, A)).moved == 10


async def test_an_evacuation_goes_on_with_a_drain_and_both_are_undone_as_one(store: PostgresRegistry) -> None:
    with pytest.raises(Interrupted):
        await drain_cell(store, A, TO_B, progress=stopping)
    evacuated = await evacuate_cell(store, A, DrainOptions(to=C))
    assert evacuated.moved == 6
    undone = await undrain_cell(store, A)
    assert (undone.moved, undone.drain.id) == (10, evacuated.drain.id)
    # What begins anew is undone alone.
    await move_tenant(store, TenantId("t1"), B)
    await drain_cell(store, A, DrainOptions(to=C))
    assert (await undrain_cell(store, A)).moved == 9
    assert await placed(store) == {A: 9, B: 1}


async def test_an_evacuation_without_room_moves_nobody(store: PostgresRegistry) -> None:
    await set_capacity(store, B, 4)
    await set_capacity(store, C, 5)
    with pytest.raises(Conflict, match="all are full"):
        await evacuate_cell(store, A, DrainOptions())
    assert await placed(store) == {A: 10}
    assert await state(store) is CellState.ACTIVE


async def test_who_is_kept_there_by_an_override_is_told_and_not_moved(store: PostgresRegistry) -> None:
    expires = datetime.now(UTC) + timedelta(hours=1)
    await import_tenants(store, ["tenant,cell", "guest,cell-b"])
    guest = Override(
        tenant=TenantId("guest"),
        cell=A,
        kind=OverrideKind.TESTING,
        owner="anna",
        reason="test",
        expires_at=expires,
    )
    await set_override(store, guest, now=datetime.now(UTC))
    drained = await drain_cell(store, A, TO_B)
    assert (drained.moved, drained.kept, drained.is_empty) == (10, (TenantId("guest"),), False)
    assert drained.drain.ended_at is None


async def test_who_is_being_moved_in_phases_is_left_to_that(store: PostgresRegistry) -> None:
    t3 = TenantId("t3")
    async with store.transaction() as transaction:
        await transaction.put_move(
            PhasedMove(tenant=t3, operation="x", origin=A, to=C, was=TenantState.ACTIVE, phase=Phase.PREPARED)
        )
    drained = await drain_cell(store, A, TO_B)
    assert (drained.moved, drained.left, drained.is_empty) == (9, (t3,), False)
    with pytest.raises(Conflict, match=r"tenant t3: a move to cell-c is under way \(prepared\)"):
        await move_tenant(store, t3, B)


async def test_two_drains_of_two_cells_into_each_others_neighbours_both_end(store: PostgresRegistry) -> None:
    """Without one order of locks they would wait for one another in a circle."""
    await import_tenants(store, ["tenant,cell", *(f"b{number},cell-b" for number in range(10))])
    options = DrainOptions(batch=1, stops_on_error=True)
    async with asyncio.timeout(60):
        await asyncio.gather(*(drain_cell(store, cell, options) for cell in (A, B)))
    assert await placed(store) == {C: 20}


async def test_two_processes_may_work_at_one_drain(store: PostgresRegistry) -> None:
    options = DrainOptions(to=B, batch=1, stops_on_error=True)
    async with asyncio.timeout(60):
        done = await asyncio.gather(*(drain_cell(store, A, options) for _ in range(3)))
    assert sum(each.moved for each in done) == 10
    assert len({each.drain.id for each in done}) == 1
    assert len(await list_audit(store, AuditQuery(operation=done[0].drain.id))) == 11


async def test_two_evacuations_at_once_do_not_wait_in_a_circle(
    store: PostgresRegistry, sql: asyncpg.Connection
) -> None:
    """Both are stopped at a cell that comes before theirs: whoever held his own already would block the other."""
    await import_tenants(store, ["tenant,cell", *(f"b{number},cell-b" for number in range(10))])
    await add_cell(store, Cell(id=CellId("cell-0")))
    async with asyncio.timeout(30):
        transaction = sql.transaction()
        await transaction.start()
        await sql.execute("SELECT FROM cells WHERE id = 'cell-0' FOR UPDATE")
        async with asyncio.TaskGroup() as tasks:
            for cell in (A, B):
                tasks.create_task(evacuate_cell(store, cell, DrainOptions()))
            # Not pg_stat_activity: within a transaction it stays as it was when first looked at.
            waiting = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted"
            while await sql.fetchval(waiting) < 2:  # noqa: ASYNC110 -- in another process
                await asyncio.sleep(0.02)
            await transaction.rollback()
    assert (await placed(store)).keys() <= {C, CellId("cell-0")}


async def test_ten_thousand_tenants_take_seconds(store: PostgresRegistry) -> None:
    lines = ["tenant,cell", *(f"many{number},cell-a" for number in range(10_000))]
    await import_tenants(store, lines)
    start = time.perf_counter()
    drained = await drain_cell(store, A, DrainOptions(batch=100))
    seconds = time.perf_counter() - start
    print(f"\n10,010 tenants drained by capacity in batches of 100: {seconds:.1f} s")  # noqa: T201 -- the figure
    assert (drained.moved, drained.batches) == (10_010, 101)
    assert seconds < 60


@pytest.mark.parametrize(
    ("cell", "options", "error", "words"),
    [
        ("cell-q", TO_B, NotFound, "cell cell-q: no such cell"),
        ("cell-q", DrainOptions(), NotFound, "cell cell-q: no such cell"),
        ("cell-a", DrainOptions(to=CellId("cell-q")), NotFound, "cell cell-q: no such cell"),
        ("cell-b", TO_B, RequestError, "cell cell-b: expected another cell"),
        ("cell-new", TO_B, Conflict, "cell cell-new: provisioning cannot become draining"),
    ],
)
@pytest.mark.parametrize("operation", [drain_cell, evacuate_cell])
async def test_nonsense_is_refused(
    store: PostgresRegistry,
    operation: object,
    cell: str,
    options: DrainOptions,
    error: type[Exception],
    words: str,
) -> None:
    await add_cell(store, Cell(id=CellId("cell-new"), state=CellState.PROVISIONING))
    with pytest.raises(error, match=words):
        await operation(store, CellId(cell), options)  # type: ignore[operator]
    assert await placed(store) == {A: 10}


async def test_a_cell_that_was_cordoned_drains_too(store: PostgresRegistry) -> None:
    await set_cell_state(store, A, CellState.CORDONED)
    assert (await drain_cell(store, A, TO_B)).drain.was is CellState.CORDONED
    with pytest.raises(RequestError, match="batch: expected 1 tenant or more, got 0"):
        DrainOptions(batch=0)
