"""Asking a real Envoy about a snapshot before, or after, it is published. Knows no SQL."""

from dataclasses import dataclass
from pathlib import Path

from xds.names import Version
from xds.operations.snapshots import Held, SnapshotStore, newest_number
from xds.publish.validating import Rejection, validate
from xds.snapshot import Content, ContentChange, Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What Envoy says: of what is held, or of the snapshot of this `number`.

    Not `is_whole` if so much is held that only the first of it is kept.
    """

    number: int | None
    digest: str
    is_whole: bool
    rejections: tuple[Rejection, ...]


async def check(store: SnapshotStore, envoy: Path, number: int | None = None) -> Checked:
    """Ask about a snapshot; without a number about what is held, or else about what is in force.

    Raises `NotFound`, and `LocalFailure` if this Envoy can't be asked.
    """
    held = await store.held() if number is None else None
    recorded = await store.content(number or await newest_number(store))
    content = recorded.content if held is None else _with_held(recorded.content, held)
    digest = recorded.entry.digest if held is None else held.digest
    return Checked(
        number=recorded.entry.number if held is None else None,
        digest=digest,
        is_whole=content.digest == digest,
        rejections=await validate(envoy, content),
    )


def _with_held(content: Content, held: Held) -> Content:
    upserts = {each.place: each for each in held.resources if each.version}
    return content.apply(
        ContentChange(
            upserts={place: Resource(place.name, Version(each.version), each.body) for place, each in upserts.items()},
            removed=frozenset(each.place for each in held.resources) - upserts.keys(),
        )
    )
