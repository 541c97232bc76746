"""Rows to values of the model, one by one: a row that makes no sense is a problem, not an exception.

Pure. The schema's constraints refuse such rows; this is for a database whose constraints were dropped or
which a newer version has taught new words.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xds.model import Arrival, Cell, CellState, Endpoint, Tenancy, Tenant, TenantState, UpstreamProtocol
from xds.names import CellId, TenantId

Row = Mapping[str, Any]

TENANT_STATES = {state.value: state for state in TenantState}


@dataclass(slots=True)
class Reading:
    """What was read: cells and tenants, and by `kind id` the rows that had to be left out, with the reason."""

    cells: dict[CellId, Cell] = field(default_factory=dict)
    tenants: dict[TenantId, Tenant] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def add_cells(self, rows: Iterable[Row], endpoints: Iterable[Row]) -> None:
        """Add cells, each with those of `endpoints` that are its own."""
        by_cell = defaultdict(list)
        for row in endpoints:
            by_cell[row["cell_id"]].append(to_endpoint(row))
        for row in rows:
            try:
                cell = to_cell(row, by_cell[row["id"]])
            except (ValueError, TypeError, AttributeError) as error:
                self.problems[f"cell {row['id']}"] = f"cell {row['id']} is left out: {error}"
            else:
                self.cells[cell.id] = cell

    def add_tenants(self, rows: Iterable[Row]) -> None:
        """Add tenants; a million of them share their cells' ids."""
        shared: dict[str, CellId] = {cell: cell for cell in self.cells}
        tenants, problems = self.tenants, self.problems
        for row in rows:
            tenant, cell, state = TenantId(row["id"]), row["cell_id"], TENANT_STATES.get(row["state"])
            if state is None:
                problems[f"tenant {tenant}"] = (
                    f"tenant {tenant} is left out: expected a state of {', '.join(TENANT_STATES)}, got {row['state']!r}"
                )
            else:
                tenants[tenant] = Tenant(tenant, shared.setdefault(cell, CellId(cell)), state, to_arrival(row))


def to_arrival(row: Row) -> Arrival | None:
    """From where a tenant came last, if it has moved."""
    if row["previous_cell"] is None or row["moved_at"] is None:
        return None
    return Arrival(CellId(row["previous_cell"]), row["moved_at"].timestamp())


def to_cell(row: Row, endpoints: Iterable[Endpoint]) -> Cell:
    """One cell; raises ValueError or its kin for a value that the model does not know."""
    labels = json.loads(row["labels"])
    if not all(isinstance(value, str) for value in labels.values()):
        raise ValueError(f"expected labels to be strings, got {row['labels']}")
    return Cell(
        id=CellId(row["id"]),
        state=CellState(row["state"]),
        tenancy=Tenancy(row["tenancy"]),
        tier=row["tier"],
        region=row["region"],
        labels=tuple(sorted(labels.items())),
        protocol=UpstreamProtocol(row["protocol"]),
        endpoints=tuple(sorted(endpoints)),
    )


def to_endpoint(row: Row) -> Endpoint:
    """One endpoint."""
    return Endpoint(address=row["address"], port=row["port"], zone=row["zone"], weight=row["weight"])
