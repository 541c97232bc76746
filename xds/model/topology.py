"""All cells and tenants at one revision of the registry, and what changed between two.

Immutable: a change makes a new topology that shares what did not change.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

from xds.model.cell import Cell, CellState
from xds.model.tenant import Tenant
from xds.names import CellId, Revision, TenantId

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What became of some cells and tenants by `revision`; None is for one that is gone."""

    revision: Revision
    cells: Mapping[CellId, Cell | None] = field(default_factory=dict)
    tenants: Mapping[TenantId, Tenant | None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.cells or self.tenants)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """Every cell and tenant at `revision`."""

    revision: Revision
    cells: Mapping[CellId, Cell] = field(default_factory=lambda: MappingProxyType({}))
    tenants: Mapping[TenantId, Tenant] = field(default_factory=lambda: MappingProxyType({}))

    def apply(self, changes: Changes) -> "Topology":
        """The topology after `changes`."""
        return Topology(
            revision=changes.revision,
            cells=_updated(self.cells, changes.cells),
            tenants=_updated(self.tenants, changes.tenants),
        )

    def changes_to(self, newer: "Topology") -> Changes:
        """What must become of this topology to be `newer`."""
        return Changes(
            revision=newer.revision,
            cells=_difference(self.cells, newer.cells),
            tenants=_difference(self.tenants, newer.tenants),
        )

    @property
    def active_cells(self) -> int:
        """How many cells are in state active."""
        return sum(cell.state is CellState.ACTIVE for cell in self.cells.values())


def _updated(held: Mapping[K, V], changed: Mapping[K, V | None]) -> Mapping[K, V]:
    if not changed:
        return held
    updated = dict(held)
    for key, value in changed.items():
        if value is None:
            updated.pop(key, None)
        else:
            updated[key] = value
    return MappingProxyType(updated)


def _difference(before: Mapping[K, V], after: Mapping[K, V]) -> dict[K, V | None]:
    changed: dict[K, V | None] = {key: value for key, value in after.items() if before.get(key) != value}
    return changed | dict.fromkeys(before.keys() - after.keys())
