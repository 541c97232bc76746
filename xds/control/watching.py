"""What can be followed: the fleet, and what is published.

Looks at what is in memory some times a second, and says what differs: a node that changes often is told of as it is
then, and who reads slowly skips what was in between.
"""

import asyncio
from collections.abc import AsyncIterator, Callable

from xds.control.fleet import NodeView, key_of, views_of
from xds.control.operation import Parts
from xds.control.shapes import Answer
from xds.control.snapshots import SnapshotView, view_of
from xds.errors import NotFound, RegistryError

LOOK_SECONDS = 0.25


class FleetChange(Answer):
    """The streams that are new or otherwise than before, and those that have ended."""

    changed: list[NodeView]
    gone: list[NodeView]


class SnapshotEvent(Answer):
    """A snapshot that is now in force, and how publishing stands."""

    snapshot: SnapshotView | None = None
    mode: str
    held: str


async def watch_fleet(
    parts: Parts, is_over: Callable[[], bool], *, seconds: float = LOOK_SECONDS
) -> AsyncIterator[FleetChange]:
    """First every stream, be there any or not, then changes, until it is over."""
    known: dict[tuple[str, float, str], NodeView] | None = None
    while not is_over():
        now = {key_of(node): node for node in views_of(parts.status().nodes)}
        before = known or {}
        changed = [node for key, node in now.items() if before.get(key) != node]
        gone = [node for key, node in before.items() if key not in now]
        if known is None or changed or gone:
            yield FleetChange(changed=changed, gone=gone)
        known = now
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


async def _recorded(parts: Parts, number: int) -> SnapshotView | None:
    """What is known of a snapshot; None where it can't be had."""
    try:
        return view_of(await parts.snapshots.entry(number))
    except (RegistryError, NotFound):
        return None
