"""Drains and moves in phases in PostgreSQL, so that whoever comes next can go on with them."""

from xds.model import CellState, TenantState
from xds.names import CellId, TenantId
from xds.operations import Drain, Phase, PhasedMove
from xds.registry.rows import Row

LAST_DRAIN = """
SELECT id, cell_id, to_cell, was, ended_at, undone_at FROM drains
 WHERE cell_id = $1 ORDER BY started_at DESC LIMIT 1"""
PUT_DRAIN = """
INSERT INTO drains (id, cell_id, to_cell, was, ended_at, undone_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT ON CONSTRAINT drains_pk DO UPDATE
   SET (to_cell, ended_at, undone_at) = (excluded.to_cell, excluded.ended_at, excluded.undone_at)"""
WENT = """
SELECT DISTINCT tenant_id FROM audit
 WHERE operation_id = $1 AND kind = 'tenant' AND before ->> 'cell_id' <> after ->> 'cell_id'
   AND EXISTS (SELECT FROM tenants WHERE id = tenant_id)"""
# The last change of a tenant's cell is what counts: one that was moved again, and even back, has been moved since.
MOVED_BY = """
SELECT tenant_id, came_from FROM (
    SELECT DISTINCT ON (tenant_id) tenant_id, operation_id, before ->> 'cell_id' AS came_from
      FROM audit
     WHERE kind = 'tenant' AND before ->> 'cell_id' <> after ->> 'cell_id'
       AND tenant_id IN (SELECT tenant_id FROM audit WHERE operation_id = $1 AND kind = 'tenant')
     ORDER BY tenant_id, id DESC) AS last
 WHERE operation_id = $1 AND EXISTS (SELECT FROM tenants WHERE id = tenant_id)"""

MOVE_COLUMNS = "tenant_id, operation_id, from_cell, to_cell, was, phase"
MOVES = f"""
SELECT {MOVE_COLUMNS} FROM moves
 WHERE $1::text[] IS NULL OR tenant_id = ANY($1) ORDER BY tenant_id COLLATE "C" """  # noqa: S608 -- our constant
PUT_MOVE = f"""
INSERT INTO moves ({MOVE_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT ON CONSTRAINT moves_pk DO UPDATE SET phase = excluded.phase"""  # noqa: S608 -- our constant
LEAVING = """
SELECT tenant_id FROM moves JOIN tenants ON id = tenant_id WHERE cell_id = $1 ORDER BY tenant_id COLLATE "C" """
DELETE_MOVE = "DELETE FROM moves WHERE tenant_id = $1"


def to_drain(row: Row) -> Drain:
    """One drain."""
    return Drain(
        id=row["id"],
        cell=CellId(row["cell_id"]),
        to=None if row["to_cell"] is None else CellId(row["to_cell"]),
        was=CellState(row["was"]),
        ended_at=row["ended_at"],
        undone_at=row["undone_at"],
    )


def drain_values(drain: Drain) -> tuple[object, ...]:
    """What PUT_DRAIN wants."""
    return (drain.id, drain.cell, drain.to, drain.was, drain.ended_at, drain.undone_at)


def to_move(row: Row) -> PhasedMove:
    """One move in phases."""
    return PhasedMove(
        tenant=TenantId(row["tenant_id"]),
        operation=row["operation_id"],
        origin=CellId(row["from_cell"]),
        to=CellId(row["to_cell"]),
        was=TenantState(row["was"]),
        phase=Phase(row["phase"]),
    )


def move_values(move: PhasedMove) -> tuple[object, ...]:
    """What PUT_MOVE wants."""
    return (move.tenant, move.operation, move.origin, move.to, move.was, move.phase)
