"""What an operator can do with snapshots: list, show, compare, publish what is held, roll back, pin, freeze, resume.

A decision is written down; the process that publishes acts on it. Knows no SQL.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from xds.errors import Conflict, NotFound, RequestError
from xds.names import Revision, TypeUrl
from xds.publish.history import Entry, Recorded
from xds.publish.policy import Mode, Policy
from xds.snapshot import ContentChange, Place, Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What becomes of one resource between two snapshots; None where it is not there."""

    place: Place
    before: Resource | None
    after: Resource | None

    @property
    def sign(self) -> str:
        """One character: `+` comes, `-` goes, `~` is another."""
        if self.before is None:
            return "+"
        return "-" if self.after is None else "~"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What would be published if it were not held, and as many of the resources that differ as were asked for."""

    digest: str
    revision: Revision
    reason: str
    counts: Mapping[str, int]
    upserts: int
    removed: int
    at: float
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownResource:
    """A resource and its place."""

    place: Place
    resource: Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A snapshot, and those of its resources that were asked for, by place."""

    entry: Entry
    resources: tuple[ShownResource, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What operators had decided before, and have now."""

    was: Policy
    now: Policy

    @property
    def is_change(self) -> bool:
        """Whether anything was written."""
        return self.was != self.now


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """Who decides, and why."""

    by: str
    message: str = ""


class SnapshotStore(Protocol):
    """Where snapshots are kept. Everything raises `RegistryUnavailable` when it cannot be reached."""

    async def entries(self, before: int | None, limit: int) -> Sequence[Entry]:
        """What is known of the newest snapshots older than `before`, the newest first."""
        ...

    async def entry(self, number: int) -> Entry:
        """What is known of a snapshot; raises `NotFound`."""
        ...

    async def content(self, number: int) -> Recorded:
        """A snapshot as it was; raises `NotFound`."""
        ...

    async def resources(
        self, number: int, kind: str | None, name: str | None
    ) -> tuple[Entry, Sequence[tuple[Place, Resource]]]:
        """A snapshot's resources of a type's label and a name, None: of any; raises `NotFound`."""
        ...

    async def change(self, older: int, newer: int) -> tuple[ContentChange, ContentChange]:
        """What leads from one snapshot to a newer one, and what leads back; raises `NotFound`."""
        ...

    async def held(self, limit: int | None = 0, after: Place | None = None) -> Held | None:
        """What is held, if anything is; with the resources that differ, by place, from `after` on, None: all."""
        ...

    async def policy(self) -> Policy:
        """What operators have decided."""
        ...

    async def decide(self, was: Policy, now: Policy) -> None:
        """Have `now` be what operators have decided; raises `Conflict` if `was` no longer is."""
        ...

    async def is_acted_on(self) -> bool:
        """Whether the publisher has acted on the latest decision."""
        ...


async def newest_number(store: SnapshotStore) -> int:
    """The snapshot in force; raises `NotFound` before the first."""
    entries = await store.entries(None, 1)
    if not entries:
        raise NotFound("snapshots: nothing was published yet")
    return entries[0].number


async def show(store: SnapshotStore, number: int, *, kind: str | None = None, name: str | None = None) -> Shown:
    """A snapshot's resources of a type (cds, eds …) and name, where given; raises `NotFound`."""
    kinds = [type_url.label for type_url in TypeUrl]
    if kind is not None and kind not in kinds:
        raise RequestError(f"type: expected one of {', '.join(kinds)}, got {kind!r}")
    entry, held = await store.resources(number, kind, name)
    wanted = (ShownResource(place=place, resource=resource) for place, resource in held)
    return Shown(entry=entry, resources=tuple(sorted(wanted, key=lambda each: each.place)))


def readable(place: Place, body: bytes) -> object:
    """A resource's content as Envoy's JSON."""
    # Here and not above: the translation's package takes a second to import, and most commands need none of it.
    from xds.translate.reading import to_json  # noqa: PLC0415

    return to_json(TypeUrl(place.type_url), body)


async def compare(store: SnapshotStore, older: int, newer: int) -> tuple[Difference, ...]:
    """What differs between two snapshots, in either order, by place."""
    if older > newer:
        return tuple(replace(each, before=each.after, after=each.before) for each in await compare(store, newer, older))
    there, back = await store.change(older, newer)
    places = sorted(there.places | back.places)
    differences = (
        Difference(place=place, before=back.upserts.get(place), after=there.upserts.get(place)) for place in places
    )
    return tuple(each for each in differences if not _is_same(each))


def _is_same(difference: Difference) -> bool:
    before, after = difference.before, difference.after
    return before is not None and after is not None and before.version == after.version


async def publish_held(store: SnapshotStore, word: Word, *, digest: str = "") -> Decided:
    """Have what is held published, whatever it is held by; raises `Conflict` if nothing is, or it is not `digest`."""
    held = await store.held()
    was = await store.policy()
    if held is None:
        raise Conflict("snapshots: nothing is held: all that the registry says is published")
    if digest and held.digest != digest:
        raise Conflict(f"snapshots: what is held is {held.digest}, not {digest}: look at it again")
    if was.is_frozen or was.pinned is not None:
        raise Conflict(f"snapshots: {was.stop}: resume first")
    return await _decide(store, was, replace(was, approved=held.digest), word)


async def roll_back(store: SnapshotStore, number: int, word: Word) -> Decided:
    """Have a snapshot of before served again, and nothing else until `resume`; raises `NotFound`."""
    await store.entry(number)
    was = await store.policy()
    return await _decide(store, was, replace(was, pinned=number, approved=""), word)


async def pin(store: SnapshotStore, word: Word) -> Decided:
    """Have the snapshot in force stay so until `resume`."""
    return await roll_back(store, await newest_number(store), word)


async def freeze(store: SnapshotStore, word: Word) -> Decided:
    """Have nothing published until `resume`."""
    was = await store.policy()
    return await _decide(store, was, replace(was, is_frozen=True, approved=""), word)


async def resume(store: SnapshotStore, word: Word) -> Decided:
    """Undo `roll_back`, `pin` and `freeze`: what was held is published, unless the guard or the mode says otherwise."""
    was = await store.policy()
    return await _decide(store, was, replace(was, is_frozen=False, pinned=None, approved=""), word)


async def set_mode(store: SnapshotStore, mode: Mode, word: Word) -> Decided:
    """Have changes published as they come, or by an operator."""
    was = await store.policy()
    return await _decide(store, was, replace(was, mode=mode, approved=""), word)


async def _decide(store: SnapshotStore, was: Policy, now: Policy, word: Word) -> Decided:
    if not word.by:
        raise RequestError("snapshots: who decides must be said, got nothing")
    if now == was:
        return Decided(was=was, now=was)
    now = replace(now, by=word.by, message=word.message, at=round(time.time(), 6))  # as exact as a database's
    await store.decide(was, now)
    return Decided(was=was, now=now)
