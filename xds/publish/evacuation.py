"""What is said and done about a cell that burns while the database is down, as plain values.

Apart from `emergency`, which needs Envoy's schema: a second to import.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xds.names import CellId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Displacement:
    """One tenant's move: from where, to where, by whose word and why."""

    tenant: TenantId
    was: CellId
    now: CellId
    by: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evacuation:
    """A cell that is to be left: for `to`, or for the cells like it, whichever has the fewest tenants each time."""

    cell: CellId
    to: CellId | None = None
    by: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Led:
    """How many tenants are led to which cells, and how many the cell has left."""

    to: Mapping[CellId, int]
    left: int


@dataclass(frozen=True, slots=True)
class Unsettled:
    """What the registry is to be told: who was led where, and which cells were left."""

    moves: tuple[Displacement, ...] = ()
    evacuations: tuple[Evacuation, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.moves or self.evacuations)


@dataclass(frozen=True, slots=True)
class Settled:
    """What the registry took over, and what it did not, each with the reason."""

    moved: tuple[Displacement, ...] = ()
    skipped: tuple[str, ...] = field(default=())
