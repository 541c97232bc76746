"""Asking a real Envoy about a snapshot before, or after, it is published. Knows no SQL."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from xds.errors import Conflict, LocalFailure
from xds.operations.snapshots import Difference, SnapshotStore, newest_number
from xds.publish.rejection import Checked
from xds.publish.validating import validate
from xds.snapshot import Content, ContentChange


async def check(store: SnapshotStore, envoy: Path, number: int | None = None) -> Checked:
    """Ask about a snapshot; without a number about what is held, or else about what is in force.

    Raises `NotFound`, `Conflict` if what is held has just become something else, and `LocalFailure` if this Envoy
    can't be asked.
    """
    held = await store.held(limit=None) if number is None else None
    recorded = await store.content(number or await newest_number(store))
    entry = recorded.entry
    if held is None:
        rejections = await validate(envoy, recorded.content)
        return Checked(number=entry.number, digest=entry.digest, rejections=rejections)
    content = await asyncio.to_thread(_with_held, recorded.content, held.differences)
    if content.digest != held.digest:
        raise Conflict("snapshots: what is held has just become something else: check it again")
    rejections = await validate(envoy, content)
    return Checked(number=None, digest=held.digest, rejections=rejections)


@dataclass(frozen=True, slots=True)
class Checker:
    """A server's Envoy, which is asked one thing at a time; None: it has none."""

    store: SnapshotStore
    envoy: Path | None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def check(self, number: int | None = None) -> Checked:
        """Ask as `check` does; raises `Conflict` if there is nobody to ask."""
        if self.envoy is None:
            raise Conflict("snapshots: this server has no Envoy to ask: set its ENVOY_BINARY")
        try:
            async with self._turn:
                return await check(self.store, self.envoy, number)
        except LocalFailure as error:
            raise Conflict(f"snapshots: this server's Envoy can't be asked: {error}") from error


def _with_held(content: Content, differences: Iterable[Difference]) -> Content:
    after = {each.place: each.after for each in differences}
    changed = content.apply(
        ContentChange(
            upserts={place: resource for place, resource in after.items() if resource is not None},
            removed=frozenset(place for place, resource in after.items() if resource is None),
        )
    )
    assert changed.digest, "worked out here, in a thread"
    return changed
