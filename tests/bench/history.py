"""A long history of snapshots in a real PostgreSQL: `python -m tests.bench.history`.

Records as many snapshots of a few moves each, then times what operators and replicas ask of them, and how the tables
grow.
"""

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeVar

import asyncpg
from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.support.edge import JWKS, cell, edge_options, endpoint, tenant
from tests.support.publishing import replica
from xds import telemetry
from xds.demo.postgres import Postgres
from xds.model import Changes, Topology
from xds.names import CellId, Revision, TenantId
from xds.operations import snapshots as operations
from xds.operations.snapshots import Decided, Word
from xds.publish import Entry, Kind, Recorded
from xds.publish.deciding import counts_of
from xds.publish.structure import structure_of
from xds.registry import PostgresRegistry
from xds.registry.migrating import migrate
from xds.snapshot import Content
from xds.translate import Translation, retranslate, translate

T = TypeVar("T")

CELLS = 100
_PATIENCE = 600.0
OPTIONS = edge_options(jwks=JWKS)
WORD = Word(by="bench", message="measured")
_SIZE = "SELECT count(*), pg_total_relation_size('snapshot_resources') FROM snapshot_resources"


def cell_id(number: int) -> CellId:
    """One of the cells."""
    return CellId(f"cell-shared-std-{number % CELLS:03}")


def first_topology(tenants: int) -> Topology:
    """All tenants, spread over the cells."""
    cells = {
        cell_id(number): cell(cell_id(number), endpoints=(endpoint(f"10.0.{number}.1:8000"),))
        for number in range(CELLS)
    }
    names = (f"tenant-{number:07}" for number in range(tenants))
    return Topology(
        revision=Revision(1),
        cells=cells,
        tenants={TenantId(name): tenant(name, cell_id(number)) for number, name in enumerate(names)},
    )


def moved(before: Translation, turn: int, moves: int) -> Translation:
    """The next one, in which a few tenants live elsewhere."""
    names = list(before.topology.tenants)
    chosen = [names[(turn * moves + each) * 7919 % len(names)] for each in range(moves)]
    gone = {name: tenant(name, cell_id(turn + int(name[-7:]) + 1)) for name in chosen}
    return retranslate(before, Changes(revision=Revision(before.topology.revision + 1), tenants=gone))


class Volume(NamedTuple):
    """How much is stored."""

    rows: int
    size: int


async def volume(dsn: str) -> Volume:
    """What the table of resources and its indexes take."""
    connection = await asyncpg.connect(dsn)
    try:
        rows: Any = await connection.fetch(_SIZE)
        return Volume(*rows[0])
    finally:
        await connection.close()


async def record(
    registry: PostgresRegistry, dsn: str, count: int, tenants: int, moves: int
) -> tuple[Translation, list[float], tuple[Volume, Volume]]:
    """Record the history.

    Gives the newest translation, the seconds that each snapshot but the first took, and what was stored after the
    first one and is at the end.
    """
    first = Volume(0, 0)
    of, before, seconds = translate(first_topology(tenants), OPTIONS), Content(tables={}), []
    async with registry.snapshots.lead() as lead:
        for number in track(range(1, count + 1), "recording snapshots", console=Console(stderr=True)):
            content = of.content
            change = content.changed_since(before)
            entry = Entry(
                number=number,
                revision=of.topology.revision,
                digest=content.digest,
                at=time.time(),
                by="bench",
                kind=Kind.CHANGE,
                message="",
                counts=counts_of(of.topology),
                upserts=len(change.upserts),
                removed=len(change.removed),
                structure=structure_of(OPTIONS),
            )
            begun = time.perf_counter()
            await lead.record(entry, content, change)
            seconds.append(time.perf_counter() - begun)
            first = await volume(dsn) if number == 1 else first
            before = content
            of = moved(of, number, moves) if number < count else of
    return of, seconds[1:], (first, await volume(dsn))


async def fill_registry(dsn: str, of: Topology) -> None:
    """Have the registry say what the newest snapshot does."""
    connection = await asyncpg.connect(dsn)
    try:
        async with connection.transaction():
            for each in of.cells.values():
                await connection.execute("INSERT INTO cells (id, state) VALUES ($1, 'active')", each.id)
                (at,) = each.endpoints
                values = (each.id, at.address, at.port)
                await connection.execute("INSERT INTO endpoints (cell_id, address, port) VALUES ($1, $2, $3)", *values)
            rows = [(each.id, each.cell) for each in of.tenants.values()]
            await connection.copy_records_to_table("tenants", records=rows, columns=["id", "cell_id"], timeout=300)
    finally:
        await connection.close()


async def timed(name: str, asked: Callable[[], Awaitable[T]], figures: dict[str, float]) -> T:
    """Ask three times; the median of the milliseconds becomes a figure."""
    seconds, answers = [], []
    for _ in range(3):
        begun = time.perf_counter()
        answers = [await asked()]
        seconds.append(time.perf_counter() - begun)
    figures[name] = round(statistics.median(seconds) * 1000, 1)
    return answers[0]


