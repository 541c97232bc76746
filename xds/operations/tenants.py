"""What an operator can do with tenants: list, add, move, suspend.

The rules are here: what an id may look like, and that only an active cell with room takes tenants. Knows no SQL.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from xds.errors import Conflict, NotFound, RequestError
from xds.model import Tenant, TenantState, is_tenant_id
from xds.names import CellId, TenantId
from xds.operations.auditing import UNNAMED, Author
from xds.operations.cells import accepting_cell, known_cell
from xds.operations.placing import Wish, placer, within_capacity
from xds.operations.store import Store, Transaction, Transactions

TENANT_ID_EXPECTED = (
    "1 to 128 letters, digits, '.', '_', '-', beginning with a letter or digit, and nothing that a claim which is no"
    " text could become"
)


@dataclass(frozen=True, slots=True)
class Move:
    """The cell that a tenant lived in and the one it lives in."""

    tenant: TenantId
    was: CellId
    now: CellId

    @property
    def is_change(self) -> bool:
        """Whether anything was written."""
        return self.was != self.now


@dataclass(frozen=True, slots=True)
class TenantAddition:
    """A tenant as it is stored, and whether it was written: one that was there, and is the same, is not."""

    tenant: Tenant
    is_change: bool = True


@dataclass(frozen=True, slots=True)
class TenantStateChange:
    """A tenant's state before and after."""

    tenant: TenantId
    was: TenantState
    now: TenantState

    @property
    def is_change(self) -> bool:
        """Whether anything was written."""
        return self.was is not self.now


async def get_tenant(store: Store, tenant: TenantId) -> Tenant:
    """A tenant; raises `NotFound`."""
    found = await store.find_tenant(tenant)
    if found is None:
        raise NotFound(f"tenant {tenant}: no such tenant")
    return found


async def list_tenants(
    store: Store,
    *,
    cell: CellId | None = None,
    state: TenantState | None = None,
    limit: int | None = None,
    after: TenantId | None = None,
) -> tuple[Tenant, ...]:
    """The tenants that are placed in `cell`, in `state`, by id, those after `after`, at most `limit`."""
    return tuple(await store.list_tenants(cell=cell, state=state, limit=limit, after=after))


async def add_tenant(store: Transactions, tenant: Tenant, *, by: Author = UNNAMED) -> TenantAddition:
    """Add `tenant` and return it as it was stored; its cell must take tenants, unless it is there already."""
    _check_id(tenant.id)
    async with store.transaction(by, "tenants add") as transaction:
        cells = await transaction.cells([tenant.cell], to_change=True)
        if held := await _same(transaction, tenant.id, [tenant.cell], tenant.state):
            return TenantAddition(held, is_change=False)
        accepting_cell(cells, tenant.cell)
        await _insert(transaction, tenant)
    return TenantAddition(tenant)


async def place_tenant(
    store: Transactions,
    tenant: TenantId,
    wish: Wish,
    *,
    state: TenantState = TenantState.ACTIVE,
    by: Author = UNNAMED,
) -> TenantAddition:
    """Add a tenant in the cell that the policy chooses, and return it as it was stored.

    One that is in a cell of that tier and region stays where it is.
    """
    _check_id(tenant)
    # Apart and before: cells are locked before tenants, and its cell may be none of the open ones.
    async with store.transaction(by) as transaction:
        known = (await transaction.tenants([tenant])).get(tenant)
    async with store.transaction(by, "tenants add") as transaction:
        if known is not None:
            cells = await transaction.cells([known.cell])
            like = [cell.id for cell in cells.values() if (cell.tier, cell.region) == (wish.tier, wish.region)]
            if held := await _same(transaction, tenant, like, state):
                return TenantAddition(held, is_change=False)
        placed = Tenant(tenant, (await placer(transaction, wish)).place(), state)
        await _insert(transaction, placed)
    return TenantAddition(placed)


async def move_tenant(store: Store, tenant: TenantId, cell: CellId, *, by: Author = UNNAMED) -> Move:
    """Move one tenant to `cell`, which must take tenants unless the tenant is there already."""
    (move,) = await move_tenants(store, {tenant: cell}, by=by)
    return move


async def move_tenants(
    store: Transactions, cells: Mapping[TenantId, CellId], *, by: Author = UNNAMED
) -> tuple[Move, ...]:
    """Move each tenant to its cell, all or none, in one transaction."""
    async with store.transaction(by, "tenants move") as transaction:
        return await move_within(transaction, cells)


