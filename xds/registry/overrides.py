"""Overrides in PostgreSQL. Its triggers have each change logged as a change of the tenant."""

from collections.abc import Collection

from xds.model import Override, OverrideKind
from xds.names import CellId, TenantId
from xds.registry.queries import Queries
from xds.registry.rows import Row

LIST = """
SELECT tenant_id, cell_id, kind, owner, reason, expires_at FROM overrides
 WHERE ($1::text[] IS NULL OR tenant_id = ANY($1)) AND ($2::text IS NULL OR cell_id = $2)
 ORDER BY tenant_id COLLATE "C" """
PUT = """
INSERT INTO overrides (tenant_id, cell_id, kind, owner, reason, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT ON CONSTRAINT overrides_pk DO UPDATE
   SET (cell_id, kind, owner, reason, expires_at, set_at)
     = (excluded.cell_id, excluded.kind, excluded.owner, excluded.reason, excluded.expires_at, excluded.set_at)"""
# A tenant that somebody has locked is left for the next time: whoever has it may be about to change the override.
EXPIRED = """
SELECT tenants.id FROM tenants JOIN overrides ON overrides.tenant_id = tenants.id
 WHERE overrides.expires_at <= clock_timestamp()
 ORDER BY tenants.id FOR NO KEY UPDATE OF tenants SKIP LOCKED"""


async def list_overrides(
    queries: Queries, tenants: Collection[TenantId] | None, cell: CellId | None
) -> dict[TenantId, Override]:
    """Those of these tenants, and into this cell; None: of any, into any."""
    rows = await queries.fetch(LIST, None if tenants is None else list(tenants), cell)
    return {TenantId(row["tenant_id"]): _to_override(row) for row in rows}


def values(override: Override) -> tuple[object, ...]:
    """What PUT wants."""
    return (
        override.tenant,
        override.cell,
        override.kind,
        override.owner,
        override.reason,
        override.expires_at,
    )


def _to_override(row: Row) -> Override:
    return Override(
        tenant=TenantId(row["tenant_id"]),
        cell=CellId(row["cell_id"]),
        kind=OverrideKind(row["kind"]),
        owner=row["owner"],
        reason=row["reason"],
        expires_at=row["expires_at"],
    )
