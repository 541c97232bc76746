"""What can be asked about the snapshots that were published."""

from datetime import datetime
from typing import Annotated, cast

from pydantic import Field, JsonValue

from xds.control.operation import Parts
from xds.control.paging import cut, from_cursor, page_of
from xds.control.shapes import LARGEST_NUMBER, Answer, Cursor, Limit, Next, Number, Request, Text, to_time
from xds.names import TypeUrl
from xds.operations import snapshots as operations
from xds.operations.snapshots import Difference, ShownResource
from xds.publish.history import Entry, Kind

ResourceType = Annotated[str, Field(json_schema_extra={"enum": [type_url.label for type_url in TypeUrl]})]
_PLACE = ("", "", "")


class SnapshotView(Answer):
    """What is known of a snapshot beside its content; `counts` are of cells, tenants and endpoints."""

    number: int
    at: datetime
    by: str
    kind: Kind
    message: str
    revision: int
    digest: str
    counts: dict[str, int]
    changed: int
    gone: int


class SnapshotPage(Answer):
    """Snapshots, the newest first."""

    data: list[SnapshotView]
    next: Next = None


class ListSnapshots(Request):
    """The newest ones."""

    limit: Limit = 20
    cursor: Cursor = None


class GetSnapshot(Request):
    """One snapshot."""

    number: Number


class ListResources(Request):
    """A snapshot's resources, of a type and name where given, with their content if that is asked for."""

    number: Number
    type: ResourceType | None = None
    name: Text | None = None
    content: bool = False
    limit: Limit = 100
    cursor: Cursor = None


class ResourceView(Answer):
    """A resource; `bytes` is how many it has on the wire."""

    group: str
    type: str
    name: str
    version: str
    bytes: int
    content: JsonValue = None


class ResourcePage(Answer):
    """Resources, by node group, type and name."""

    data: list[ResourceView]
    next: Next = None


class DiffSnapshots(Request):
    """What differs between two snapshots, in either order; with both contents if that is asked for."""

    older: Number
    newer: Number
    content: bool = False
    limit: Limit = 100
    cursor: Cursor = None


class DifferenceView(Answer):
    """What becomes of a resource: + it comes, - it goes, ~ it is another; `before` and `after` are versions."""

    sign: str
    group: str
    type: str
    name: str
    before: str | None = None
    after: str | None = None
    before_content: JsonValue = None
    after_content: JsonValue = None


class DifferencePage(Answer):
    """Differences, by node group, type and name."""

    data: list[DifferenceView]
    next: Next = None


async def list_snapshots(parts: Parts, request: ListSnapshots, _by: str) -> SnapshotPage:
    """A page of snapshots."""
    before = from_cursor(request.cursor, (0,))
    # What is above it is no snapshot's number; nor is what is below one.
    oldest = None if before is None else max(1, min(int(before[0]), LARGEST_NUMBER))
    entries = await parts.snapshots.entries(oldest, request.limit + 1)
    page, following = page_of(entries, request.limit, key=lambda entry: (entry.number,))
    return SnapshotPage(data=[view_of(entry) for entry in page], next=following)


async def get_snapshot(parts: Parts, request: GetSnapshot, _by: str) -> SnapshotView:
    """What is known of a snapshot."""
    return view_of(await parts.snapshots.entry(request.number))


async def list_resources(parts: Parts, request: ListResources, _by: str) -> ResourcePage:
    """A page of a snapshot's resources."""
    shown = await operations.show(parts.snapshots, request.number, kind=request.type, name=request.name)
    page, following = cut(
        shown.resources, request.limit, request.cursor, key=lambda each: tuple(each.place), like=_PLACE
    )
    return ResourcePage(data=[_resource(each, with_content=request.content) for each in page], next=following)


async def diff_snapshots(parts: Parts, request: DiffSnapshots, _by: str) -> DifferencePage:
    """A page of what differs."""
    found = await operations.compare(parts.snapshots, request.older, request.newer)
    page, following = cut(found, request.limit, request.cursor, key=lambda each: tuple(each.place), like=_PLACE)
    return DifferencePage(data=[difference(each, with_content=request.content) for each in page], next=following)


def view_of(entry: Entry) -> SnapshotView:
    """What is known of a snapshot, as it is shown."""
    return SnapshotView(
        number=entry.number,
        at=to_time(entry.at),
        by=entry.by,
        kind=entry.kind,
        message=entry.message,
        revision=entry.revision,
        digest=entry.digest,
        counts=dict(entry.counts),
        changed=entry.upserts,
        gone=entry.removed,
    )


def _resource(each: ShownResource, *, with_content: bool) -> ResourceView:
    place, resource = each.place, each.resource
    return ResourceView(
        group=place.group,
        type=place.kind,
        name=place.name,
        version=resource.version,
        bytes=len(resource.body),
        content=cast(JsonValue, operations.readable(place, resource.body)) if with_content else None,
    )


def difference(each: Difference, *, with_content: bool) -> DifferenceView:
    """What becomes of a resource, as it is shown."""
    sides = (("before_content", each.before), ("after_content", each.after)) if with_content else ()
    contents = {name: operations.readable(each.place, side.body) for name, side in sides if side is not None}
    return DifferenceView(
        sign=each.sign,
        group=each.place.group,
        type=each.place.kind,
        name=each.place.name,
        before=each.before.version if each.before else None,
        after=each.after.version if each.after else None,
        **cast(dict[str, JsonValue], contents),
    )
