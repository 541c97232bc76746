"""What can be asked about rollouts of the publisher's settings."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from xds.control.operation import Parts
from xds.control.paging import from_cursor, page_of
from xds.control.preconditions import etag_of_rollout, expecting_rollout
from xds.control.shapes import LARGEST_NUMBER, Answer, Change, Cursor, Etag, Limit, Next, Request, Text, to_time
from xds.operations import rollouts as operations
from xds.operations.snapshots import Word
from xds.publish.rollout import Rollout, RolloutState
from xds.publish.waves import Waves

_WEEK = 7 * 24 * 3600.0

SoakSeconds = Annotated[float, Field(ge=0, le=_WEEK, strict=True, allow_inf_nan=False)]


class RolloutView(Answer):
    """A rollout: `wave` counts from 0, and `settled_at` is when all of its nodes had acknowledged."""

    id: int
    state: RolloutState
    waves: list[str]
    wave: int
    wave_since: datetime
    settled_at: datetime | None = None
    soak_seconds: float
    nodes: list[str]
    reason: str
    by: str
    message: str
    ended_at: datetime | None = None
    etag: str


class RolloutPage(Answer):
    """Rollouts, the newest first."""

    data: list[RolloutView]
    next: Next = None


class ListRollouts(Request):
    """The newest ones."""

    limit: Limit = 20
    cursor: Cursor = None


class StartRollout(Change):
    """Start the one that is pending, or stopped; what is left out is as the publisher planned it."""

    waves: Annotated[Text, Field(min_length=1)] | None = None
    soak_seconds: SoakSeconds | None = None
    etag: Etag


class AbortRollout(Change):
    """Stop the one that is running or pending."""

    etag: Etag


async def list_rollouts(parts: Parts, request: ListRollouts, _by: str) -> RolloutPage:
    """A page of rollouts."""
    after = from_cursor(request.cursor, (0,))
    before = None if after is None else max(0, min(int(after[0]), LARGEST_NUMBER))
    found = await parts.rollouts.rollouts(request.limit + 1, before)
    page, following = page_of(found, request.limit, key=lambda rollout: (rollout.id,))
    return RolloutPage(data=[view_of(each) for each in page], next=following)


async def start_rollout(parts: Parts, request: StartRollout, by: str) -> RolloutView:
    """Start the rollout that is pending, or once more the one that was stopped."""
    waves = Waves(request.waves) if request.waves is not None else None
    word = Word(by=by, message=request.message)
    store = expecting_rollout(parts.rollouts, request.etag)
    return view_of(await operations.start(store, word, waves=waves, soak_seconds=request.soak_seconds))


async def abort_rollout(parts: Parts, request: AbortRollout, by: str) -> RolloutView:
    """Stop the rollout."""
    store = expecting_rollout(parts.rollouts, request.etag)
    return view_of(await operations.abort(store, Word(by=by, message=request.message)))


def view_of(rollout: Rollout) -> RolloutView:
    """A rollout, as it is shown."""
    return RolloutView(
        id=rollout.id,
        state=rollout.state,
        waves=list(rollout.waves.names),
        wave=rollout.wave,
        wave_since=to_time(rollout.wave_since),
        settled_at=None if rollout.settled_at is None else to_time(rollout.settled_at),
        soak_seconds=rollout.soak_seconds,
        nodes=sorted(rollout.nodes),
        reason=rollout.reason,
        by=rollout.by,
        message=rollout.message,
        ended_at=None if rollout.ended_at is None else to_time(rollout.ended_at),
        etag=etag_of_rollout(rollout),
    )
