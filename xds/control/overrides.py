"""What can be asked about overrides above the registry's placement."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from xds import operations
from xds.control.operation import Parts
from xds.control.paging import cut
from xds.control.preconditions import expecting_tenant
from xds.control.shapes import Answer, Change, Cursor, Etag, Id, Limit, Next, Request, Text, Time
from xds.model import Override, OverrideKind
from xds.names import CellId, TenantId
from xds.operations import Author, OverrideChange


class OverrideView(Answer):
    """A tenant's requests go to `cell` until `expires_at`, wherever it is placed; `owner` knows more."""

    tenant: str
    cell: str
    kind: OverrideKind
    owner: str
    reason: str
    expires_at: datetime


class OverridePage(Answer):
    """Overrides, by tenant."""

    data: list[OverrideView]
    next: Next = None


class OverrideChangeView(Answer):
    """A tenant's override before and after."""

    tenant: str
    was: OverrideView | None = None
    now: OverrideView | None = None
    changed: bool


class ListOverrides(Request):
    """Those into a cell, or all."""

    cell: Id | None = None
    limit: Limit = 100
    cursor: Cursor = None


class SetOverride(Change):
    """Another cell for a tenant's requests, for a time; without `owner`, who asks is. The etag is the tenant's."""

    tenant: Id
    cell: Id
    kind: OverrideKind = OverrideKind.TESTING
    owner: Annotated[Text, Field(min_length=1, max_length=200)] | None = None
    reason: Annotated[Text, Field(min_length=1)]
    expires_at: Time
    etag: Etag


class ClearOverride(Change):
    """No override for a tenant. The etag is the tenant's."""

    tenant: Id
    etag: Etag


async def list_overrides(parts: Parts, request: ListOverrides, _by: str) -> OverridePage:
    """A page of overrides."""
    found = await operations.list_overrides(parts.registry, cell=None if request.cell is None else CellId(request.cell))
    page, following = cut(found, request.limit, request.cursor, key=lambda each: (each.tenant,), like=("",))
    return OverridePage(data=[view_of(each) for each in page], next=following)


async def set_override(parts: Parts, request: SetOverride, by: str) -> OverrideChangeView:
    """Keep a tenant in another cell than it is placed in."""
    tenant, cell = TenantId(request.tenant), CellId(request.cell)
    asked = Override(
        tenant=tenant,
        cell=cell,
        kind=request.kind,
        owner=request.owner or by,
        reason=request.reason,
        expires_at=request.expires_at.replace(microsecond=0),
    )
    store = expecting_tenant(parts.registry, tenant, request.etag, cells=[cell])
    return _changed(await operations.set_override(store, asked, now=datetime.now(UTC), by=Author(by, request.message)))


async def clear_override(parts: Parts, request: ClearOverride, by: str) -> OverrideChangeView:
    """Let a tenant be where it is placed."""
    tenant = TenantId(request.tenant)
    store = expecting_tenant(parts.registry, tenant, request.etag)
    return _changed(await operations.clear_override(store, tenant, by=Author(by, request.message)))


def view_of(override: Override) -> OverrideView:
    """An override, as it is shown."""
    return OverrideView(
        tenant=override.tenant,
        cell=override.cell,
        kind=override.kind,
        owner=override.owner,
        reason=override.reason,
        expires_at=override.expires_at,
    )


def _changed(change: OverrideChange) -> OverrideChangeView:
    was, now = (None if each is None else view_of(each) for each in (change.was, change.now))
    return OverrideChangeView(tenant=change.tenant, was=was, now=now, changed=change.is_change)
