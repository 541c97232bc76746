"""What a transaction on the registry can read, lock and write.

Fulfils `xds.operations.Transaction`: rules and decisions are made there, this is their SQL.
"""

import json
from collections.abc import Collection, Mapping, Sequence

from xds.model import Cell, CellState, Endpoint, Tenant, TenantState
from xds.names import CellId, TenantId
from xds.operations import Placement, Put
from xds.registry.queries import Queries, Written
from xds.registry.reading import SOME_TENANTS, read_cells
from xds.registry.rows import Reading

INSERT_CELL = """
INSERT INTO cells (id, state, tenancy, tier, region, labels, protocol) VALUES ($1, $2, $3, $4, $5, $6, $7)"""
INSERT_ENDPOINTS = """
INSERT INTO endpoints (cell_id, address, port, zone, weight)
SELECT $1, * FROM unnest($2::text[], $3::integer[], $4::text[], $5::integer[])"""
MOVE_TENANTS = """
UPDATE tenants SET cell_id = move.cell_id
  FROM unnest($1::text[], $2::text[]) AS move (id, cell_id)
 WHERE tenants.id = move.id AND tenants.cell_id <> move.cell_id"""

MAKE_INCOMING = "CREATE TEMPORARY TABLE incoming (id text, cell_id text, state text) ON COMMIT DROP"
# First what is new, then what is there: the second statement sees rows that others added meanwhile. Not one
# ON CONFLICT DO UPDATE, which could not tell "no state given" (the tenant keeps its own) from "active".
INSERT_INCOMING = """
INSERT INTO tenants (id, cell_id, state) SELECT id, cell_id, coalesce(state, 'active') FROM incoming ORDER BY id
ON CONFLICT ON CONSTRAINT tenants_pk DO NOTHING"""
UPDATE_INCOMING = """
UPDATE tenants SET cell_id = incoming.cell_id, state = coalesce(incoming.state, tenants.state) FROM incoming
 WHERE tenants.id = incoming.id AND (tenants.cell_id, tenants.state)
       IS DISTINCT FROM (incoming.cell_id, coalesce(incoming.state, tenants.state))"""


class PostgresTransaction:
    """One transaction; ends when the context that gave it out ends."""

    def __init__(self, queries: Queries, written: Written) -> None:
        self._queries = queries
        self._written = written
        self._has_incoming = False

    async def cells(self, ids: Collection[CellId], *, to_change: bool = False) -> Mapping[CellId, Cell]:
        """Those of the cells that exist, locked."""
        reading = Reading()
        await read_cells(self._queries, reading, ids, lock="FOR NO KEY UPDATE" if to_change else "FOR SHARE")
        return reading.cells

    async def tenants(self, ids: Collection[TenantId]) -> Mapping[TenantId, Tenant]:
        """Those of the tenants that exist, locked."""
        reading = Reading()
        reading.add_tenants(await self._queries.fetch(f"{SOME_TENANTS} FOR NO KEY UPDATE", list(ids)))
        return reading.tenants

    async def count_tenants(self, cell: CellId) -> int:
        """How many tenants live in `cell`."""
        return await self._queries.fetch_count("SELECT count(*) FROM tenants WHERE cell_id = $1", cell)

    async def insert_cell(self, cell: Cell) -> None:
        """Add a cell and its endpoints."""
        labels = json.dumps(dict(cell.labels))
        await self._execute(
            INSERT_CELL, cell.id, cell.state, cell.tenancy, cell.tier, cell.region, labels, cell.protocol
        )
        await self._insert_endpoints(cell.id, cell.endpoints)

    async def update_cell_state(self, cell: CellId, state: CellState) -> None:
        """Set a cell's state."""
        await self._execute("UPDATE cells SET state = $2 WHERE id = $1", cell, state)

    async def replace_endpoints(self, cell: CellId, endpoints: Sequence[Endpoint]) -> None:
        """Give a cell these endpoints and no others."""
        await self._execute("DELETE FROM endpoints WHERE cell_id = $1", cell)
        await self._insert_endpoints(cell, endpoints)

    async def insert_tenant(self, tenant: Tenant) -> None:
        """Add a tenant."""
        sql = "INSERT INTO tenants (id, cell_id, state) VALUES ($1, $2, $3)"
        await self._execute(sql, tenant.id, tenant.cell, tenant.state)

    async def update_tenant_state(self, tenant: TenantId, state: TenantState) -> None:
        """Set a tenant's state."""
        await self._execute("UPDATE tenants SET state = $2 WHERE id = $1", tenant, state)

    async def move_tenants(self, cells: Mapping[TenantId, CellId]) -> int:
        """Put each tenant into its cell, all in one statement; how many were not there already."""
        return await self._execute(MOVE_TENANTS, list(cells.keys()), list(cells.values()))

    async def put_tenants(self, placements: Sequence[Placement]) -> Put:
        """Add or change tenants in bulk."""
        if self._has_incoming:
            await self._queries.execute("DELETE FROM incoming")
        else:
            await self._queries.execute(MAKE_INCOMING)
            self._has_incoming = True
        rows = [(placement.tenant, placement.cell, placement.state) for placement in placements]
        await self._queries.copy("incoming", ("id", "cell_id", "state"), rows)
        added = await self._execute(INSERT_INCOMING)
        return Put(added, await self._execute(UPDATE_INCOMING))

    async def _insert_endpoints(self, cell: CellId, endpoints: Sequence[Endpoint]) -> None:
        columns = (
            [getattr(endpoint, name) for endpoint in endpoints] for name in ("address", "port", "zone", "weight")
        )
        await self._execute(INSERT_ENDPOINTS, cell, *columns)

    async def _execute(self, sql: str, *values: object) -> int:
        rows = await self._queries.execute(sql, *values)
        self._written.rows += rows
        return rows
