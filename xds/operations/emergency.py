"""Writing down what was done while the database was down: who was moved, and which cells were left. Knows no SQL."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby

from xds.errors import NotFound
from xds.model import CellState
from xds.names import CellId, TenantId
from xds.operations.auditing import Author
from xds.operations.cells import TRANSITIONS
from xds.operations.draining import DrainOptions, goes_on, present_drain, resume_or_start
from xds.operations.store import Store, Transaction
from xds.operations.underway import Drain
from xds.publish.evacuation import Displacement, Settled, Unsettled

ACTION = "evacuate (database was down)"


async def record_displacements(store: Store, told: Unsettled) -> Settled:
    """Move the tenants in the registry too, and set the cells draining that they left, so that `undrain` undoes it.

    Each cell, and each person's word on it, is a transaction. A tenant that is no longer where it was then was moved by
    somebody who knew more, and one whose target is gone stays: those are told, with the reason.
    """
    moved: list[Displacement] = []
    skipped: list[str] = []
    left = {each.cell: each for each in told.evacuations}
    groups: dict[tuple[CellId, str, str], tuple[Displacement, ...]] = {
        (each.cell, each.by, each.message): () for each in told.evacuations
    }
    groups |= {said: tuple(moves) for said, moves in groupby(sorted(told.moves, key=_said), _said)}
    for (cell, actor, message), moves in sorted(groups.items()):
        by = Author(actor=actor, message=f"emergency: {message}".removesuffix(": "))
        to = left[cell].to if cell in left else None
        done = None
        while done is None:
            drain = None
            if cell in left:
                with suppress(NotFound):
                    drain = await present_drain(store, cell, DrainOptions(to=to), by)
            done = await _record(store, cell, drain, moves, by)
        moved += done.moved
        skipped += done.skipped
    return Settled(tuple(moved), tuple(skipped))


def _said(move: Displacement) -> tuple[CellId, str, str]:
    return move.was, move.by, move.message


async def _record(
    store: Store, cell: CellId, drain: Drain | None, moves: tuple[Displacement, ...], by: Author
) -> Settled | None:
    """What was recorded; None if another replica has begun another drain of the cell: that is to be gone on with."""
    author = by if drain is None else replace(by, operation=drain.id)
    async with store.transaction(author, ACTION) as transaction:
        cells = await transaction.cells(sorted({cell, *(move.now for move in moves)}), to_change=True)
        if drain is not None and _may_drain(cells[cell].state):
            last = await transaction.last_drain(cell)
            if last is not None and last.id != drain.id and goes_on(last, cells[cell]):
                return None
            drain = await resume_or_start(transaction, cells[cell], drain)
        serving = frozenset(each.id for each in cells.values() if each.state.takes_traffic)
        targets, skipped = await _targets(transaction, moves, serving)
        await _move(transaction, cell, targets)
        if drain is not None and _may_drain(cells[cell].state):
            await transaction.put_drain(replace(drain, moved=drain.moved + len(targets), ended_at=datetime.now(UTC)))
            if left := await transaction.count_tenants(cell):
                skipped += (f"cell {cell}: {left} tenants are still there: 'cells drain' moves them",)
    return Settled(tuple(move for move in moves if move.tenant in targets), skipped)


def _may_drain(state: CellState) -> bool:
    return state is CellState.DRAINING or CellState.DRAINING in TRANSITIONS[state]


async def _targets(
    transaction: Transaction, moves: tuple[Displacement, ...], serving: frozenset[CellId]
) -> tuple[dict[TenantId, CellId], tuple[str, ...]]:
    """Where each tenant goes that is still where it was, locked; and of the others, why they don't."""
    tenants = sorted(move.tenant for move in moves)
    held = await transaction.tenants(tenants)
    overrides = await transaction.overrides(tenants=tenants)
    targets: dict[TenantId, CellId] = {}
    skipped: list[str] = []
    for move in moves:
        if move.tenant not in held:
            skipped.append(f"tenant {move.tenant}: is gone")
            continue
        override = overrides.get(move.tenant)
        present = override.cell if override is not None else held[move.tenant].cell
        if present == move.now:
            continue  # another replica was first
        if present != move.was:
            skipped.append(f"tenant {move.tenant}: is in {present} meanwhile, not in {move.was}: stays there")
        elif move.now not in serving:
            skipped.append(f"tenant {move.tenant}: cell {move.now} is gone or takes no traffic: stays in {move.was}")
        else:
            targets[move.tenant] = move.now
    return targets, tuple(skipped)


async def _move(transaction: Transaction, was: CellId, targets: Mapping[TenantId, CellId]) -> None:
    """Have the tenants, which are locked, live where they have been led: what is served then changes nothing for them.

    One that is kept in a cell by an override is kept in the other one, for the same time and reason. A move in phases
    is over: whoever holds writes for it would hold them in a cell that it does not know.
    """
    for tenant, move in (await transaction.moves(targets.keys())).items():
        await transaction.update_tenant_state(tenant, move.was)
        await transaction.delete_move(tenant)
    overrides = await transaction.overrides(tenants=targets.keys())
    placed = await transaction.tenants(sorted(overrides))
    kept = {tenant for tenant in overrides if placed[tenant].cell not in (was, targets[tenant])}
    await transaction.delete_overrides(overrides.keys() - kept)
    for tenant in sorted(kept):
        await transaction.put_override(replace(overrides[tenant], cell=targets[tenant]))
    await transaction.move_tenants({tenant: to for tenant, to in targets.items() if tenant not in kept})
