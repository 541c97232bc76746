"""Emptying a cell: in batches (drain), at once (evacuate), and back again (undrain).

Where a drain has come to is in the registry, so that whoever calls next goes on with it. Each batch is a transaction:
whoever is killed in the middle of one leaves it undone. Knows no terminal: progress is told to whoever is given.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

from xds.errors import Conflict, RegistryUnavailable, RequestError
from xds.model import Cell, CellState
from xds.names import CellId, TenantId
from xds.operations.auditing import UNNAMED, Author
from xds.operations.cells import accepting_cell, check_transition, known_cell
from xds.operations.placing import DEFAULT_POLICY, Placer, described
from xds.operations.store import Transaction, Transactions
from xds.operations.tenants import move_within
from xds.operations.underway import Drain, Orders

ATTEMPTS = 3
"""How often in a row a batch may fail, by a lock or a lack of room that may pass, before the drain gives up."""

RETRY_SECONDS = 0.5

Progress = Callable[[int, int], None]
"""Told how many tenants have moved, and how many there are to move in all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrainOptions:
    """How a cell is emptied. `to` is where its tenants go; None: where `policy` has each, in its tier and region.

    A batch has `batch` tenants, and `pause` seconds are between two. One that fails is tried again, unless
    `stops_on_error`.
    """

    to: CellId | None = None
    policy: str = DEFAULT_POLICY
    batch: int = 100
    pause: float = 0.0
    stops_on_error: bool = False

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise RequestError(f"batch: expected 1 tenant or more, got {self.batch}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """What was moved away just now, and who is still there.

    `left` are placed there and were passed over because a move in phases is under way; `kept` are there by an
    override, which is somebody's word, and not ours to take back.
    """

    drain: Drain
    moved: int
    batches: int
    is_resumed: bool
    left: tuple[TenantId, ...] = ()
    kept: tuple[TenantId, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nobody is in the cell any more."""
        return not (self.left or self.kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Undrained:
    """Whom an undrain has brought back, and how many stay where they are because they were moved since."""

    drain: Drain
    moved: int
    stayed: int
    is_change: bool = True


def _no_progress(_done: int, _total: int) -> None:
    pass


async def drain_cell(
    store: Transactions, cell: CellId, options: DrainOptions, *, by: Author = UNNAMED, progress: Progress = _no_progress
) -> Drained:
    """Set a cell draining and move its tenants away, batch by batch; one that was begun is gone on with."""
    drain, is_resumed = await begin_drain(store, cell, options, by=by)
    author = replace(by, operation=drain.id)
    moved = batches = failures = 0
    async with store.transaction(author) as transaction:
        total = await transaction.count_tenants(cell)
    progress(0, total)
    while True:
        try:
            count = await drain_batch(store, drain, options, by=author)
        except (Conflict, RegistryUnavailable):
            failures += 1
            if options.stops_on_error or failures == ATTEMPTS:
                raise
            await asyncio.sleep(max(options.pause, RETRY_SECONDS))
            continue
        failures = 0
        if not count:
            break
        moved, batches = moved + count, batches + 1
        progress(moved, max(total, moved))
        await asyncio.sleep(options.pause)
    async with store.transaction(author, "cells drain") as transaction:
        await transaction.cells([cell], to_change=True)
        last = await transaction.last_drain(cell)
        left, kept = await remaining(transaction, cell)
        if not (left or kept) and last is not None and last.id == drain.id:
            drain = replace(last, ended_at=datetime.now(UTC))
            await transaction.put_drain(drain)
    return Drained(drain=drain, moved=moved, batches=batches, is_resumed=is_resumed, left=left, kept=kept)


async def begin_drain(
    store: Transactions, cell_id: CellId, options: DrainOptions, *, by: Author = UNNAMED, orders: Orders | None = None
) -> tuple[Drain, bool]:
    """Set a cell draining; its drain, and whether that was begun before. A new target counts for who is left.

    With `orders` servers work it off; without, whoever calls.
    """
    drain = _new_drain(cell_id, options, orders)
    async with store.transaction(replace(by, operation=drain.id), "cells drain") as transaction:
        cell = (await lock(transaction, cell_id, options.to)).cell
        last = await transaction.last_drain(cell_id)
        if last is not None and goes_on(last, cell):
            drain = replace(last, to=options.to, ended_at=None, orders=orders, stopped="", failures=0)
            await transaction.put_drain(drain)
            return drain, True
        return await _start(transaction, cell, drain, last), False


async def drain_batch(store: Transactions, drain: Drain, options: DrainOptions, *, by: Author = UNNAMED) -> int:
    """Move the next tenants of a drain away, all or none; how many: 0 when none is left."""
    async with store.transaction(replace(by, operation=drain.id), "cells drain") as transaction:
        locked = await lock(transaction, drain.cell, drain.to)
        last = await transaction.last_drain(drain.cell)
        if last is None or last.id != drain.id or last.undone_at or locked.cell.state is not CellState.DRAINING:
            raise Conflict(f"cell {drain.cell}: its drain was given up by somebody else; it is {locked.cell.state}")
        moved = await empty(transaction, locked, options, options.batch)
        if moved:
            await transaction.put_drain(replace(last, moved=last.moved + moved))
        return moved


async def evacuate_cell(
    store: Transactions,
    cell_id: CellId,
    options: DrainOptions,
    *,
    by: Author = UNNAMED,
    action: str = "cells evacuate",
) -> Drained:
    """Set a cell draining and move everybody away at once, in one transaction, or nobody.

    Overrides into the cell are deleted: who was there by one goes to where it is placed. Moves in phases are left.
    """
    drain = await present_drain(store, cell_id, options, by)
    async with store.transaction(replace(by, operation=drain.id), action) as transaction:
        locked = await lock(transaction, cell_id, options.to)
        drain = await resume_or_start(transaction, locked.cell, drain)
        guests = await transaction.overrides(cell=cell_id)
        await transaction.tenants(sorted(guests))
        await transaction.delete_overrides(guests.keys())
        moved = await empty(transaction, locked, options, None)
        left, kept = await remaining(transaction, cell_id)
        drain = replace(drain, moved=drain.moved + moved, ended_at=datetime.now(UTC))
        await transaction.put_drain(drain)
    return Drained(drain=drain, moved=moved, batches=1, is_resumed=False, left=left, kept=kept)


async def undrain_cell(store: Transactions, cell_id: CellId, *, by: Author = UNNAMED) -> Undrained:
    """Bring back, in one transaction, those whom the cell's last drain moved and who were not moved since.

    The cell is active again. Nothing is done if it was undone before; raises `Conflict` if there was no drain.
    """
    async with store.transaction(by, "cells undrain") as transaction:
        cell = known_cell(await transaction.cells([cell_id], to_change=True), cell_id)
        drain = await transaction.last_drain(cell_id)
        if drain is not None and drain.undone_at is not None and cell.state is CellState.ACTIVE:
            return Undrained(drain=drain, moved=0, stayed=0, is_change=False)
        if drain is None or drain.undone_at is not None:
            raise Conflict(f"cell {cell_id}: has no drain that could be undone")
        if cell.state is not CellState.ACTIVE:
            check_transition(cell, CellState.ACTIVE)
            await transaction.update_cell_state(cell_id, CellState.ACTIVE)
        # Locked before they are looked up once more: who is being moved just now has been moved since.
        everybody = await transaction.went(drain.id)
        await transaction.tenants(sorted(everybody))
        unmoved = await transaction.moved_by(drain.id)
        under_way = await transaction.moves(unmoved.keys())
        home = {tenant: cell_id for tenant in sorted(unmoved) if tenant not in under_way}
        await move_within(transaction, home)
        now = datetime.now(UTC)
        drain = replace(drain, ended_at=drain.ended_at or now, undone_at=now)
        await transaction.put_drain(drain)
    return Undrained(drain=drain, moved=len(home), stayed=len(everybody) - len(home))


@dataclass(frozen=True, slots=True)
class Locked:
    """A cell that is emptied, and the cells that its tenants may go to; all locked to be changed."""

    cell: Cell
    to: tuple[CellId, ...]


async def lock(transaction: Transaction, cell_id: CellId, to: CellId | None) -> Locked:
    """Lock a cell that is emptied into `to`, or by policy, and all that its tenants may go to."""
    # At once and in the order of their ids: whoever locked the one first and the others then could wait in a circle.
    if to is None:
        like = [cell for cell in await transaction.open_cells_like(cell_id) if cell != cell_id]
        return Locked(known_cell(await transaction.cells([cell_id]), cell_id), tuple(like))
    if to == cell_id:
        raise RequestError(f"cell {cell_id}: expected another cell for its tenants to go to")
    cells = await transaction.cells(sorted({cell_id, to}), to_change=True)
    return Locked(known_cell(cells, cell_id), (accepting_cell(cells, to).id,))


async def empty(transaction: Transaction, locked: Locked, options: DrainOptions, limit: int | None) -> int:
    """Move the tenants that are placed in the cell, at most `limit`; how many."""
    residents = await transaction.residents(locked.cell.id, limit)
    if not residents:
        return 0
    if options.to is not None:
        targets = dict.fromkeys(residents, options.to)
    else:
        fills = (await transaction.fills(locked.to)).values()
        cell = locked.cell
        placing = Placer(fills, options.policy, described(cell.tier, cell.region))
        targets = {tenant: placing.place() for tenant in residents}
    await move_within(transaction, targets)
    return len(residents)


async def remaining(transaction: Transaction, cell: CellId) -> tuple[tuple[TenantId, ...], tuple[TenantId, ...]]:
    """Who is passed over: those with a move in phases under way, and those who are kept there by an override."""
    return tuple(await transaction.leaving(cell)), tuple(sorted(await transaction.overrides(cell=cell)))


def _new_drain(cell: CellId, options: DrainOptions, orders: Orders | None = None) -> Drain:
    return Drain(id=f"drain-{uuid4().hex[:16]}", cell=cell, to=options.to, was=CellState.ACTIVE, orders=orders)


async def present_drain(store: Transactions, cell_id: CellId, options: DrainOptions, by: Author) -> Drain:
    """The drain that an evacuation goes on with, so that both are undone as one; or a new one. Raises `NotFound`."""
    async with store.transaction(by) as transaction:
        cell = known_cell(await transaction.cells([cell_id]), cell_id)
        last = await transaction.last_drain(cell_id)
    if last is not None and goes_on(last, cell):
        return replace(last, to=options.to, ended_at=None)
    return _new_drain(cell_id, options)


async def resume_or_start(transaction: Transaction, cell: Cell, drain: Drain) -> Drain:
    """The cell's last drain as it is now, if that is this one and goes on; or this one, begun. The cell is locked."""
    last = await transaction.last_drain(cell.id)
    if last is None or last.id != drain.id or not goes_on(last, cell):
        return await _start(transaction, cell, drain, last)
    return replace(last, to=drain.to)


def goes_on(last: Drain, cell: Cell) -> bool:
    """Whether who drains the cell now goes on with its last drain: it was neither undone nor given up."""
    return last.undone_at is None and cell.state is CellState.DRAINING


async def _start(transaction: Transaction, cell: Cell, drain: Drain, last: Drain | None) -> Drain:
    if last is not None and last.ended_at is None:
        # The cell was set to another state since: that drain was given up.
        await transaction.put_drain(replace(last, ended_at=datetime.now(UTC)))
    if cell.state is not CellState.DRAINING:
        check_transition(cell, CellState.DRAINING)
        drain = replace(drain, was=cell.state)
        await transaction.update_cell_state(cell.id, CellState.DRAINING)
    await transaction.put_drain(drain)
    return drain
