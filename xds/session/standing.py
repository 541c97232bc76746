"""How one type stands with a client, by resource: what was sent last, what was acknowledged, what is owed.

A view to be looked at, for people. Changes nothing, and no decision of a session depends on it.
"""

from dataclasses import dataclass
from enum import Enum, auto

from xds.names import ResourceName, Version
from xds.session.typestate import TypeState
from xds.snapshot import Resource, ResourceTable


class Progress(Enum):
    """How far the newest content of a resource has come."""

    NOT_SENT = auto()
    SENT = auto()
    ACKED = auto()
    NACKED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceStanding:
    """One resource. `sent` and `acked` are versions, None for nothing or a removal.

    `content` is what `sent` is the version of; None if that is not known here (the client brought it along).
    """

    name: ResourceName
    progress: Progress
    sent: Version | None
    acked: Version | None
    content: Resource | None


class Standing:
    """How one type stands; reads the session's state at each call, so it may be kept and asked in steps."""

    __slots__ = ("_state",)

    def __init__(self, state: TypeState) -> None:
        self._state = state

    @property
    def has_nack(self) -> bool:
        """Whether the client rejected something that would be sent unchanged."""
        return bool(self._state.rejected)

    @property
    def is_current(self) -> bool:
        """Whether the client holds, by its own word, all that it asked for."""
        return self._state.is_current

    @property
    def table(self) -> ResourceTable:
        """What the client is to hold, as far as it asks for it."""
        return self._state.target

    @property
    def is_complete(self) -> bool:
        """Whether the client holds, by its own word, all of the table."""
        return self._state.is_current and self._state.subscription.covers_all(self._state.target)

    def names(self) -> list[ResourceName]:
        """Every name that the client asks for and that exists, or is asked for by name, or is still held; sorted."""
        state = self._state
        asked = set(state.target) if state.subscription.is_wildcard else set()
        return sorted(asked | state.subscription.names | state.differing)

    def of(self, name: ResourceName) -> ResourceStanding:
        """How that resource stands now."""
        state = self._state
        held, wanted = state.holdings.get(name), state.target.get(name)
        acked = held.version if held else None
        if state.in_flight and name in state.in_flight.changes:
            progress, last = Progress.SENT, state.in_flight.changes[name]
        elif state.is_parked(name):
            progress, last = Progress.NACKED, wanted
        elif name in state.owed or acked != (wanted.version if wanted else None):
            progress, last = Progress.NOT_SENT, held
        else:
            progress, last = Progress.ACKED, wanted
        content = last if last and last.body else None
        return ResourceStanding(
            name=name, progress=progress, sent=last.version if last else None, acked=acked, content=content
        )
