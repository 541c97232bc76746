"""What takes longer than a transaction, as it is kept so that anybody can go on with it: drains, moves in phases.

Plain values; what is done about them is in `draining` and `phasing`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from xds.model import CellState, TenantState
from xds.names import CellId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """How servers are to drain a cell: `batch` tenants, a pause of so many seconds, the next ones; on whose word, why.

    `policy` places those for whom the drain names no cell.
    """

    batch: int
    pause: float
    policy: str
    actor: str
    message: str = ""


class DrainState(StrEnum):
    """Who works at a drain: servers (running), nobody (stopped), a command that began it (open); or it is over."""

    RUNNING = "running"
    STOPPED = "stopped"
    OPEN = "open"
    ENDED = "ended"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drain:
    """A cell's tenants are being moved away, or were (`ended_at`), or were brought back (`undone_at`).

    `to` is where they go; None: where the placement policy has each. `was` is the cell's state before. The id is the
    operation in the audit trail. With `orders`, servers work it off, unless it is `stopped`, which says why; `failures`
    is how many batches have failed in a row. `moved` is how many tenants have gone. The registry gives `started_at`,
    and `changed_at`: when any of this was written last.
    """

    id: str
    cell: CellId
    to: CellId | None
    was: CellState
    orders: Orders | None = None
    stopped: str = ""
    failures: int = 0
    moved: int = 0
    started_at: datetime | None = None
    changed_at: datetime | None = None
    ended_at: datetime | None = None
    undone_at: datetime | None = None

    @property
    def state(self) -> DrainState:
        """Who works at it, or that it is over."""
        if self.undone_at is not None:
            return DrainState.UNDONE
        if self.ended_at is not None:
            return DrainState.ENDED
        if self.stopped:
            return DrainState.STOPPED
        return DrainState.RUNNING if self.orders is not None else DrainState.OPEN


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
