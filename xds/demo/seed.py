"""The demo's cells and tenants, and the SQL by which they come to be and move.

Plain SQL on purpose, as an operator would type it: the demo shows that the control plane follows what is
committed, whoever commits it.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from xds.demo.ports import LOOPBACK
from xds.errors import LocalFailure

CELLS = ("cell-shared-std-local", "cell-shared-std-eu", "cell-dedicated-ent-us")
"""The demo's cells: `cell-<tenancy>-<tier>-<region>`."""

_NAMES = (
    *("acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "wonka", "tyrell", "cyberdyne"),
    *("soylent", "oscorp", "aperture", "massive", "gringotts", "ollivander", "dunder", "prestige", "vandelay"),
    *("sterling", "monsters", "nakatomi", "weyland", "virtucon"),
)

MOVE = "UPDATE tenants SET cell_id = $2 WHERE id = $1"
_CELL = "INSERT INTO cells (id, state, tenancy, tier, region) VALUES ($1, 'active', $2, $3, $4)"
_ENDPOINT = "INSERT INTO endpoints (cell_id, address, port, zone) VALUES ($1, $2, $3, $4)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """When a COMMIT was sent and when its success came back, on the clock of `time.perf_counter`."""

    sent: float
    returned: float


def tenant_names(count: int) -> tuple[str, ...]:
    """The first `count` tenants: two dozen with a name, then numbers."""
    numbered = (f"tenant-{number:07}" for number in range(len(_NAMES) + 1, count + 1))
    return (*_NAMES[:count], *numbered)


def place(tenants: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    """Each tenant's cell: the last tenants get the dedicated cells, one each; the others take turns."""
    shared = [cell for cell in cells if not _is_dedicated(cell)] or list(cells)
    dedicated = [cell for cell in cells if _is_dedicated(cell)] if len(tenants) >= len(cells) else []
    placed = {tenant: shared[index % len(shared)] for index, tenant in enumerate(tenants)}
    return {**placed, **dict(zip(reversed(tenants), dedicated, strict=False))}


async def seed(dsn: str, ports: Mapping[str, int], placements: Mapping[str, str]) -> None:
    """Store cells, each with the one endpoint of its port, and tenants, in one transaction."""
    connection = await connect(dsn)
    try:
        async with connection.transaction():
            for cell, port in ports.items():
                tenancy, tier, region = _parts(cell)
                await connection.execute(_CELL, cell, tenancy, tier, region)
                await connection.execute(_ENDPOINT, cell, LOOPBACK, port, f"{region}-a")
            await connection.copy_records_to_table(
                "tenants", records=list(placements.items()), columns=["id", "cell_id"], timeout=120
            )
    except asyncpg.PostgresError as error:
        raise LocalFailure(f"PostgreSQL: the registry cannot be seeded: {error}") from error
    finally:
        await connection.close(timeout=10)


async def connect(dsn: str) -> asyncpg.Connection:
    """A connection as an operator would have one; raises `LocalFailure`."""
    try:
        return await asyncpg.connect(dsn, timeout=10)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise LocalFailure(f"PostgreSQL: no connection: {error}") from error


async def move(connection: asyncpg.Connection, tenant: str, cell: str) -> Commit:
    """Move `tenant` to `cell`, and say when that was committed; raises `LocalFailure` if it was not."""
    try:
        async with connection.transaction():
            moved = await connection.execute(MOVE, tenant, cell, timeout=10)
            sent = time.perf_counter()
        returned = time.perf_counter()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise LocalFailure(f"PostgreSQL: {tenant} was not moved to {cell}: {error}") from error
    if moved != "UPDATE 1":
        raise LocalFailure(f"PostgreSQL: {tenant} was not moved to {cell}: expected UPDATE 1, got {moved}")
    return Commit(sent=sent, returned=returned)


def _is_dedicated(cell: str) -> bool:
    return cell.startswith("cell-dedicated-")


def _parts(cell: str) -> tuple[str, str, str]:
    """Tenancy, tier and region of `cell-<tenancy>-<tier>-<region>`; defaults for another form."""
    parts = cell.split("-", 3)
    is_spelt_out = len(parts) == 4 and parts[1] in ("shared", "dedicated")
    return (parts[1], parts[2], parts[3]) if is_spelt_out else ("shared", "std", "local")
