"""What an operator can do with rollouts of structure: look, start, abort.

A decision is written down; the process that publishes acts on it. Knows no SQL.
"""

import math
import time
from collections.abc import Sequence
from typing import Protocol

from xds.errors import Conflict, NotFound, RequestError
from xds.operations.snapshots import Word
from xds.publish.policy import Policy
from xds.publish.rollout import Rollout, RolloutState
from xds.publish.waves import Waves


class RolloutStore(Protocol):
    """Where rollouts are kept. Everything raises `RegistryUnavailable` when it cannot be reached."""

    async def rollout(self) -> Rollout | None:
        """The newest one."""
        ...

    async def rollouts(self, limit: int, before: int | None = None) -> Sequence[Rollout]:
        """The newest ones, or those before the one with the id `before`, the newest first."""
        ...

    async def exchange_rollout(self, was: Rollout, now: Rollout, word: Word) -> None:
        """Have `now` stand where `was` stood, on that word; raises `Conflict` if that no longer stands there."""
        ...

    async def policy(self) -> Policy:
        """What operators have decided about publishing."""
        ...


async def start(
    store: RolloutStore, word: Word, *, waves: Waves | None = None, soak_seconds: float | None = None
) -> Rollout:
    """Start the rollout that is pending, or once more the one that was stopped; raises `NotFound` and `Conflict`."""
    was = await store.rollout()
    if was is None or was.state is RolloutState.DONE:
        raise NotFound(
            "rollout: there is nothing to roll out: every node has the structure of the publisher's settings"
        )
    if was.state is RolloutState.RUNNING:
        raise Conflict(f"rollout {was.id}: is running already")
    stop = (await store.policy()).stop
    if stop:
        raise Conflict(f"rollout {was.id}: publishing is held ({stop}): nothing is rolled out until 'snapshot resume'")
    if soak_seconds is not None and not 0 <= soak_seconds < math.inf:
        raise RequestError(f"rollout: expected to soak for 0 seconds or more, got {soak_seconds}")
    now = was.planned(waves or was.waves, was.soak_seconds if soak_seconds is None else soak_seconds)
    now = now.started(time.time(), by=word.by, message=word.message)
    await store.exchange_rollout(was, now, word)
    return now


async def abort(store: RolloutStore, word: Word) -> Rollout:
    """Stop the rollout that is running: every node goes back to what it had; raises `NotFound`."""
    was = await store.rollout()
    if was is None or was.state not in (RolloutState.RUNNING, RolloutState.PENDING):
        raise NotFound("rollout: none is running")
    now = was.stopped(f"aborted by {word.by}" + (f": {word.message}" if word.message else ""))
    await store.exchange_rollout(was, now, word)
    return now
