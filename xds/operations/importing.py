"""Imports tenants from CSV: checks every line first, then writes all of them in one transaction, or none.

Knows no file: it is given lines of text.
"""

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from xds.errors import RequestError
from xds.model import Cell, Tenant, TenantState, is_tenant_id
from xds.names import CellId, TenantId
from xds.operations.auditing import UNNAMED, Author
from xds.operations.placing import within_capacity
from xds.operations.store import Placement, Transactions
from xds.operations.tenants import TENANT_ID_EXPECTED, refuse_under_way

HEADERS = (["tenant", "cell"], ["tenant", "cell", "state"])
BATCH = 10_000
FAULTS_SHOWN = 20

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What an import did: how many tenants are new, changed, and were so already."""

    added: int
    changed: int
    unchanged: int


class BadImport(RequestError):
    """A CSV file has lines that cannot be imported; nothing was written. `faults` has a line for each shown."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(slots=True)
class _Rows:
    placements: dict[TenantId, Placement] = field(default_factory=dict)
    lines: dict[TenantId, int] = field(default_factory=dict)
    faults: list[tuple[int, str]] = field(default_factory=list)


def _no_progress(_done: int, _total: int) -> None:
    pass


async def import_tenants(
    store: Transactions, lines: Iterable[str], progress: Progress = _no_progress, *, by: Author = UNNAMED
) -> Import:
    """Add or move the tenants that CSV `lines` name; `progress` is told how many of how many are written.

    The columns are tenant, cell and, if wished, state; an empty state keeps the tenant's own. Raises
    `BadImport` with every bad line.
    """
    rows = _read(lines)
    # Sorted: two imports at once lock their tenants in the same order.
    placements = [rows.placements[tenant] for tenant in sorted(rows.placements)]
    added = changed = 0
    async with store.transaction(by, "tenants import") as transaction:
        cells = await transaction.cells(sorted({placement.cell for placement in placements}), to_change=True)
        unsettled = [p.tenant for p in placements if p.cell in cells and not cells[p.cell].state.takes_tenants]
        held = await transaction.tenants(unsettled) if unsettled else {}
        rows.faults.extend(_misplaced(rows, cells, held))
        if rows.faults:
            raise BadImport(shown(rows.faults))
        async with within_capacity(transaction, cells.keys()):
            for start in range(0, len(placements), BATCH):
                batch = placements[start : start + BATCH]
                await refuse_under_way(transaction, [placement.tenant for placement in batch])
                put = await transaction.put_tenants(batch)
                added, changed = added + put.added, changed + put.changed
                progress(start + len(batch), len(placements))
    return Import(added=added, changed=changed, unchanged=len(placements) - added - changed)


def _read(lines: Iterable[str]) -> _Rows:
    reader = csv.reader(lines, strict=True)
    rows = _Rows()
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if header not in HEADERS:
            expected = "'tenant,cell' or 'tenant,cell,state'"
            raise BadImport((f"line 1: expected the header {expected}, got {','.join(header)!r}",))
        for row in reader:
            if row:
                _read_row(rows, reader.line_num, [value.strip() for value in row], len(header))
    except csv.Error as error:
        # What follows cannot be told apart into rows any more.
        rows.faults.append((reader.line_num, f"expected CSV, got something else: {error}"))
    return rows


def _read_row(rows: _Rows, line: int, row: list[str], columns: int) -> None:
    if len(row) != columns:
        rows.faults.append((line, f"expected {columns} columns, got {len(row)}"))
        return
    tenant, cell, state = TenantId(row[0]), CellId(row[1]), row[2] if columns == 3 else ""
    if not is_tenant_id(tenant):
        rows.faults.append((line, f"tenant: expected {TENANT_ID_EXPECTED}, got {tenant!r}"))
    elif tenant in rows.lines:
        rows.faults.append((line, f"tenant: expected each once, got {tenant!r} as on line {rows.lines[tenant]}"))
    elif state and state not in set(TenantState):
        rows.faults.append((line, f"state: expected {' or '.join(TenantState)} or nothing, got {state!r}"))
    else:
        rows.lines[tenant] = line
        rows.placements[tenant] = Placement(tenant, cell, TenantState(state) if state else None)


def _misplaced(rows: _Rows, cells: Mapping[CellId, Cell], held: Mapping[TenantId, Tenant]) -> Iterator[tuple[int, str]]:
    for tenant, placement in rows.placements.items():
        cell = cells.get(placement.cell)
        if cell is None:
            yield rows.lines[tenant], f"cell: expected one that exists, got {placement.cell!r}"
        elif not cell.state.takes_tenants and (tenant not in held or held[tenant].cell != cell.id):
            yield rows.lines[tenant], f"cell: expected an active one, got {cell.id!r}, which is {cell.state}"


def shown(faults: list[tuple[int, str]]) -> tuple[str, ...]:
    """The faults as lines, the first of them if there are many."""
    shown = [f"line {line}: {fault}" for line, fault in sorted(faults)[:FAULTS_SHOWN]]
    if len(faults) > FAULTS_SHOWN:
        shown.append(f"and {len(faults) - FAULTS_SHOWN} more bad lines")
    return tuple(shown)
