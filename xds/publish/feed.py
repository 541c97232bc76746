"""The newest snapshot of each node group, for whoever waits for it.

Between publisher and stream there is one slot, never a queue: a slow reader skips to the newest. Knows nothing
about streams but that they can be woken.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from xds.names import NodeGroup
from xds.publish.fleetview import LANE
from xds.publish.lanes import lane_of
from xds.publish.rollout import Rollout
from xds.publish.waves import Chosen
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
        self._rollout: Rollout | None = None
        self.published = asyncio.Event()
        """Set once there is a snapshot."""

    def latest(self, group: NodeGroup) -> Slot | None:
        """The newest snapshot of a group; None if there is none, or no such group."""
        return None if LANE in group else self._slots.get(group)

    def slot(self, node: Chosen) -> Slot | None:
        """The newest snapshot for a node: of its group, or of the structure that is being rolled out to it."""
        stable = self.latest(NodeGroup(node.group))
        return self._slots.get(lane_of(node, self._rollout), stable) if stable is not None else None

    @property
    def groups(self) -> tuple[NodeGroup, ...]:
        """The node groups that have a snapshot; empty until the first publish."""
        return tuple(group for group in self._slots if LANE not in group)

    async def steer(self, rollout: Rollout | None) -> None:
        """Have this rollout decide which structure a node is served, and wake the subscribers if that may be news."""
        if rollout != self._rollout:
            self._rollout = rollout
            await self._wake(self.groups)

    async def publish(self, snapshots: Mapping[NodeGroup, Snapshot]) -> None:
        """Exchange the snapshots, all at once, then wake the subscribers, slice by slice."""
        now = asyncio.get_running_loop().time()
        self._slots = {group: Slot(snapshot, now) for group, snapshot in snapshots.items()}
        self.published.set()
        await self._wake(self.groups)

    async def _wake(self, groups: Iterable[NodeGroup]) -> None:
        wakes = [wake for group in groups for wake in self._wakes.get(group, {}).values()]
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
