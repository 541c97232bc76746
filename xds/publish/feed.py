"""The newest snapshot of each node group, for whoever waits for it.

Between publisher and stream there is one slot, never a queue: a slow reader skips to the newest. Knows nothing
about streams but that they can be woken.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from xds.names import NodeGroup
from xds.snapshot import Snapshot

_SLICE = 50
"""Streams woken before the event loop gets a turn, so that a push to thousands doesn't stop all else."""


@dataclass(frozen=True, slots=True)
class Slot:
    """A snapshot and when it was published, in seconds of the loop's clock."""

    snapshot: Snapshot
    published_at: float


class Feed:
    """Holds the newest snapshots and wakes the subscribers of those that change."""

    def __init__(self) -> None:
        self._slots: dict[NodeGroup, Slot] = {}
        self._wakes: dict[NodeGroup, dict[object, Callable[[], None]]] = {}
        self.published = asyncio.Event()
        """Set once there is a snapshot."""

    def latest(self, group: NodeGroup) -> Slot | None:
        """The newest snapshot of a group; None if there is none, or no such group."""
        return self._slots.get(group)

    @property
    def groups(self) -> tuple[NodeGroup, ...]:
        """The node groups that have a snapshot; empty until the first publish."""
        return tuple(self._slots)

    async def publish(self, snapshots: Mapping[NodeGroup, Snapshot]) -> None:
        """Exchange the snapshots, all at once, then wake the subscribers, slice by slice."""
        now = asyncio.get_running_loop().time()
        self._slots = {group: Slot(snapshot, now) for group, snapshot in snapshots.items()}
        self.published.set()
        wakes = [wake for group in snapshots for wake in self._wakes.get(group, {}).values()]
        for count, wake in enumerate(wakes, start=1):
            wake()
            if count % _SLICE == 0:
                await asyncio.sleep(0)

    def remind(self, group: NodeGroup) -> None:
        """Wake the subscribers of a group though nothing was published."""
        for wake in self._wakes.get(group, {}).values():
            wake()

    @contextmanager
    def subscription(self, group: NodeGroup, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake` at each publish, until the context ends."""
        key = object()
        self._wakes.setdefault(group, {})[key] = wake
        try:
            yield
        finally:
            del self._wakes[group][key]
