"""Lists of moves as people write them, CSV or JSON: every fault is told before anything is moved.

Pure: knows no file and no registry.
"""

import csv
import json
from collections.abc import Iterator
from io import StringIO

from xds.errors import RequestError
from xds.names import CellId, TenantId
from xds.operations.importing import BadImport, shown

EXPECTED = 'expected CSV with the header \'tenant,cell\', or JSON: [{"tenant": …, "cell": …}, …] or {tenant: cell, …}'


def read_moves(text: str) -> dict[TenantId, CellId]:
    """Each tenant and its cell; raises `BadImport` with every bad line."""
    entries = list(_json(text) if text.lstrip()[:1] in ("[", "{") else _csv(text))
    cells: dict[TenantId, CellId] = {}
    faults: list[tuple[int, str]] = []
    for number, tenant, cell in entries:
        if not (tenant and cell):
            faults.append((number, f"expected a tenant and a cell, got {tenant!r} and {cell!r}"))
        elif tenant in cells:
            faults.append((number, f"tenant: expected each once, got {tenant!r} again"))
        else:
            cells[TenantId(tenant)] = CellId(cell)
    if faults:
        raise BadImport(shown(faults))
    if not cells:
        raise RequestError(f"no moves: {EXPECTED}")
    return cells


def _csv(text: str) -> Iterator[tuple[int, str, str]]:
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if header != ["tenant", "cell"]:
            raise RequestError(f"line 1: {EXPECTED}, got {','.join(header)[:80]!r}")
        for row in reader:
            if row:
                tenant, cell = (value.strip() for value in row) if len(row) == 2 else ("", ",".join(row))
                yield reader.line_num, tenant, cell
    except csv.Error as error:
        raise RequestError(f"line {reader.line_num}: {EXPECTED}: {error}") from None


def _json(text: str) -> Iterator[tuple[int, str, str]]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise RequestError(f"{EXPECTED}: {error}") from None
    if isinstance(value, dict) and isinstance(value.get("data"), list):
        value = value["data"]  # as `--json` prints lists
    pairs = value.items() if isinstance(value, dict) else map(_pair, value)
    for number, (tenant, cell) in enumerate(pairs, start=1):
        is_text = isinstance(tenant, str) and isinstance(cell, str)
        yield number, tenant if is_text else "", cell if is_text else str(cell)


def _pair(entry: object) -> tuple[object, object]:
    return (entry.get("tenant"), entry.get("cell")) if isinstance(entry, dict) else (None, entry)
