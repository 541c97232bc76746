"""What can be followed: the fleet, what is published, and the newest rollout.

Looks some times a second, and says what differs: what changes often is told of as it is then, and who reads slowly
skips what was in between.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

from xds.control import fleet, rollouts
from xds.control.fleet import NodeView
from xds.control.operation import Parts
from xds.control.rollouts import RolloutView
from xds.control.shapes import Answer
from xds.control.snapshots import SnapshotView, view_of
from xds.errors import NotFound, RegistryError
from xds.names import NodeId
from xds.operations.fleet import FleetNode

LOOK_SECONDS = 0.25
"""How often memory is looked at."""

ASK_SECONDS = 1.0
"""How often the database is asked."""


class FleetChange(Answer):
    """The nodes that are new or otherwise than before, and those that have left; see `NodePage` for `complete`."""

    changed: list[NodeView]
    gone: list[NodeView]
    complete: bool


class SnapshotEvent(Answer):
    """A snapshot that is now in force, and how publishing stands."""

    snapshot: SnapshotView | None = None
    mode: str
    held: str


async def watch_fleet(
    parts: Parts, is_over: Callable[[], bool], *, seconds: float = ASK_SECONDS
) -> AsyncIterator[FleetChange]:
    """First every node that is connected, be there any or not, then changes, until it is over."""
    known: dict[tuple[NodeId, str], FleetNode] | None = None
    was_complete = True
    while not is_over():
        seen, is_complete = await fleet.look(parts)
        now = {(node.id, node.replica): node for node in seen.nodes if node.gone_at is None}
        before = known or {}
        changed = [node for key, node in now.items() if before.get(key) != node]
        gone = [node for key, node in before.items() if key not in now]
        if known is None or changed or gone or is_complete != was_complete:
            at = time.time()
            views = ([fleet.view_of(node, at) for node in nodes] for nodes in (changed, gone))
            yield FleetChange(changed=next(views), gone=next(views), complete=is_complete)
        known, was_complete = now, is_complete
        await asyncio.sleep(seconds)


async def watch_snapshots(
    parts: Parts, is_over: Callable[[], bool], *, seconds: float = LOOK_SECONDS
) -> AsyncIterator[SnapshotEvent]:
    """First what is in force, then changes, until it is over.

    What this replica serves: a snapshot that came and went between two looks is not told of.
    """
    told: tuple[int, str, str] | None = None
    while not is_over():
        publish = parts.status().publish
        now = (publish.snapshot, publish.mode, publish.held)
        if now != told:
            is_news = publish.snapshot > 0 and (told is None or told[0] != publish.snapshot)
            view = await _recorded(parts, publish.snapshot) if is_news else None
            yield SnapshotEvent(snapshot=view, mode=publish.mode, held=publish.held)
            told = now
        await asyncio.sleep(seconds)


async def watch_rollout(
    parts: Parts, is_over: Callable[[], bool], *, seconds: float = ASK_SECONDS
) -> AsyncIterator[RolloutView]:
    """The newest rollout, if there is one, as it is and then as it changes, until it is over."""
    told: RolloutView | None = None
    while not is_over():
        try:
            found = await parts.rollouts.rollout()
        except RegistryError:
            found = None  # as long as the database is down nothing changes
        view = None if found is None else rollouts.view_of(found)
        if view is not None and view != told:
            yield view
            told = view
        await asyncio.sleep(seconds)


async def _recorded(parts: Parts, number: int) -> SnapshotView | None:
    """What is known of a snapshot; None where it can't be had."""
    try:
        return view_of(await parts.snapshots.entry(number))
    except (RegistryError, NotFound):
        return None