async def move_within(transaction: Transaction, cells: Mapping[TenantId, CellId]) -> tuple[Move, ...]:
    """Move each tenant to its cell, as a part of a transaction that has locked nothing but cells."""
    targets = await transaction.cells(sorted(set(cells.values())), to_change=True)
    held = await transaction.tenants(sorted(cells))
    missing = sorted(tenant for tenant in cells if tenant not in held)
    if missing:
        raise NotFound(f"tenant {_shortened(missing)}: no such tenant")
    moves = tuple(Move(tenant, held[tenant].cell, cell) for tenant, cell in cells.items())
    changes = {move.tenant: move.now for move in moves if move.is_change}
    for cell in sorted(set(changes.values())):
        accepting_cell(targets, cell)
    if changes:
        await refuse_under_way(transaction, changes)
        async with within_capacity(transaction, sorted(set(changes.values()))):
            await transaction.move_tenants(changes)
    return moves


async def move_share(
    store: Transactions, origin: CellId, to: CellId, share: float, *, by: Author = UNNAMED
) -> tuple[Move, ...]:
    """Move a share (0 to 1) of a cell's tenants to another cell, in one transaction.

    Which ones, their ids decide: asked for again it moves nobody, and a greater share moves those and more.
    """
    if not 0 < share <= 1:
        raise RequestError(f"share: expected more than 0 % and at most 100 %, got {share:.6g} of 1")
    if origin == to:
        raise RequestError(f"cell {to}: expected another cell than the one that the tenants are in")
    async with store.transaction(by, "tenants move") as transaction:
        cells = await transaction.cells(sorted({origin, to}), to_change=True)
        known_cell(cells, origin)
        accepting_cell(cells, to)
        residents = await transaction.residents(origin)
        return await move_within(transaction, dict.fromkeys(chosen(residents, origin, to, share), to))


def chosen(tenants: Iterable[TenantId], origin: CellId, to: CellId, share: float) -> list[TenantId]:
    """Those of the tenants that belong to the share that goes from one cell to the other."""
    # Both cells are in the hash: whoever went along once must not be among those who go first everywhere.
    salt = f"{origin}>{to}>"
    return [
        tenant
        for tenant in tenants
        if int.from_bytes(hashlib.sha256(f"{salt}{tenant}".encode()).digest()[:8], "big") < share * 2**64
    ]


async def set_tenant_state(
    store: Transactions, tenant: TenantId, state: TenantState, *, by: Author = UNNAMED
) -> TenantStateChange:
    """Suspend a tenant or let it in again."""
    async with store.transaction(by, "tenants set-state") as transaction:
        was = (await known_tenant(transaction, tenant)).state
        if was is not state:
            await refuse_under_way(transaction, [tenant])
            await transaction.update_tenant_state(tenant, state)
    return TenantStateChange(tenant, was, state)


async def known_tenant(transaction: Transaction, tenant: TenantId) -> Tenant:
    """The tenant with this id, locked; raises `NotFound`."""
    held = await transaction.tenants([tenant])
    if tenant not in held:
        raise NotFound(f"tenant {tenant}: no such tenant")
    return held[tenant]


async def refuse_under_way(transaction: Transaction, tenants: Collection[TenantId]) -> None:
    """Raise `Conflict` if one of these tenants, which are locked, is being moved in phases."""
    for tenant, move in (await transaction.moves(tenants)).items():
        raise Conflict(f"tenant {tenant}: a move to {move.to} is under way ({move.phase}): finish or abort it first")


def _check_id(tenant: TenantId) -> None:
    if not is_tenant_id(tenant):
        raise RequestError(f"tenant id: expected {TENANT_ID_EXPECTED}, got {tenant!r}")


async def _same(
    transaction: Transaction, tenant: TenantId, cells: Collection[CellId], state: TenantState
) -> Tenant | None:
    """The tenant that is there already, if it is in one of these cells and in this state; raises `Conflict` if not."""
    held = (await transaction.tenants([tenant])).get(tenant)
    if held is None:
        return None
    if held.cell not in cells or held.state is not state:
        raise Conflict(f"tenant {tenant}: exists already, in cell {held.cell}, {held.state}")
    return held


async def _insert(transaction: Transaction, tenant: Tenant) -> None:
    async with within_capacity(transaction, [tenant.cell]):
        await transaction.insert_tenant(tenant)


def _shortened(ids: list[TenantId]) -> str:
    return ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
