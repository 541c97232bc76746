"""Drains that servers work off: ordered, stopped, gone on with, and each batch done by whichever replica comes first.

What is ordered stands in the registry, and so does when the last batch was: a replica that dies leaves the next batch
to the others. Somebody must call `work_off` every moment.
"""

from dataclasses import replace
from datetime import UTC, datetime

from xds.errors import Conflict, NotFound, RequestError
from xds.model import CellState
from xds.names import CellId, TenantId
from xds.operations.auditing import UNNAMED, Author
from xds.operations.cells import known_cell
from xds.operations.draining import ATTEMPTS, DrainOptions, begin_drain, empty, lock, remaining
from xds.operations.store import Store, Transaction, Transactions
from xds.operations.underway import Drain, DrainState, Orders

_NAMED = 5
"""How many of those who are left are named."""


async def order_drain(store: Transactions, cell: CellId, options: DrainOptions, *, by: Author = UNNAMED) -> Drain:
    """Set a cell draining, and have servers move its tenants away; one that was begun is gone on with."""
    orders = Orders(batch=options.batch, pause=options.pause, policy=options.policy, actor=by.actor, message=by.message)
    drain, _ = await begin_drain(store, cell, options, by=by, orders=orders)
    return drain


async def stop_drain(store: Transactions, cell: CellId, *, by: Author = UNNAMED) -> Drain:
    """Have servers stop before the next batch; the cell stays draining. Raises `Conflict` if none works at it."""
    async with store.transaction(by, "cells drain stop") as transaction:
        drain = await _last(transaction, cell)
        if drain.state is not DrainState.RUNNING:
            raise Conflict(f"cell {cell}: expected a drain that a server works at, its last one is {drain.state}")
        stopped = f"stopped by {by.actor}" + (f": {by.message}" if by.message else "")
        return await _put(transaction, replace(drain, stopped=stopped))


async def resume_drain(store: Transactions, cell: CellId, *, by: Author = UNNAMED) -> Drain:
    """Have servers go on with a drain that was stopped, or has stopped; raises `Conflict` if it is none."""
    async with store.transaction(by, "cells drain resume") as transaction:
        drain = await _last(transaction, cell)
        if drain.state is not DrainState.STOPPED:
            raise Conflict(f"cell {cell}: expected a drain that was stopped, its last one is {drain.state}")
        return await _put(transaction, replace(drain, stopped="", failures=0))


async def last_drain(store: Store, cell: CellId) -> Drain:
    """The drain of a cell that began last; raises `NotFound`."""
    for drain in await store.list_drains(cell=cell, is_open=None, limit=1):
        return drain
    raise NotFound(f"cell {cell}: was never drained")


async def work_off(store: Store) -> tuple[Drain, ...]:
    """Do the next batch of each drain whose pause is over; those of which something has become.

    One that fails is tried again, `ATTEMPTS` times in a row if it may pass; then the drain is stopped, and says why.
    """
    worked = [await _work(store, drain) for drain in await store.due_drains()]
    return tuple(drain for drain in worked if drain is not None)


async def _work(store: Transactions, seen: Drain) -> Drain | None:
    orders = seen.orders
    assert orders is not None, "only such drains are due"
    by = Author(orders.actor, orders.message, seen.id)
    options = DrainOptions(to=seen.to, policy=orders.policy, batch=orders.batch)
    try:
        async with store.transaction(by, "cells drain") as transaction:
            return await _batch(transaction, seen, options)
    except RequestError as error:
        async with store.transaction(by, "cells drain") as transaction:
            await transaction.cells([seen.cell], to_change=True)
            if await transaction.last_drain(seen.cell) != seen:
                return None
            failures = seen.failures + 1
            is_over = failures == ATTEMPTS or not isinstance(error, Conflict)
            return await _put(transaction, replace(seen, failures=failures, stopped=str(error) if is_over else ""))


async def _batch(transaction: Transaction, seen: Drain, options: DrainOptions) -> Drain | None:
    locked = await lock(transaction, seen.cell, seen.to)
    # The cell is locked: from here on nobody else does a batch of it, and who did one since has changed the drain.
    if await transaction.last_drain(seen.cell) != seen:
        return None
    if locked.cell.state is not CellState.DRAINING:
        return await _put(transaction, replace(seen, stopped=f"given up: the cell is {locked.cell.state}"))
    if moved := await empty(transaction, locked, options, options.batch):
        return await _put(transaction, replace(seen, moved=seen.moved + moved, failures=0))
    left, kept = await remaining(transaction, seen.cell)
    if left or kept:
        reasons = ((left, "being moved in phases"), (kept, "kept there by an override"))
        stopped = "; ".join(f"still there, {why}: {_named(tenants)}" for tenants, why in reasons if tenants)
        return await _put(transaction, replace(seen, stopped=stopped))
    return await _put(transaction, replace(seen, ended_at=datetime.now(UTC)))


async def _last(transaction: Transaction, cell: CellId) -> Drain:
    known_cell(await transaction.cells([cell], to_change=True), cell)
    drain = await transaction.last_drain(cell)
    if drain is None:
        raise NotFound(f"cell {cell}: was never drained")
    return drain


async def _put(transaction: Transaction, drain: Drain) -> Drain:
    await transaction.put_drain(drain)
    return await transaction.last_drain(drain.cell) or drain


def _named(tenants: tuple[TenantId, ...]) -> str:
    more = f" and {len(tenants) - _NAMED} more" if len(tenants) > _NAMED else ""
    return ", ".join(tenants[:_NAMED]) + more
