"""Drains and moves in phases in PostgreSQL, so that whoever comes next can go on with them."""

from xds.model import CellState, TenantState
from xds.names import CellId, TenantId
from xds.operations import Drain, Orders, Phase, PhasedMove
from xds.registry.rows import Row

DRAIN_COLUMNS = (
    "id, cell_id, to_cell, was, batch, pause_seconds, policy, actor, message, stopped, failures, moved, started_at,"
    " changed_at, ended_at, undone_at"
)
LAST_DRAIN = f"SELECT {DRAIN_COLUMNS} FROM drains WHERE cell_id = $1 ORDER BY started_at DESC LIMIT 1"  # noqa: S608 -- our constants, here and below
LIST_DRAINS = f"""
SELECT {DRAIN_COLUMNS} FROM drains
 WHERE ($1::text IS NULL OR cell_id = $1) AND ($2::boolean IS NULL OR (ended_at IS NULL) = $2)
   AND ($3::text IS NULL OR (started_at, id) < (SELECT started_at, id FROM drains WHERE id = $3))
 ORDER BY started_at DESC, id DESC LIMIT $4"""  # noqa: S608
DUE_DRAINS = f"""
SELECT {DRAIN_COLUMNS} FROM drains
 WHERE ended_at IS NULL AND batch IS NOT NULL AND stopped = ''
   AND (moved + failures = 0 OR changed_at + pause_seconds * interval '1 second' <= clock_timestamp())
 ORDER BY changed_at"""  # noqa: S608
PUT_DRAIN = """
INSERT INTO drains (id, cell_id, to_cell, was, batch, pause_seconds, policy, actor, message, stopped, failures, moved,
                    ended_at, undone_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT ON CONSTRAINT drains_pk DO UPDATE
   SET (to_cell, batch, pause_seconds, policy, actor, message, stopped, failures, moved, ended_at, undone_at,
        changed_at)
     = (excluded.to_cell, excluded.batch, excluded.pause_seconds, excluded.policy, excluded.actor, excluded.message,
        excluded.stopped, excluded.failures, excluded.moved, excluded.ended_at, excluded.undone_at,
        clock_timestamp())"""
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
BETWEEN = """SELECT tenant_id FROM moves WHERE $1 IN (from_cell, to_cell) ORDER BY tenant_id COLLATE "C" """
DELETE_MOVE = "DELETE FROM moves WHERE tenant_id = $1"


def to_drain(row: Row) -> Drain:
    """One drain."""
    return Drain(
        id=row["id"],
        cell=CellId(row["cell_id"]),
        to=None if row["to_cell"] is None else CellId(row["to_cell"]),
        was=CellState(row["was"]),
        orders=None if row["batch"] is None else _to_orders(row),
        **{
            name: row[name]
            for name in ("stopped", "failures", "moved", "started_at", "changed_at", "ended_at", "undone_at")
        },
    )


def _to_orders(row: Row) -> Orders:
    return Orders(
        batch=row["batch"],
        pause=row["pause_seconds"],
        policy=row["policy"],
        actor=row["actor"],
        message=row["message"],
    )


def drain_values(drain: Drain) -> tuple[object, ...]:
    """What PUT_DRAIN wants."""
    given = drain.orders
    orders = (None, 0.0, "", "", "")
    if given is not None:
        orders = (given.batch, given.pause, given.policy, given.actor, given.message)  # type: ignore[assignment]
    over = (drain.ended_at, drain.undone_at)
    return (drain.id, drain.cell, drain.to, drain.was, *orders, drain.stopped, drain.failures, drain.moved, *over)


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
