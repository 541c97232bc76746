"""What this process serves: the newest recorded snapshot, or for a while more than that.

Keeps it on disk too. Decides nothing about what is to be served.
"""

import asyncio

from xds.errors import InconsistentSnapshot
from xds.names import TypeUrl
from xds.publish.deciding import Draft
from xds.publish.feed import Feed
from xds.publish.history import Recorded
from xds.publish.rollout import Rollout
from xds.publish.shelf import Shelf
from xds.snapshot import SHARED, Content, dangling
from xds.telemetry import get_logger

_SHELF_SECONDS = 1.0
"""The least time between two writes to the disk: in between, a newer snapshot takes the place of one that waits."""


class Serving:
    """Hands snapshots to the feed."""

    def __init__(self, feed: Feed, shelf: Shelf | None) -> None:
        self._feed = feed
        self._shelf = shelf
        self._ahead: Content | None = None
        self._is_due = asyncio.Event()
        self._log = get_logger()
        self.recorded: Recorded | None = None
        """The newest snapshot that is known to be recorded; None before the first."""

    @property
    def content(self) -> Content:
        """What is served now; only once there is something."""
        assert self.recorded is not None, "asked only once there is something"
        return self._ahead if self._ahead is not None else self.recorded.content

    @property
    def is_ahead(self) -> bool:
        """Whether something is served that is not recorded."""
        return self._ahead is not None

    async def start(self) -> None:
        """Serve what is on disk, if there is anything, until the registry says what is in force."""
        if self._shelf is None:
            return
        recorded = await asyncio.to_thread(self._shelf.load)
        if recorded is not None:
            self._log.info("snapshot.from_disk", snapshot=recorded.entry.number, revision=recorded.entry.revision)
            await self._serve(recorded)

    async def serve(self, recorded: Recorded) -> None:
        """Serve a recorded snapshot, and keep it."""
        await self._serve(recorded)
        self._is_due.set()

    async def _serve(self, recorded: Recorded) -> None:
        self.recorded, self._ahead = recorded, None
        await self._feed.publish(recorded.content.snapshots(recorded.entry.number, recorded.entry.revision))

    async def steer(self, rollout: Rollout | None) -> None:
        """Have this rollout decide which structure a node is served."""
        await self._feed.steer(rollout)

    async def serve_ahead(self, content: Content) -> None:
        """Serve this, though it is not recorded, unless it is what is served."""
        assert self.recorded is not None, "something is served before anything is served ahead of it"
        served = self.recorded.content if self._ahead is None else self._ahead
        if not content.changed_since(served):
            return
        self._ahead = content
        entry = self.recorded.entry
        await self._feed.publish(content.snapshots(entry.number, entry.revision))
        self._log.warning("snapshot.ahead", snapshot=entry.number, text="is served, and can't be recorded now")

    def check(self, draft: Draft) -> None:
        """Raise `InconsistentSnapshot` if a draft names what it does not hold."""
        for snapshot in draft.content.snapshots(0, draft.revision).values():
            faults = dangling(snapshot)
            if faults:
                type_url, ref = faults[0]
                raise InconsistentSnapshot(
                    f"revision {draft.revision}: {TypeUrl(type_url).label} names {ref.name!r} of"
                    f" {TypeUrl(ref.type_url).label}, which is not there ({len(faults)} such); not published"
                )

    def counts(self) -> dict[str, int]:
        """How many resources an Envoy is served, by label; of its listeners, those of the first node group."""
        assert self.recorded is not None, "asked only once there is something"
        content = self.recorded.content
        tables = dict(content.tables.get(SHARED, {}))
        groups = [group for group in content.groups if group not in content.apart]
        tables |= content.tables[groups[0]] if groups else {}
        return {type_url.label: len(tables.get(type_url, ())) for type_url in TypeUrl}

    async def keep(self) -> None:
        """Keep on disk what is served, until cancelled."""
        while True:
            await self._is_due.wait()
            self._is_due.clear()
            if self._shelf is not None and self.recorded is not None:
                try:
                    await asyncio.to_thread(self._shelf.save, self.recorded)
                except OSError as error:
                    self._log.error("snapshot.not_kept", error=str(error))
                await asyncio.sleep(_SHELF_SECONDS)
