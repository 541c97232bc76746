"""A tenant's move in phases: prepare, hold its writes, switch, verify on every Envoy, finish; or abort.

Each step is a transaction, and where a move has come to is in the registry: whoever calls next goes on with it. Knows
the Envoys only by what a witness says of them.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import uuid4

from xds.errors import Conflict
from xds.model import TenantState
from xds.names import CellId, Revision, TenantId
from xds.operations.auditing import UNNAMED, Author
from xds.operations.cells import accepting_cell, known_cell
from xds.operations.placing import within_capacity
from xds.operations.store import Store, Transaction, Transactions
from xds.operations.tenants import known_tenant
from xds.operations.underway import Phase, PhasedMove

POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Witnessed:
    """What one replica says of a tenant: the revision that it has published, and how far each of its Envoys is.

    `envoys` are node ids with `acked`, or else `nacked`, `sent` or `not_sent`.
    """

    server: str
    revision: int
    snapshot: int
    cell: CellId | None
    state: str | None
    envoys: tuple[tuple[str, str], ...]
    why: tuple[str, ...] = ()

    def has_come_to(self, revision: int) -> bool:
        """Whether every Envoy has acknowledged what was published of that revision, or a later one."""
        return self.revision >= revision and all(progress == "acked" for _, progress in self.envoys)


class Witness(Protocol):
    """Who sees the Envoys: every replica that serves some."""

    async def witness(self, tenant: TenantId) -> Sequence[Witnessed]:
        """What each replica says now; raises an `XdsError` if one can't be asked."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a move, done: `envoys` is how many have acknowledged it, None if nobody was asked."""

    tenant: TenantId
    step: str
    cell: CellId
    envoys: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveOptions:
    """Whether writes are held meanwhile, how long requests that are under way get to end, and who is asked.

    Without a witness nothing is verified. `verify_seconds` is how long Envoys may take for a step.
    """

    holds: bool = False
    settle_seconds: float = 0.0
    witness: Witness | None = None
    verify_seconds: float = 30.0


def _untold(_step: Step) -> None:
    pass


async def move_in_phases(
    store: Store,
    tenant: TenantId,
    to: CellId,
    options: MoveOptions,
    *,
    by: Author = UNNAMED,
    told: Callable[[Step], None] = _untold,
) -> tuple[Step, ...]:
    """Move a tenant step by step; one that was begun is gone on with. Nothing is done if it lives there already.

    Raises `Conflict` if Envoys don't acknowledge a step in time. The move then stays where it is: it can be gone on
    with, or aborted.
    """
    steps: list[Step] = []

    def note(step: Step) -> None:
        steps.append(step)
        told(step)

    move = await prepare_move(store, tenant, to, by=by)
    if move is None:
        return ()
    note(Step(tenant=tenant, step=Phase.PREPARED, cell=move.origin))
    if options.holds and move.phase is Phase.PREPARED:
        move = await hold_move(store, tenant, by=by)
        note(await _verified(store, move, options, move.origin, Phase.HELD))
        await asyncio.sleep(options.settle_seconds)
    if move.phase is not Phase.SWITCHED:
        move = await switch_move(store, tenant, by=by)
    note(await _verified(store, move, options, to, Phase.SWITCHED))
    await finish_move(store, tenant, by=by)
    note(await _verified(store, move, options, to, "finished"))
    return tuple(steps)


async def prepare_move(store: Transactions, tenant: TenantId, to: CellId, *, by: Author = UNNAMED) -> PhasedMove | None:
    """Note that a tenant is to move, if it can; the move that is under way already; None if it lives there."""
    async with store.transaction(by, "tenants move: prepare") as transaction:
        cells = await transaction.cells([to], to_change=True)
        held = await known_tenant(transaction, tenant)
        under_way = (await transaction.moves([tenant])).get(tenant)
        if under_way is not None:
            if under_way.to != to:
                raise Conflict(f"tenant {tenant}: a move to {under_way.to} is under way: finish or abort it first")
            return under_way
        if held.cell == to:
            return None
        accepting_cell(cells, to)
        fill = (await transaction.fills([to]))[to]
        if not fill.has_room:
            raise Conflict(f"cell {to}: is full: has room for {fill.capacity} tenants, has {fill.tenants}")
        if override := (await transaction.overrides(tenants=[tenant])).get(tenant):
            raise Conflict(f"tenant {tenant}: is kept in {override.cell} by an override: clear it first")
        move = PhasedMove(
            tenant=tenant,
            operation=f"move-{uuid4().hex[:16]}",
            origin=held.cell,
            to=to,
            was=held.state,
            phase=Phase.PREPARED,
        )
        await transaction.put_move(move)
    return move


