"""What can be asked about tenants."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field

from xds import operations
from xds.control.cells import StateChange
from xds.control.operation import Parts
from xds.control.overrides import OverrideView, view_of
from xds.control.paging import from_cursor, page_of
from xds.control.preconditions import etag_of_tenant, expecting_tenant
from xds.control.shapes import Answer, Change, Cursor, Etag, Id, Limit, Next, Request, to_time
from xds.model import Override, Tenant, TenantState
from xds.names import CellId, TenantId
from xds.operations import Author


class ArrivalView(Answer):
    """From which cell a tenant came last, and when."""

    previous: str
    at: datetime


class TenantView(Answer):
    """A tenant and the cell where it is placed; its requests go elsewhere if it has an override.

    One that has always lived in its cell has no arrival.
    """

    id: str
    cell: str
    state: TenantState
    arrival: ArrivalView | None = None
    override: OverrideView | None = None
    etag: str


class TenantPage(Answer):
    """Tenants, by id."""

    data: list[TenantView]
    next: Next = None


class ListTenants(Request):
    """The tenants in a cell, in a state, or all."""

    cell: Id | None = None
    state: TenantState | None = None
    limit: Limit = 100
    cursor: Cursor = None


class GetTenant(Request):
    """One tenant."""

    tenant: Id


class AddTenant(Change):
    """A tenant that does not exist, in a cell that takes tenants."""

    id: Id
    cell: Id
    state: TenantState = TenantState.ACTIVE


class SetTenantState(Change):
    """Another state for a tenant."""

    tenant: Id
    state: TenantState
    etag: Etag


class MoveTenant(Change):
    """Another cell for a tenant."""

    tenant: Id
    to: Id
    etag: Etag


class MoveTenants(Change):
    """Another cell for several tenants, all or none, wherever they are now."""

    tenants: Annotated[list[Id], Field(min_length=1, max_length=1000)]
    to: Id


class MoveView(Answer):
    """The cell that a tenant lived in and the one it lives in."""

    tenant: str
    was: str
    now: str
    changed: bool


class Moves(Answer):
    """A move a tenant, in the order in which they were named."""

    data: list[MoveView]


async def list_tenants(parts: Parts, request: ListTenants, _by: str) -> TenantPage:
    """A page of tenants."""
    after = from_cursor(request.cursor, ("",))
    found = await operations.list_tenants(
        parts.registry,
        cell=None if request.cell is None else CellId(request.cell),
        state=request.state,
        limit=request.limit + 1,
        after=None if after is None else TenantId(str(after[0])),
    )
    page, following = page_of(found, request.limit, key=lambda tenant: (tenant.id,))
    kept = await _overrides(parts, page)
    return TenantPage(data=[_view(tenant, kept.get(tenant.id)) for tenant in page], next=following)


async def get_tenant(parts: Parts, request: GetTenant, _by: str) -> TenantView:
    """The tenant, as the registry has it."""
    tenant = await operations.get_tenant(parts.registry, TenantId(request.tenant))
    return _view(tenant, (await _overrides(parts, [tenant])).get(tenant.id))


async def add_tenant(parts: Parts, request: AddTenant, by: str) -> TenantView:
    """Add a tenant."""
    asked = Tenant(TenantId(request.id), CellId(request.cell), request.state)
    await operations.add_tenant(parts.registry, asked, by=Author(by, request.message))
    return await get_tenant(parts, GetTenant(tenant=asked.id), by)


async def set_tenant_state(parts: Parts, request: SetTenantState, by: str) -> StateChange:
    """Suspend a tenant, or let it in again."""
    tenant = TenantId(request.tenant)
    store = expecting_tenant(parts.registry, tenant, request.etag)
    change = await operations.set_tenant_state(store, tenant, request.state, by=Author(by, request.message))
    return StateChange(id=change.tenant, was=change.was, now=change.now, changed=change.is_change)


async def move_tenant(parts: Parts, request: MoveTenant, by: str) -> MoveView:
    """Move a tenant."""
    tenant, cell = TenantId(request.tenant), CellId(request.to)
    store = expecting_tenant(parts.registry, tenant, request.etag, cells=[cell])
    return move_view(await operations.move_tenant(store, tenant, cell, by=Author(by, request.message)))


async def move_tenants(parts: Parts, request: MoveTenants, by: str) -> Moves:
    """Move tenants, in one transaction."""
    wanted = {TenantId(tenant): CellId(request.to) for tenant in request.tenants}
    return Moves(
        data=[
            move_view(each)
            for each in await operations.move_tenants(parts.registry, wanted, by=Author(by, request.message))
        ]
    )


def move_view(move: operations.Move) -> MoveView:
    """A move as it is shown."""
    return MoveView(tenant=move.tenant, was=move.was, now=move.now, changed=move.is_change)


async def _overrides(parts: Parts, tenants: Sequence[Tenant]) -> dict[TenantId, Override]:
    found = await parts.registry.list_overrides(tenants=[tenant.id for tenant in tenants])
    return {override.tenant: override for override in found}


def _view(tenant: Tenant, override: Override | None) -> TenantView:
    came = tenant.arrival
    return TenantView(
        id=tenant.id,
        cell=tenant.cell,
        state=tenant.state,
        arrival=None if came is None else ArrivalView(previous=came.previous, at=to_time(came.at)),
        override=None if override is None else view_of(override),
        etag=etag_of_tenant(tenant, override),
    )
