"""What the publisher needs of whoever keeps the snapshots, and what is kept of one.

Owned here, by its consumer; `xds.registry` fulfils it, and `Unrecorded` for a process that has nowhere to keep them.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from xds.errors import NotFound
from xds.names import Revision
from xds.publish.fleetview import FleetNode
from xds.publish.policy import Policy
from xds.publish.rollout import Rollout
from xds.snapshot import Content, ContentChange


class Kind(StrEnum):
    """Why a snapshot was made.

    `first`: there was none; `change`: the registry or keys changed; `structure`: the edge's settings did; `operator`:
    one published what was held; `rollback`: one put an older snapshot back.
    """

    FIRST = "first"
    CHANGE = "change"
    STRUCTURE = "structure"
    OPERATOR = "operator"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is known of a snapshot beside its content.

    `at` is in seconds since the epoch; `counts` has how many cells, tenants and endpoints there were; `upserts` and
    `removed` how many resources differ from the snapshot before.
    """

    number: int
    revision: Revision
    digest: str
    at: float
    by: str
    kind: Kind
    message: str
    counts: Mapping[str, int] = field(default_factory=dict)
    upserts: int = 0
    removed: int = 0
    structure: str = ""
    """The edge's options in JSON, without keys: what it was made from beside the registry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A snapshot that was published."""

    entry: Entry
    content: Content


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What would be published if it were not held, and why it is.

    `change` is what differs from the snapshot in force.
    """

    digest: str
    revision: Revision
    reason: str
    change: ContentChange
    counts: Mapping[str, int]


class Lead(Protocol):
    """The right to publish, of one process at a time."""

    async def record(self, entry: Entry, content: Content, change: ContentChange, *, again: bool = False) -> None:
        """Make a snapshot the one in force, whole or not at all.

        Raises `Conflict` if its number is not the next one (or, of a database that it is
        written to `again`, not greater than all others), and `RegistryUnavailable` if the right is lost.
        """
        ...

    async def note_candidate(self, candidate: Candidate | None) -> None:
        """Have operators see what is held; None: nothing is."""
        ...

    async def note_policy(self, policy: Policy) -> None:
        """Have operators see that this decision was acted on; what it approved of is approved no longer."""
        ...

    async def propose(self, rollout: Rollout) -> None:
        """Write down a rollout: as it is if its structure is new or it is stopped, else for an operator to start."""
        ...

    async def advance_rollout(self, was: Rollout, now: Rollout, by: str) -> None:
        """Have the rollout go on or end, by the publisher of that name; raises `Conflict` if an operator was faster."""
        ...

    async def lost(self) -> None:
        """Wait until the right is lost."""
        ...


class History(Protocol):
    """The snapshots that were published. Everything raises `RegistryUnavailable` when it cannot be reached."""

    def lead(self) -> AbstractAsyncContextManager[Lead]:
        """The right to publish, as soon as nobody else has it."""
        ...

    async def newest(self) -> Recorded | None:
        """The snapshot in force; None before the first."""
        ...

    async def follow(self, base: Recorded) -> Recorded | None:
        """The snapshot in force, made of `base` and what was published since; `base` itself if nothing was.

        None before the first: `base` is of another history then.
        """
        ...

    async def content(self, number: int) -> Recorded:
        """A snapshot as it was; raises `NotFound` if it is not kept."""
        ...

    async def policy(self) -> Policy:
        """What operators have decided."""
        ...

    async def rollout(self) -> Rollout | None:
        """The newest rollout."""
        ...

    async def nodes(self) -> Sequence[FleetNode]:
        """The nodes that are, or lately were, connected to any replica."""
        ...

    async def watch(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever another snapshot or policy may be in force; runs until cancelled."""
        ...


class Unrecorded:
    """No history: whoever asks may publish, and nothing is kept."""

    @asynccontextmanager
    async def lead(self) -> AsyncIterator["Unrecorded"]:
        """The right to publish, at once."""
        yield self

    async def record(self, entry: Entry, content: Content, change: ContentChange, *, again: bool = False) -> None:
        """Nothing is kept."""

    async def note_candidate(self, candidate: Candidate | None) -> None:
        """Nobody sees it."""

    async def note_policy(self, policy: Policy) -> None:
        """Nobody sees it."""

    async def propose(self, rollout: Rollout) -> None:
        """There is nobody to roll out to in waves."""

    async def advance_rollout(self, was: Rollout, now: Rollout, by: str) -> None:
        """There is none."""

    async def lost(self) -> None:
        """It never is."""
        await asyncio.Event().wait()

    async def newest(self) -> Recorded | None:
        """None."""
        return None

    async def follow(self, base: Recorded) -> Recorded:
        """Nobody else publishes."""
        return base

    async def content(self, number: int) -> Recorded:
        """None is kept."""
        raise NotFound(f"snapshot {number}: not kept")

    async def policy(self) -> Policy:
        """As it is by default."""
        return Policy()

    async def rollout(self) -> Rollout | None:
        """None."""
        return None

    async def nodes(self) -> Sequence[FleetNode]:
        """None that is known of."""
        return ()

    async def watch(self, wake: Callable[[], None]) -> None:  # noqa: ARG002 -- the protocol's
        """Never calls `wake`."""
        await asyncio.Event().wait()
