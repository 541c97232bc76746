"""What a transaction on the registry can read, lock and write.

Fulfils `xds.operations.Transaction`: rules and decisions are made there, this is their SQL.
"""

import json
from collections.abc import Collection, Mapping, Sequence

from xds.model import Cell, CellState, Endpoint, Override, Tenant, TenantState
from xds.names import CellId, TenantId
from xds.operations import Drain, Fill, PhasedMove, Placement, Put
from xds.registry import overrides, underway
from xds.registry.queries import Queries, Written
from xds.registry.reading import PLACED_TENANTS, read_cells, read_fills
from xds.registry.rows import Reading

INSERT_CELL = """
INSERT INTO cells (id, state, tenancy, tier, region, labels, protocol, capacity)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"""
UPDATE_CELL = """
UPDATE cells SET (tenancy, tier, region, labels, protocol) = ($2, $3, $4, $5, $6) WHERE id = $1"""
OPEN_CELLS = """
SELECT id FROM cells WHERE state = 'active' AND tenancy = 'shared' AND tier = $1 AND region = $2
 ORDER BY id FOR NO KEY UPDATE"""
OPEN_CELLS_LIKE = """
SELECT cells.id FROM cells, cells AS this
 WHERE this.id = $1 AND (cells.id = this.id OR cells.state = 'active' AND cells.tenancy = 'shared'
                                               AND (cells.tier, cells.region) = (this.tier, this.region))
 ORDER BY cells.id FOR NO KEY UPDATE OF cells"""
# Only what differs is written, so that the audit trail has what was changed and nothing else.
DELETE_ENDPOINTS = """
DELETE FROM endpoints WHERE cell_id = $1
   AND (address, port) NOT IN (SELECT * FROM unnest($2::text[], $3::integer[]))"""
PUT_ENDPOINTS = """
INSERT INTO endpoints (cell_id, address, port, zone, weight)
SELECT $1, * FROM unnest($2::text[], $3::integer[], $4::text[], $5::integer[])
ON CONFLICT ON CONSTRAINT endpoints_pk DO UPDATE SET (zone, weight) = (excluded.zone, excluded.weight)
 WHERE (endpoints.zone, endpoints.weight) <> (excluded.zone, excluded.weight)"""
RESIDENTS = """
SELECT id FROM tenants WHERE cell_id = $1 AND NOT EXISTS (SELECT FROM moves WHERE tenant_id = tenants.id)
 ORDER BY id LIMIT $2 FOR NO KEY UPDATE OF tenants"""
