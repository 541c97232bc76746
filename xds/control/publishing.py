"""What can be asked about publishing: what operators have decided, what is held, and their next word."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated

from pydantic import Field

from xds.control.operation import Parts
from xds.control.preconditions import etag_of_policy, expecting_policy
from xds.control.shapes import Answer, BodyNumber, Change, Etag, Request, Text, to_time
from xds.errors import Conflict
from xds.operations import snapshots as operations
from xds.operations.snapshots import Decided, SnapshotStore, Word
from xds.publish.policy import Mode, Policy
from xds.publish.rejection import refusal


class PolicyView(Answer):
    """What operators have decided; `by`, `message` and `at` are of the latest decision."""

    mode: Mode
    frozen: bool
    pinned: int | None = None
    by: str
    message: str
    at: datetime


class HeldView(Answer):
    """What would be published if it were not held, and why it is."""

    digest: str
    revision: int
    reason: str
    counts: dict[str, int]
    changed: int
    gone: int
    at: datetime


class PublishingView(Answer):
    """How it stands: `snapshot` is the newest, and `acted` whether the publisher has acted on the latest decision."""

    policy: PolicyView
    held: HeldView | None = None
    snapshot: int | None = None
    acted: bool
    etag: str


class DecisionView(Answer):
    """What operators have decided now; a publisher acts on it as soon as it sees it."""

    changed: bool
    policy: PolicyView
    etag: str


class GetPublishing(Request):
    """How publishing stands."""


class Decide(Change):
    """A decision."""

    etag: Etag


class Publish(Decide):
    """Publish what is held, if that is what `digest` says.

    If this server has an Envoy at hand it is asked first, and nothing is published that it rejects; unless `check` is
    false.
    """

    digest: Text
    check: Annotated[bool, Field(strict=True)] = True


class Rollback(Decide):
    """Serve a snapshot of before."""

    number: BodyNumber


class SetMode(Decide):
    """Publish changes as they come, or by an operator's word."""

    mode: Mode


async def get_publishing(parts: Parts, _request: GetPublishing, _by: str) -> PublishingView:
    """How publishing stands."""
    store = parts.snapshots
    policy, held, acted = await store.policy(), await store.held(), await store.is_acted_on()
    newest = await store.entries(None, 1)
    return PublishingView(
        policy=_policy(policy),
        held=None
        if held is None
        else HeldView(
            digest=held.digest,
            revision=held.revision,
            reason=held.reason,
            counts=dict(held.counts),
            changed=held.upserts,
            gone=held.removed,
            at=to_time(held.at),
        ),
        snapshot=newest[0].number if newest else None,
        acted=acted,
        etag=etag_of_policy(policy),
    )


async def publish(parts: Parts, request: Publish, by: str) -> DecisionView:
    """Have what is held published, if an Envoy takes it."""
    held = await parts.snapshots.held() if request.check and parts.has_envoy else None
    if held is not None and held.digest == request.digest:
        checked = await parts.check(None)
        if checked.number is None and (rejected := refusal(checked)):
            raise Conflict(f"snapshots: {rejected}; with check=false it is published all the same")
    return await _decide(
        parts, request, lambda store: operations.publish_held(store, _word(request, by), digest=request.digest)
    )


async def rollback(parts: Parts, request: Rollback, by: str) -> DecisionView:
    """Have a snapshot of before served."""
    return await _decide(parts, request, lambda store: operations.roll_back(store, request.number, _word(request, by)))


async def pin(parts: Parts, request: Decide, by: str) -> DecisionView:
    """Have the snapshot in force stay so."""
    return await _decide(parts, request, lambda store: operations.pin(store, _word(request, by)))


async def freeze(parts: Parts, request: Decide, by: str) -> DecisionView:
    """Have nothing published."""
    return await _decide(parts, request, lambda store: operations.freeze(store, _word(request, by)))


async def resume(parts: Parts, request: Decide, by: str) -> DecisionView:
    """Undo rollback, pin and freeze."""
    return await _decide(parts, request, lambda store: operations.resume(store, _word(request, by)))


async def set_mode(parts: Parts, request: SetMode, by: str) -> DecisionView:
    """Have changes published as they come, or by an operator."""
    return await _decide(parts, request, lambda store: operations.set_mode(store, request.mode, _word(request, by)))


async def _decide(parts: Parts, request: Decide, decide: Callable[[SnapshotStore], Awaitable[Decided]]) -> DecisionView:
    decided = await decide(expecting_policy(parts.snapshots, request.etag))
    return DecisionView(changed=decided.is_change, policy=_policy(decided.now), etag=etag_of_policy(decided.now))


def _word(request: Decide, by: str) -> Word:
    return Word(by=by, message=request.message)


def _policy(policy: Policy) -> PolicyView:
    return PolicyView(
        mode=policy.mode,
        frozen=policy.is_frozen,
        pinned=policy.pinned,
        by=policy.by,
        message=policy.message,
        at=to_time(policy.at),
    )
