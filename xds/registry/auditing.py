"""The audit trail in PostgreSQL: triggers write it, this says for whom, and reads it.

Knows the table and the settings that its triggers read.
"""

import json

from xds.names import CellId, TenantId
from xds.operations import AuditEvent, AuditQuery, Author
from xds.registry.queries import Queries
from xds.registry.rows import Row

# true: for this transaction only, so that a pooled connection takes nothing along.
NAME_AUTHOR = """
SELECT set_config('alphaswarm.actor', $1, true), set_config('alphaswarm.action', $2, true),
       set_config('alphaswarm.operation', $3, true), set_config('alphaswarm.message', $4, true)"""

COLUMNS = "id, at, actor, action, operation_id, message, kind, cell_id, tenant_id, before, after"
LIST = f"""
SELECT {COLUMNS} FROM audit
 WHERE ($1::text IS NULL OR cell_id = $1 OR before ->> 'cell_id' = $1)
   AND ($2::text IS NULL OR tenant_id = $2)
   AND ($3::text IS NULL OR operation_id = $3)
   AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::bigint IS NULL OR id < $5)
 ORDER BY id DESC LIMIT $6"""  # noqa: S608 -- our constant

# Written by the transaction that asks, though others may have the same operation.
OWN = f"""
SELECT {COLUMNS} FROM audit
 WHERE operation_id = audit_setting('operation', 'tx-' || txid_current()) AND xmin = pg_current_xact_id()::xid
 ORDER BY id"""  # noqa: S608 -- our constant


async def name_author(queries: Queries, by: Author, action: str) -> None:
    """Have what this transaction changes be audited as done by this author."""
    await queries.fetch(NAME_AUTHOR, by.actor, action, by.operation, by.message)


async def list_events(queries: Queries, query: AuditQuery) -> list[AuditEvent]:
    """The events that are asked for, the newest first."""
    asked = (query.cell, query.tenant, query.operation, query.since, query.before, query.limit)
    return [_to_event(row) for row in await queries.fetch(LIST, *asked)]


async def list_rehearsed(queries: Queries) -> list[AuditEvent]:
    """The events that this transaction has written so far, the oldest first."""
    return [_to_event(row) for row in await queries.fetch(OWN)]


def _to_event(row: Row) -> AuditEvent:
    return AuditEvent(
        id=row["id"],
        at=row["at"],
        actor=row["actor"],
        action=row["action"],
        operation=row["operation_id"],
        message=row["message"],
        kind=row["kind"],
        cell=None if row["cell_id"] is None else CellId(row["cell_id"]),
        tenant=None if row["tenant_id"] is None else TenantId(row["tenant_id"]),
        before=None if row["before"] is None else json.loads(row["before"]),
        after=None if row["after"] is None else json.loads(row["after"]),
    )