COUNT_TENANTS = """
SELECT (SELECT count(*) FROM tenants WHERE cell_id = $1)
     + (SELECT count(*) FROM overrides JOIN tenants ON tenants.id = tenant_id
         WHERE overrides.cell_id = $1 AND tenants.cell_id <> $1)"""
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
        reading.add_tenants(await self._queries.fetch(f"{PLACED_TENANTS} FOR NO KEY UPDATE", list(ids)))
        return reading.tenants

    async def count_tenants(self, cell: CellId) -> int:
        """How many tenants live in `cell`, or are kept there by an override."""
        return await self._queries.fetch_count(COUNT_TENANTS, cell)

    async def residents(self, cell: CellId, limit: int | None = None) -> Sequence[TenantId]:
        """The tenants that are placed in `cell` and have no move in phases under way, by id, at most `limit`."""
        return [TenantId(row["id"]) for row in await self._queries.fetch(RESIDENTS, cell, limit)]

    async def fills(self, cells: Collection[CellId]) -> Mapping[CellId, Fill]:
        """How full these cells are."""
        return await read_fills(self._queries, cells)

    async def open_cells(self, tier: str, region: str) -> Sequence[CellId]:
        """The active shared cells of a tier and region, locked to be changed, by id."""
        return [CellId(row["id"]) for row in await self._queries.fetch(OPEN_CELLS, tier, region)]

    async def open_cells_like(self, cell: CellId) -> Sequence[CellId]:
        """Those of a cell's tier and region, and in any case the cell itself, locked to be changed, by id."""
        return [CellId(row["id"]) for row in await self._queries.fetch(OPEN_CELLS_LIKE, cell)]

    async def insert_cell(self, cell: Cell, capacity: int | None = None) -> None:
        """Add a cell and its endpoints."""
        labels = json.dumps(dict(cell.labels))
        values = (cell.id, cell.state, cell.tenancy, cell.tier, cell.region, labels, cell.protocol, capacity)
        await self._execute(INSERT_CELL, *values)
        await self._put_endpoints(cell.id, cell.endpoints)

    async def update_capacity(self, cell: CellId, capacity: int | None) -> None:
        """Set how many tenants a cell has room for; None: any number."""
        await self._execute("UPDATE cells SET capacity = $2 WHERE id = $1", cell, capacity)

    async def update_cell(self, cell: Cell) -> None:
        """Set a cell's tenancy, tier, region, labels and protocol."""
        labels = json.dumps(dict(cell.labels))
        await self._execute(UPDATE_CELL, cell.id, cell.tenancy, cell.tier, cell.region, labels, cell.protocol)

    async def update_cell_state(self, cell: CellId, state: CellState) -> None:
        """Set a cell's state."""
        await self._execute("UPDATE cells SET state = $2 WHERE id = $1", cell, state)

    async def replace_endpoints(self, cell: CellId, endpoints: Sequence[Endpoint]) -> None:
        """Give a cell these endpoints and no others."""
        columns = ([getattr(endpoint, name) for endpoint in endpoints] for name in ("address", "port"))
        await self._execute(DELETE_ENDPOINTS, cell, *columns)
        await self._put_endpoints(cell, endpoints)

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

    async def overrides(
        self, *, tenants: Collection[TenantId] | None = None, cell: CellId | None = None
    ) -> Mapping[TenantId, Override]:
        """Those of these tenants, and into this cell; None: of any, into any."""
        return await overrides.list_overrides(self._queries, tenants, cell)

    async def put_override(self, override: Override) -> None:
        """Have this be the tenant's one override."""
        await self._execute(overrides.PUT, *overrides.values(override))

    async def delete_overrides(self, tenants: Collection[TenantId]) -> None:
        """Let these tenants be where they are placed."""
        await self._execute("DELETE FROM overrides WHERE tenant_id = ANY($1)", list(tenants))

    async def expired_overrides(self) -> Sequence[TenantId]:
        """The tenants whose override is over and who are not being changed just now; locks them."""
        return [TenantId(row["id"]) for row in await self._queries.fetch(overrides.EXPIRED)]

    async def last_drain(self, cell: CellId) -> Drain | None:
        """The drain of a cell that began last."""
        row = await self._queries.fetch_row(underway.LAST_DRAIN, cell)
        return None if row is None else underway.to_drain(row)

    async def put_drain(self, drain: Drain) -> None:
        """Keep a drain as it is now."""
        await self._execute(underway.PUT_DRAIN, *underway.drain_values(drain))

    async def went(self, operation: str) -> Collection[TenantId]:
        """Whom an operation has moved, and who is still there, wherever."""
        return [TenantId(row["tenant_id"]) for row in await self._queries.fetch(underway.WENT, operation)]

    async def moved_by(self, operation: str) -> Mapping[TenantId, CellId]:
        """Whom an operation has moved, and nobody since: each tenant and the cell it came from."""
        rows = await self._queries.fetch(underway.MOVED_BY, operation)
        return {TenantId(row["tenant_id"]): CellId(row["came_from"]) for row in rows}

    async def leaving(self, cell: CellId) -> Sequence[TenantId]:
        """The tenants that are placed in `cell` and have a move in phases under way, by id."""
        return [TenantId(row["tenant_id"]) for row in await self._queries.fetch(underway.LEAVING, cell)]

    async def moves(self, tenants: Collection[TenantId]) -> Mapping[TenantId, PhasedMove]:
        """The moves in phases of these tenants that are under way."""
        rows = await self._queries.fetch(underway.MOVES, list(tenants))
        return {TenantId(row["tenant_id"]): underway.to_move(row) for row in rows}

    async def between(self, cell: CellId) -> Sequence[TenantId]:
        """The tenants that have a move in phases from or to `cell` under way, by id."""
        return [TenantId(row["tenant_id"]) for row in await self._queries.fetch(underway.BETWEEN, cell)]

    async def put_move(self, move: PhasedMove) -> None:
        """Keep a move in phases as it is now."""
        await self._execute(underway.PUT_MOVE, *underway.move_values(move))

    async def delete_move(self, tenant: TenantId) -> None:
        """Forget a move in phases: it has ended."""
        await self._execute(underway.DELETE_MOVE, tenant)

    async def _put_endpoints(self, cell: CellId, endpoints: Sequence[Endpoint]) -> None:
        columns = (
            [getattr(endpoint, name) for endpoint in endpoints] for name in ("address", "port", "zone", "weight")
        )
        await self._execute(PUT_ENDPOINTS, cell, *columns)

    async def _execute(self, sql: str, *values: object) -> int:
        rows = await self._queries.execute(sql, *values)
        self._written.rows += rows
        return rows
