"""A process that has nowhere to keep snapshots."""

import asyncio

import pytest

from xds.errors import NotFound
from xds.names import Revision
from xds.publish import Entry, Kind, Policy, Recorded, Unrecorded
from xds.snapshot import Content, ContentChange

EMPTY = Content(tables={})
ENTRY = Entry(number=1, revision=Revision(1), digest=EMPTY.digest, at=0.0, by="me", kind=Kind.FIRST, message="")


async def test_whoever_asks_may_publish_at_once_and_for_ever() -> None:
    async with Unrecorded().lead() as lead, Unrecorded().lead() as other:
        await lead.record(ENTRY, EMPTY, ContentChange())
        await other.record(ENTRY, EMPTY, ContentChange())
        await lead.note_candidate(None)
        await lead.note_policy(Policy())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(lead.lost(), 0.01)


async def test_nothing_is_kept_and_nobody_decides() -> None:
    history, base = Unrecorded(), Recorded(entry=ENTRY, content=EMPTY)

    assert await history.newest() is None
    assert await history.follow(base) is base
    assert await history.policy() == Policy()
    with pytest.raises(NotFound):
        await history.content(1)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(history.watch(lambda: pytest.fail("woken")), 0.01)
