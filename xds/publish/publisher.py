"""Wake, read the registry, translate, check, publish; for as long as the process runs.

A registry that cannot be read, or a snapshot that does not hold together, changes nothing: what is published
stays published, and so are keys that can't be had. Knows nothing about where wake-ups come from.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from xds.errors import ChangesPruned, InconsistentSnapshot, KeysError, RegistryError
from xds.model import CellState, Changes, Topology
from xds.names import CellId, TypeUrl
from xds.publish.feed import Feed
from xds.publish.graces import Graces
from xds.publish.pacer import Pacer
from xds.publish.source import Keys, NoKeys, Registry
from xds.snapshot import dangling
from xds.telemetry import Metrics, get_logger
from xds.telemetry.status import PublishStatus
from xds.translate import EdgeOptions, Translation, retranslate, translate, with_keys


class Publisher:
    """Turns the registry into snapshots and hands them to the feed."""

    def __init__(
        self,
        registry: Registry,
        options: EdgeOptions,
        feed: Feed,
        metrics: Metrics,
        *,
        interval: float,
        keys: Keys | None = None,
    ) -> None:
        self._registry = registry
        self._options = options
        self._keys = keys or NoKeys()
        self._feed = feed
        self._metrics = metrics
        self._pacer = Pacer(interval)
        self._graces = Graces(options)
        self._woken = asyncio.Event()
        self._translation: Translation | None = None
        self._published: Translation | None = None
        self._number = 0
        self._log = get_logger()
        self.status = PublishStatus()
        """What is published now."""

    @property
    def cells(self) -> tuple[tuple[CellId, CellState], ...]:
        """Every cell of the topology in force, and its state, sorted by id."""
        if self._translation is None:
            return ()
        return tuple(sorted((cell.id, cell.state) for cell in self._translation.topology.cells.values()))

    @property
    def published(self) -> Translation | None:
        """What is published now; None until there is something."""
        return self._published

    async def run(self) -> None:
        """Publish until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._registry.watch(self._woken.set))
            tasks.create_task(self._keys.watch(self._woken.set))
            while True:
                await self._waking()
                await asyncio.sleep(self._pacer.delay(time.monotonic()))
                self._woken.clear()
                self._pacer.started(time.monotonic())
                await self._turn()

    async def _waking(self) -> None:
        """Wait until something may have been committed, or a grace ends."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._graces.seconds_left(time.time())):
                await self._woken.wait()

    async def _turn(self) -> None:
        try:
            with self._metrics.publish_seconds.time():
                await self._end_graces()
                await self._advance()
        except (KeysError, RegistryError, InconsistentSnapshot) as error:
            if str(error) != self.status.error:
                self._log.error("publish.failed", error=str(error), revision=self.status.revision)
            self.status = replace(self.status, error=str(error))

    async def _end_graces(self) -> None:
        """Have tokens of old cells refused where their time is over, whether the registry answers or not."""
        now, before = time.time(), self._translation
        ended = self._graces.ended(now) if before is not None else ()
        if before is None or not ended:
            return
        topology = before.topology
        again = {tenant: topology.tenants[tenant] for tenant in ended if tenant in topology.tenants}
        after = retranslate(before, Changes(revision=topology.revision, tenants=again), now=now)
        self._translation = after
        await self._publish(after)

    async def _advance(self) -> None:
        before = await self._rekey()
        if before is None:
            auth = self._options.auth.with_keys(self._keys.jwks())
            topology = await self._registry.load()
            now = time.time()
            after = translate(topology, replace(self._options, auth=auth), now=now)
            self._graces.note(topology.tenants.values(), now)
        else:
            changes = await self._changes(before.topology)
            # A revision alone is news: a restored registry may be the same at a lower one, and is followed from there.
            is_news = bool(changes) or changes.revision != before.topology.revision
            if not is_news and before is self._published:
                self.status = replace(self.status, error="")
                return
            now = time.time()
            after = retranslate(before, changes, now=now)
            self._graces.note(changes.tenants.values(), now)
        self._translation = after
        await self._publish(after)

    async def _rekey(self) -> Translation | None:
        """Publish keys that have changed before the registry is read: they must not wait for one that is down."""
        before = self._translation
        if before is not None:
            self._translation = with_keys(before, self._keys.jwks())
            if self._translation is not before:
                await self._publish(self._translation)
        return self._translation

    async def _changes(self, topology: Topology) -> Changes:
        try:
            return await self._registry.changes_since(topology.revision)
        except ChangesPruned:
            self._log.warning("registry.reloaded", revision=topology.revision)
            return topology.changes_to(await self._registry.load())

    async def _publish(self, after: Translation) -> None:
        number = self._number + 1
        snapshots = after.snapshots(number)
        for snapshot in snapshots.values():
            faults = dangling(snapshot)
            if faults:
                type_url, ref = faults[0]
                raise InconsistentSnapshot(
                    f"revision {snapshot.revision}: {TypeUrl(type_url).label} names {ref.name!r} of"
                    f" {TypeUrl(ref.type_url).label}, which is not there ({len(faults)} such); not published"
                )
        self._number = number
        await self._feed.publish(snapshots)
        before, self._published = self._published, after
        self._note(before, after)

    def _note(self, before: Translation | None, after: Translation) -> None:
        topology = after.topology
        counted = Counter(cell.state for cell in topology.cells.values())
        listeners = next(iter(after.listeners.values()))
        tables = {**after.shared, TypeUrl.LISTENER: listeners}
        problems = after.problems
        self.status = PublishStatus(
            revision=topology.revision,
            snapshot=self._number,
            published_at=time.time(),
            cells={state.value: counted[state] for state in CellState},
            tenants=len(topology.tenants),
            resources={TypeUrl(type_url).label: len(table) for type_url, table in tables.items()},
            problems=tuple(str(problem) for problem in problems),
        )
        changed = sum(
            len(table if base is None else table.changed_since(base) or table)
            for type_url, table in after.shared.items()
            for base in [before.shared[type_url] if before else None]
            if table is not base
        )
        self._measure(changed, tables)
        self._log.info(
            "snapshot.published", snapshot=self._number, revision=topology.revision, resources_changed=changed
        )
        if problems != (before.problems if before else ()):
            for problem in problems:
                self._log.error("translation.left_out", kind=problem.kind, id=problem.id, problem=problem.text)

    def _measure(self, changed: int, tables: Iterable[str]) -> None:
        metrics, status = self._metrics, self.status
        metrics.publishes.inc()
        metrics.publish_changes.observe(changed)
        metrics.snapshot.set(status.snapshot)
        metrics.registry_revision.set(status.revision)
        metrics.tenants.set(status.tenants)
        metrics.problems.set(len(status.problems))
        metrics.set_cells(status.cells)
        metrics.set_resources({TypeUrl(type_url): status.resources[TypeUrl(type_url).label] for type_url in tables})
