"""A replica's control loop on a real database: publishing or following, with what it serves at hand."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from tests.support.edge import GROUP, JWKS, edge_options
from tests.unit.publish.memory import MemoryKeys
from xds.names import TypeUrl
from xds.operations.emergency import record_displacements
from xds.publish import Feed, Guard, Shelf
from xds.publish.emergency import Emergency
from xds.publish.publisher import Publisher
from xds.publish.recording import Recording
from xds.publish.rolling import RolloutPlan
from xds.registry import PostgresRegistry
from xds.snapshot import Snapshot
from xds.telemetry import Metrics
from xds.telemetry.status import PublishStatus
from xds.translate import EdgeOptions

SECONDS = 15.0


@dataclass
class Replica:
    """One process's control loop, and what is around it."""

    registry: PostgresRegistry
    publisher: Publisher
    feed: Feed
    keys: MemoryKeys
    metrics: Metrics
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def status(self) -> PublishStatus:
        """What it says of itself."""
        return self.publisher.status

    def metric(self, name: str, **labels: str) -> float | None:
        """What a scrape of it would find."""
        return self.metrics._registry.get_sample_value(f"alphaswarm_xds_{name}", labels)

    @property
    def snapshot(self) -> Snapshot:
        """What it serves."""
        slot = self.feed.latest(GROUP)
        assert slot is not None, "nothing is served"
        return slot.snapshot

    @property
    def tenants(self) -> set[str]:
        """Who is served."""
        return {name for name in self.snapshot.table(TypeUrl.SCOPE) if not name.startswith("-")}

    def bodies(self) -> Mapping[tuple[str, str], bytes]:
        """Every byte that is served, by type and name."""
        tables = {type_url.label: self.snapshot.table(type_url) for type_url in TypeUrl}
        return {(label, each.name): each.body for label, table in tables.items() for each in table.values()}

    async def until(self, holds: Callable[[], bool], what: str = "", *, seconds: float = SECONDS) -> None:
        """Wait until something holds."""
        try:
            async with asyncio.timeout(seconds):
                while not holds():  # noqa: ASYNC110 -- much of it has no event
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"not within {seconds} s: {what or holds}; {self.status}") from None

    async def serves(self, number: int, *tenants: str) -> Snapshot:
        """Wait until it serves that snapshot and no later one, of these tenants if any are named."""
        await self.until(lambda: self.status.snapshot >= number, f"snapshot {number}")
        assert self.snapshot.number == number
        if tenants:
            assert self.tenants == set(tenants)
        return self.snapshot


@asynccontextmanager
async def replica(
    url: str,
    *,
    name: str = "replica-1",
    guard: Guard | None = None,
    shelf: Shelf | None = None,
    keys: MemoryKeys | None = None,
    options: EdgeOptions | None = None,
    moves: Path | None = None,
    plan: RolloutPlan | None = None,
    poll_seconds: float = 600.0,
    timeout: float = 10.0,
) -> AsyncIterator[Replica]:
    """Run a replica for as long as the context; its poll is too slow to help any test."""
    feed, known, metrics = Feed(), keys or MemoryKeys(JWKS), Metrics()
    async with PostgresRegistry.open(url, timeout=timeout, poll_seconds=poll_seconds) as registry:
        publisher = Publisher(
            registry,
            options or edge_options(jwks=""),
            feed,
            metrics,
            interval=0.01,
            keys=known,
            recording=Recording(
                history=registry.snapshots,
                shelf=shelf,
                guard=guard or Guard(),
                plan=plan or RolloutPlan(),
                emergency=Emergency(moves),
                settle=lambda displaced: record_displacements(registry, displaced),
                replica=name,
            ),
        )
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(publisher.run())
            try:
                yield Replica(registry, publisher, feed, known, metrics)
            finally:
                running.cancel()


async def seeded(sql: asyncpg.Connection, *tenants: str, cells: tuple[str, ...] = ("cell-a", "cell-b")) -> None:
    """Have these cells, each with an endpoint, and these tenants in the first of them."""
    async with sql.transaction():
        for number, cell in enumerate(cells, start=1):
            await sql.execute("INSERT INTO cells (id, state) VALUES ($1, 'active')", cell)
            await sql.execute(
                "INSERT INTO endpoints (cell_id, address, port) VALUES ($1, $2, 80)", cell, f"10.0.0.{number}"
            )
        await sql.executemany(
            "INSERT INTO tenants (id, cell_id) VALUES ($1, $2)", [(each, cells[0]) for each in tenants]
        )
