"""What can be asked of the audit trail: who did what, when and why."""

from datetime import datetime
from typing import cast

from pydantic import JsonValue

from xds import operations
from xds.control.operation import Parts
from xds.control.paging import from_cursor, page_of
from xds.control.shapes import LARGEST_NUMBER, Answer, Cursor, Id, Limit, Next, Request, Text, Time
from xds.names import CellId, TenantId
from xds.operations import AuditEvent, AuditQuery


class AuditEventView(Answer):
    """One thing before and after; without `before` it was added, without `after` removed.

    What has the same `operation` was done at once, or by one drain.
    """

    id: int
    at: datetime
    actor: str
    action: str
    operation: str
    message: str
    kind: str
    cell: str | None = None
    tenant: str | None = None
    before: dict[str, JsonValue] | None = None
    after: dict[str, JsonValue] | None = None


class AuditPage(Answer):
    """Events, the newest first."""

    data: list[AuditEventView]
    next: Next = None


class ListAudit(Request):
    """What was done to a cell (and to tenants that came to it or left it) or a tenant, by one operation, since then."""

    cell: Id | None = None
    tenant: Id | None = None
    operation: Text | None = None
    since: Time | None = None
    limit: Limit = 100
    cursor: Cursor = None


async def list_audit(parts: Parts, request: ListAudit, _by: str) -> AuditPage:
    """A page of events."""
    after = from_cursor(request.cursor, (0,))
    query = AuditQuery(
        cell=None if request.cell is None else CellId(request.cell),
        tenant=None if request.tenant is None else TenantId(request.tenant),
        operation=request.operation,
        since=request.since,
        before=None if after is None else max(0, min(int(after[0]), LARGEST_NUMBER)),
        limit=request.limit + 1,
    )
    found = await operations.list_audit(parts.registry, query)
    page, following = page_of(found, request.limit, key=lambda event: (event.id,))
    return AuditPage(data=[view_of(event) for event in page], next=following)


def view_of(event: AuditEvent) -> AuditEventView:
    """An event, as it is shown."""
    before, after = (
        None if each is None else cast(dict[str, JsonValue], dict(each)) for each in (event.before, event.after)
    )
    return AuditEventView(
        id=event.id,
        at=event.at,
        actor=event.actor,
        action=event.action,
        operation=event.operation,
        message=event.message,
        kind=event.kind,
        cell=event.cell,
        tenant=event.tenant,
        before=before,
        after=after,
    )
