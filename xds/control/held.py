"""What can be asked about what is held: every resource that differs, and whether a real Envoy would take it."""

from xds.control.operation import Parts
from xds.control.paging import from_cursor, page_of
from xds.control.shapes import Answer, BodyNumber, Cursor, Limit, Next, Request
from xds.control.snapshots import DifferenceView, difference
from xds.errors import RequestError
from xds.names import TypeUrl
from xds.publish.rejection import Checked
from xds.snapshot import place_of

_KINDS = frozenset(type_url.label for type_url in TypeUrl)


class ListHeld(Request):
    """What differs between what is in force and what is held; with both contents if that is asked for."""

    content: bool = False
    limit: Limit = 100
    cursor: Cursor = None


class HeldPage(Answer):
    """Differences, by node group, type and name; the `digest` is that of all that is held. Empty if nothing is."""

    digest: str | None = None
    data: list[DifferenceView]
    next: Next = None


class CheckSnapshot(Request):
    """A snapshot; without `number` what is held, or else what is in force."""

    number: BodyNumber | None = None


class RejectionView(Answer):
    """A resource that Envoy rejects, in its words, and the registry's row that it comes from, if any."""

    group: str
    type: str
    name: str
    row: str
    error: str


class CheckedView(Answer):
    """What Envoy says: of the snapshot of this number, or of what is held, by its digest."""

    number: int | None = None
    digest: str
    accepted: bool
    rejections: list[RejectionView]


async def list_held(parts: Parts, request: ListHeld, _by: str) -> HeldPage:
    """A page of what is held."""
    after = from_cursor(request.cursor, ("", "", ""))
    if after is not None and after[1] not in _KINDS:
        raise RequestError("cursor: expected `next` of a page before")
    place = None if after is None else place_of(*map(str, after))
    held = await parts.snapshots.held(request.limit + 1, place)
    if held is None:
        return HeldPage(data=[])
    page, following = page_of(
        held.differences,
        request.limit,
        key=lambda each: (each.place.group, each.place.kind, each.place.name),
    )
    data = [difference(each, with_content=request.content) for each in page]
    return HeldPage(digest=held.digest, data=data, next=following)


async def check_snapshot(parts: Parts, request: CheckSnapshot, _by: str) -> CheckedView:
    """Have this server's Envoy validate it."""
    return checked_view(await parts.check(request.number))


def checked_view(checked: Checked) -> CheckedView:
    """What Envoy says, as it is shown."""
    return CheckedView(
        number=checked.number,
        digest=checked.digest,
        accepted=not checked.rejections,
        rejections=[
            RejectionView(group=each.group, type=each.kind, name=each.name, row=each.row, error=each.text)
            for each in checked.rejections
        ],
    )
