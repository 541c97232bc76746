"""A running publisher, and waits that end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from tests.support.edge import GROUP, edge_options
from tests.unit.publish.memory import MemoryRegistry
from xds.publish import Feed, Keys
from xds.publish.publisher import Publisher
from xds.snapshot import Snapshot
from xds.telemetry import Metrics
from xds.translate import EdgeOptions

SECONDS = 5.0


@dataclass
class Publishing:
    """A publisher with what is around it."""

    registry: MemoryRegistry
    publisher: Publisher
    feed: Feed
    metrics: Metrics
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def published(self, number: int) -> Snapshot:
        """The snapshot of that number, once it is there."""
        async with asyncio.timeout(SECONDS):
            while (slot := self.feed.latest(GROUP)) is None or slot.snapshot.number < number:
                await self.woken.wait()
                self.woken.clear()
        assert slot.snapshot.number == number
        return slot.snapshot

    async def turns(self, count: int = 3) -> None:
        """Wake for nothing and wait for a read, so many times: a turn ends before the next one reads."""
        async with asyncio.timeout(SECONDS):
            for _ in range(count):
                self.registry.reached.clear()
                self.registry.wake()
                await self.registry.reached.wait()

    async def failed(self) -> str:
        """Why the latest publish failed, once it has."""
        await self.turns()
        assert self.publisher.status.error
        return self.publisher.status.error

    @property
    def latest(self) -> int:
        """The newest snapshot's number."""
        slot = self.feed.latest(GROUP)
        return slot.snapshot.number if slot else 0

    def metric(self, name: str, **labels: str) -> float:
        """A metric's value."""
        return self.metrics._registry.get_sample_value(f"alphaswarm_xds_{name}", labels) or 0.0


async def turn() -> None:
    """Let everyone else have a turn."""
    loop = asyncio.get_running_loop()
    over = loop.create_future()
    loop.call_soon(over.set_result, None)
    await over


@asynccontextmanager
async def run_beside(running: Coroutine[None, None, None], rest: Callable[[], object]) -> AsyncIterator[None]:
    """Run something that has tasks of its own, and end it once it rests and they have ended."""
    others = len(asyncio.all_tasks()) + 1
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        task = tasks.create_task(running)
        try:
            yield
        finally:
            rest()
            while len(asyncio.all_tasks()) > others:
                await turn()
            task.cancel()


Start = Callable[..., AbstractAsyncContextManager[Publishing]]


@pytest.fixture
def publishing() -> Start:
    """Runs a publisher over a registry for as long as the context."""

    @asynccontextmanager
    async def run(
        registry: MemoryRegistry,
        *,
        interval: float = 0.0,
        keys: Keys | None = None,
        options: EdgeOptions | None = None,
    ) -> AsyncIterator[Publishing]:
        feed, metrics = Feed(), Metrics()
        held = options or (edge_options(jwks="") if keys else edge_options())
        publisher = Publisher(registry, held, feed, metrics, interval=interval, keys=keys)
        running = Publishing(registry, publisher, feed, metrics)
        with feed.subscription(GROUP, running.woken.set):
            async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
                task = tasks.create_task(publisher.run())
                yield running
                task.cancel()

    return run
