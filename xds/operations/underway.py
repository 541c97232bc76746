"""What takes longer than a transaction, as it is kept so that anybody can go on with it: drains, moves in phases.

Plain values; what is done about them is in `draining` and `phasing`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from xds.model import CellState, TenantState
from xds.names import CellId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """A cell's tenants are being moved away, or were (`ended_at`), or were brought back (`undone_at`).

    `to` is where they go; None: where the placement policy has each. `was` is the cell's state before. The id is the
    operation in the audit trail.
    """

    id: str
    cell: CellId
    to: CellId | None
    was: CellState
    ended_at: datetime | None = None
    undone_at: datetime | None = None


class Phase(StrEnum):
    """How far a move in phases has come."""

    PREPARED = "prepared"
    HELD = "held"
    SWITCHED = "switched"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhasedMove:
    """A tenant's move that is under way. `was` is the tenant's state before; the operation is the audit trail's."""

    tenant: TenantId
    operation: str
    origin: CellId
    to: CellId
    was: TenantState
    phase: Phase