async def hold_move(store: Transactions, tenant: TenantId, *, by: Author = UNNAMED) -> PhasedMove:
    """Have a tenant's writes answered with a 503. One that is suspended has none."""
    async with store.transaction(await _author(store, tenant, by), "tenants move: hold") as transaction:
        move = await _under_way(transaction, tenant, Phase.PREPARED)
        if move.was is TenantState.ACTIVE:
            await transaction.update_tenant_state(tenant, TenantState.MOVING)
        return await _put(transaction, move, Phase.HELD)


async def switch_move(store: Transactions, tenant: TenantId, *, by: Author = UNNAMED) -> PhasedMove:
    """Move the tenant; its writes, if they are held, stay so."""
    author = await _author(store, tenant, by)
    async with store.transaction(author, "tenants move: switch") as transaction:
        to = (await _any(transaction, tenant)).to
        cells = await transaction.cells([to], to_change=True)
        await known_tenant(transaction, tenant)
        move = await _under_way(transaction, tenant, Phase.PREPARED, Phase.HELD)
        accepting_cell(cells, to)
        async with within_capacity(transaction, [to]):
            await transaction.move_tenants({tenant: to})
        return await _put(transaction, move, Phase.SWITCHED)


async def finish_move(store: Transactions, tenant: TenantId, *, by: Author = UNNAMED) -> PhasedMove:
    """Let the tenant's writes through again, at its new cell."""
    async with store.transaction(await _author(store, tenant, by), "tenants move: finish") as transaction:
        move = await _under_way(transaction, tenant, Phase.SWITCHED)
        await _let_go(transaction, move)
    return move


async def abort_move(store: Transactions, tenant: TenantId, *, by: Author = UNNAMED) -> PhasedMove | None:
    """Put the tenant back where it was, whatever that cell's room, and let its writes through again.

    None if no move is under way. Raises `NotFound`, and `Conflict` if that cell takes no traffic any more.
    """
    async with store.transaction(by) as transaction:
        await known_tenant(transaction, tenant)
        if not await transaction.moves([tenant]):
            return None
    async with store.transaction(await _author(store, tenant, by), "tenants move: abort") as transaction:
        origin = (await _any(transaction, tenant)).origin
        cells = await transaction.cells([origin], to_change=True)
        move = await _under_way(transaction, tenant, *Phase)
        if move.phase is Phase.SWITCHED:
            if not known_cell(cells, origin).state.takes_traffic:
                raise Conflict(
                    f"cell {origin}: is {cells[origin].state}, tenant {tenant} would get nothing but 503s there"
                )
            await transaction.move_tenants({tenant: origin})
        await _let_go(transaction, move)
    return move


async def _author(store: Transactions, tenant: TenantId, by: Author) -> Author:
    """The author, with the operation that all steps of the move have in common."""
    async with store.transaction(by) as transaction:
        return replace(by, operation=(await _any(transaction, tenant)).operation)


async def _any(transaction: Transaction, tenant: TenantId) -> PhasedMove:
    move = (await transaction.moves([tenant])).get(tenant)
    if move is None:
        raise Conflict(f"tenant {tenant}: no move in phases is under way")
    return move


async def _under_way(transaction: Transaction, tenant: TenantId, *phases: Phase) -> PhasedMove:
    await known_tenant(transaction, tenant)
    move = await _any(transaction, tenant)
    if move.phase not in phases:
        raise Conflict(f"tenant {tenant}: its move is {move.phase}, expected {' or '.join(phases)}")
    return move


async def _put(transaction: Transaction, move: PhasedMove, phase: Phase) -> PhasedMove:
    move = replace(move, phase=phase)
    await transaction.put_move(move)
    return move


async def _let_go(transaction: Transaction, move: PhasedMove) -> None:
    await transaction.update_tenant_state(move.tenant, move.was)
    await transaction.delete_move(move.tenant)


async def _verified(store: Store, move: PhasedMove, options: MoveOptions, cell: CellId, step: str) -> Step:
    """The step, once every Envoy has acknowledged it; at once if there is nobody to ask."""
    done = Step(tenant=move.tenant, step=step, cell=cell)
    if options.witness is None:
        return done
    revision = await store.logged(move.tenant)
    witnessed: Sequence[Witnessed] = ()
    try:
        async with asyncio.timeout(options.verify_seconds):
            while True:
                witnessed = await options.witness.witness(move.tenant)
                if all(each.has_come_to(revision) for each in witnessed):
                    return replace(done, envoys=sum(len(each.envoys) for each in witnessed))
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError:
        raise Conflict(_unverified(move, step, witnessed, revision, options.verify_seconds)) from None


def _unverified(move: PhasedMove, step: str, witnessed: Sequence[Witnessed], revision: Revision, seconds: float) -> str:
    behind = [f"{each.server} has published revision {each.revision}" for each in witnessed if each.revision < revision]
    behind += [f"{node} ({progress})" for each in witnessed for node, progress in each.envoys if progress != "acked"]
    return (
        f"tenant {move.tenant}: {step}, but not acknowledged within {seconds:g} s: {', '.join(behind) or 'no answer'};"
        " the move stays as it is: go on with it, or abort it"
    )
