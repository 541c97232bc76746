"""What an operator can do with tenants: list, add, move, suspend.

The rules are here: what an id may look like, and that only an active cell takes tenants. Knows no SQL.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from xds.errors import Conflict, NotFound, RequestError
from xds.model import Tenant, TenantState, is_tenant_id
from xds.names import CellId, TenantId
from xds.operations.cells import accepting_cell
from xds.operations.store import Store

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
    """The tenants in `cell` and `state`, by id, those after `after`, at most `limit`."""
    return tuple(await store.list_tenants(cell=cell, state=state, limit=limit, after=after))


async def add_tenant(store: Store, tenant: Tenant) -> Tenant:
    """Add `tenant` and return it as it was stored; its cell must take tenants."""
    if not is_tenant_id(tenant.id):
        raise RequestError(f"tenant id: expected {TENANT_ID_EXPECTED}, got {tenant.id!r}")
    async with store.transaction() as transaction:
        accepting_cell(await transaction.cells([tenant.cell]), tenant.cell)
        if held := await transaction.tenants([tenant.id]):
            raise Conflict(f"tenant {tenant.id}: exists already, in cell {held[tenant.id].cell}")
        await transaction.insert_tenant(tenant)
    return tenant


async def move_tenant(store: Store, tenant: TenantId, cell: CellId) -> Move:
    """Move one tenant to `cell`, which must take tenants unless the tenant is there already."""
    (move,) = await move_tenants(store, {tenant: cell})
    return move


async def move_tenants(store: Store, cells: Mapping[TenantId, CellId]) -> tuple[Move, ...]:
    """Move each tenant to its cell, all or none, in one transaction."""
    async with store.transaction() as transaction:
        targets = await transaction.cells(sorted(set(cells.values())))
        held = await transaction.tenants(sorted(cells))
        missing = sorted(tenant for tenant in cells if tenant not in held)
        if missing:
            raise NotFound(f"tenant {_shortened(missing)}: no such tenant")
        moves = tuple(Move(tenant, held[tenant].cell, cell) for tenant, cell in cells.items())
        changes = {move.tenant: move.now for move in moves if move.is_change}
        for cell in sorted(set(changes.values())):
            accepting_cell(targets, cell)
        if changes:
            await transaction.move_tenants(changes)
    return moves


async def set_tenant_state(store: Store, tenant: TenantId, state: TenantState) -> TenantStateChange:
    """Suspend a tenant or let it in again."""
    async with store.transaction() as transaction:
        held = await transaction.tenants([tenant])
        if tenant not in held:
            raise NotFound(f"tenant {tenant}: no such tenant")
        was = held[tenant].state
        if was is not state:
            await transaction.update_tenant_state(tenant, state)
    return TenantStateChange(tenant, was, state)


def _shortened(ids: list[TenantId]) -> str:
    return ", ".join(ids[:5]) + (f" and {len(ids) - 5} more" if len(ids) > 5 else "")
