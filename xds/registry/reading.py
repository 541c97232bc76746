"""Reads the registry: everything, or what changed since a revision. Each at one instant.

Knows the tables; not how a connection is had.
"""
# ruff: noqa: S608 -- what is put into the SQL stands in this file

from collections.abc import Collection, Sequence

from xds.errors import ChangesPruned
from xds.names import CellId, Revision, TenantId
from xds.operations import Fill
from xds.registry.queries import Queries
from xds.registry.rows import Reading, Row

LOG_ENDS = """
SELECT floor.revision AS floor, greatest(floor.revision, (SELECT max(revision) FROM change_log)) AS newest
  FROM change_log_floor AS floor"""
CHANGED = "SELECT kind, id FROM change_log WHERE revision > $1 GROUP BY kind, id ORDER BY max(revision)"

CELL_COLUMNS = "id, state, tenancy, tier, region, labels, protocol"
ENDPOINT_COLUMNS = "cell_id, address, port, zone, weight"
ALL_CELLS = f"SELECT {CELL_COLUMNS} FROM cells ORDER BY id"
ALL_ENDPOINTS = f"SELECT {ENDPOINT_COLUMNS} FROM endpoints"
TENANT_COLUMNS = "id, cell_id, state, previous_cell, moved_at"
# What is published: an override stands above the placement. Whether it is over is not asked here: it is in force until
# it is deleted, which is logged like any change.
EFFECTIVE_TENANTS = """
SELECT id, coalesce(overrides.cell_id, tenants.cell_id) AS cell_id, state, previous_cell, moved_at
  FROM tenants LEFT JOIN overrides ON tenant_id = id"""
SOME_CELLS = f"SELECT {CELL_COLUMNS} FROM cells WHERE id = ANY($1) ORDER BY id"
SOME_ENDPOINTS = f"SELECT {ENDPOINT_COLUMNS} FROM endpoints WHERE cell_id = ANY($1)"
SOME_TENANTS = f"{EFFECTIVE_TENANTS} WHERE id = ANY($1) ORDER BY id"
PLACED_TENANTS = f"SELECT {TENANT_COLUMNS} FROM tenants WHERE id = ANY($1) ORDER BY id"

# A tenant that an override has elsewhere takes a place there too, and one that is to move has its place kept.
FILLS = """
SELECT cells.id, capacity,
       coalesce(placed.tenants, 0) + coalesce(kept.tenants, 0) + coalesce(coming.tenants, 0) AS tenants
  FROM cells
  LEFT JOIN (SELECT cell_id, count(*) AS tenants FROM tenants
              WHERE $1::text[] IS NULL OR cell_id = ANY($1) GROUP BY cell_id) AS placed
    ON placed.cell_id = cells.id
  LEFT JOIN (SELECT overrides.cell_id, count(*) AS tenants
               FROM overrides JOIN tenants ON tenants.id = tenant_id AND tenants.cell_id <> overrides.cell_id
              GROUP BY overrides.cell_id) AS kept
    ON kept.cell_id = cells.id
  LEFT JOIN (SELECT to_cell, count(*) AS tenants
               FROM moves JOIN tenants ON tenants.id = tenant_id AND tenants.cell_id <> to_cell
              WHERE phase <> 'switched' AND NOT EXISTS (
                    SELECT FROM overrides WHERE tenant_id = tenants.id AND overrides.cell_id = to_cell)
              GROUP BY to_cell) AS coming
    ON coming.to_cell = cells.id
 WHERE $1::text[] IS NULL OR cells.id = ANY($1)"""
LISTED_TENANTS = f"""
SELECT {TENANT_COLUMNS} FROM tenants
 WHERE ($1::text IS NULL OR cell_id = $1) AND ($2::text IS NULL OR state = $2)
   AND ($4::text IS NULL OR id COLLATE "C" > $4)
 ORDER BY id COLLATE "C" LIMIT $3"""


async def read_all(queries: Queries) -> tuple[Revision, Reading]:
    """Everything, and the revision that it is."""
    reading = Reading()
    async with queries.snapshot():
        newest = await queries.fetch_count(f"SELECT newest FROM ({LOG_ENDS}) AS log")
        await read_cells(queries, reading, None)
        async for batch in queries.batches(EFFECTIVE_TENANTS):
            reading.add_tenants(batch)
    return Revision(newest), reading


async def read_changes(queries: Queries, since: Revision) -> tuple[Revision, Sequence[Row], Reading]:
    """What was logged after `since` (each `kind` and `id` once) with its present rows, and the newest revision.

    Raises `ChangesPruned` when the log cannot tell.
    """
    reading = Reading()
    async with queries.snapshot():
        newest = await _newest(queries, since)
        logged = await queries.fetch(CHANGED, since) if newest > since else ()
        cells = [CellId(row["id"]) for row in logged if row["kind"] == "cell"]
        tenants = [TenantId(row["id"]) for row in logged if row["kind"] == "tenant"]
        if cells:
            await read_cells(queries, reading, cells)
        if tenants:
            reading.add_tenants(await queries.fetch(SOME_TENANTS, tenants))
    return newest, logged, reading


async def read_cells(queries: Queries, reading: Reading, ids: Collection[CellId] | None, *, lock: str = "") -> None:
    """Add the cells with `ids`, or all, to `reading`; `lock` is a locking clause for their rows."""
    if ids is None:
        reading.add_cells(await queries.fetch(ALL_CELLS), await queries.fetch(ALL_ENDPOINTS))
    else:
        rows = await queries.fetch(f"{SOME_CELLS} {lock}", list(ids))
        reading.add_cells(rows, await queries.fetch(SOME_ENDPOINTS, list(ids)))


async def read_fills(queries: Queries, cells: Collection[CellId] | None) -> dict[CellId, Fill]:
    """How full these cells are, or all."""
    rows = await queries.fetch(FILLS, None if cells is None else list(cells))
    return {CellId(row["id"]): Fill(CellId(row["id"]), row["tenants"], row["capacity"]) for row in rows}


async def _newest(queries: Queries, since: Revision) -> Revision:
    row = await queries.fetch_row(LOG_ENDS)
    floor, newest = (row["floor"], row["newest"]) if row is not None else (0, 0)
    if since < floor:
        raise ChangesPruned(f"the change log begins after revision {floor}, changes since {since} are gone from it")
    if since > newest:
        raise ChangesPruned(
            f"the change log ends at revision {newest}, {since} is not in it: was the registry restored?"
        )
    return Revision(newest)