async def ask(registry: PostgresRegistry, count: int, figures: dict[str, float]) -> None:
    """What operators and replicas ask."""
    store = registry.snapshots

    async def followed(base: Recorded) -> None:
        after = await store.follow(base)
        assert after is not None
        assert after.entry.number == count

    name = f"tenant-{0:07}"
    await timed("list, 20 newest", lambda: store.entries(None, 20), figures)
    await timed("show the oldest, one resource", lambda: operations.show(store, 1, name=name), figures)
    await timed("show the newest, whole", lambda: operations.show(store, count), figures)
    await timed("diff of the two newest", lambda: operations.compare(store, count - 1, count), figures)
    await timed("diff of oldest and newest", lambda: operations.compare(store, 1, count), figures)
    newest = await timed("cold start of a replica: read what is in force", store.newest, figures)
    assert newest is not None
    base = await store.content(count - 1)
    await timed("follow, one snapshot behind", lambda: followed(base), figures)
    oldest = await timed("read the oldest, whole", lambda: store.content(1), figures)
    await timed(f"follow, {count - 1} snapshots behind", lambda: followed(oldest), figures)


async def roll_back(dsn: str, count: int, figures: dict[str, float]) -> None:
    """An operator's word, to two replicas that serve it: the oldest snapshot, and back."""
    begun = time.perf_counter()
    async with replica(dsn, name="one", poll_seconds=5, timeout=300) as one:
        await one.until(lambda: one.status.leads and one.status.snapshot == count, seconds=_PATIENCE)
        figures["cold start of the publisher: until it leads"] = round((time.perf_counter() - begun) * 1000, 1)
        async with replica(dsn, name="two", poll_seconds=5, timeout=300) as two:
            await two.until(
                lambda: two.status.snapshot == count and two.publisher.published is not None, seconds=_PATIENCE
            )
            store = one.registry.snapshots
            decisions: dict[str, Callable[[], Awaitable[Decided]]] = {
                "roll back to the oldest": lambda: operations.roll_back(store, 1, WORD),
                "resume": lambda: operations.resume(store, WORD),
            }
            for what, decision in decisions.items():
                number, begun = one.status.snapshot + 1, time.perf_counter()
                await decision()
                await one.until(lambda number=number: one.snapshot.number == number, seconds=_PATIENCE)  # type: ignore[misc]
                figures[f"{what}: until the publisher serves it"] = round((time.perf_counter() - begun) * 1000, 1)
                await two.until(lambda number=number: two.snapshot.number == number, seconds=_PATIENCE)  # type: ignore[misc]
                figures[f"{what}: until a replica serves it"] = round((time.perf_counter() - begun) * 1000, 1)


async def measure(tenants: int, snapshots: int, moves: int) -> Mapping[str, float]:
    """All figures: milliseconds, unless they say otherwise."""
    figures: dict[str, float] = {}
    with TemporaryDirectory(prefix="axds-bench-") as folder:
        async with Postgres(logs=Path(folder)) as postgres:
            await asyncio.to_thread(migrate, postgres.dsn)
            async with PostgresRegistry.open(postgres.dsn, timeout=300) as registry:
                of, seconds, (first, last) = await record(registry, postgres.dsn, snapshots, tenants, moves)
                slowest = sorted(seconds)[int(len(seconds) * 0.99) - 1]
                figures |= {
                    "record a snapshot, p50": round(statistics.median(seconds) * 1000, 1),
                    "record a snapshot, p99": round(slowest * 1000, 1),
                    "resources of one snapshot (number)": len(of.content),
                    "rows in all (number)": last.rows,
                    "table and indexes (bytes)": last.size,
                    "rows that a snapshot adds (number)": round((last.rows - first.rows) / (snapshots - 1), 2),
                    "what a snapshot adds (bytes)": round((last.size - first.size) / (snapshots - 1)),
                }
                await fill_registry(postgres.dsn, of.topology)
                await ask(registry, snapshots, figures)
            await roll_back(postgres.dsn, snapshots, figures)
    return figures


def main() -> None:
    """Read the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=100_000)
    parser.add_argument("--snapshots", type=int, default=1_000)
    parser.add_argument("--moves", type=int, default=10, help="tenants that move from one snapshot to the next")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    telemetry.configure("error", "console")
    figures = asyncio.run(measure(arguments.tenants, arguments.snapshots, arguments.moves))
    if arguments.json:
        print(json.dumps({"tenants": arguments.tenants, "snapshots": arguments.snapshots, "figures": dict(figures)}))
        return
    title = f"{arguments.tenants} tenants, {arguments.snapshots} snapshots of {arguments.moves} moves each"
    table = Table("", "ms, unless it says otherwise", title=title, box=None)
    for name, figure in figures.items():
        table.add_row(name, f"{figure:,}")
    Console().print(table)


if __name__ == "__main__":
    main()
