"""The streams that are open, and what became of each type on them.

Kept for people and metrics; no decision is taken on it.
"""

import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from xds.names import NodeGroup, ResourceName, TypeUrl
from xds.operations.resolving import EnvoyStanding
from xds.operations.status import NodeStatus, TypeStatus
from xds.server.variants import Session
from xds.session import Acked, Nacked, Node, Output, Progress, Respond
from xds.telemetry import Variant

_REFUSALS = 8
"""How many rejections are kept of a type on a stream: more than stand at any one time, in practice."""

_REFUSED_NAMES = 200
"""How many names are kept of a rejection: a whole set of scopes, on each of thousands of streams, is too much."""

_WORST_FIRST = (Progress.NACKED, Progress.NOT_SENT, Progress.SENT, Progress.ACKED)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response that the client rejected: what it was about, why, and when (seconds since the epoch)."""

    names: tuple[ResourceName, ...]
    error: str
    at: float


@dataclass(slots=True)
class TypeRecord:
    """One type's history on one stream; `acked_at` is the time of the last acknowledgement, 0 for none."""

    subscribed: int | None = None
    sent: int = 0
    acked: int = 0
    nacked: int = 0
    version: str = ""
    error: str = ""
    acked_at: float = 0.0
    refusals: deque[Refusal] = field(default_factory=lambda: deque(maxlen=_REFUSALS))

    def refusals_by_name(self) -> defaultdict[ResourceName, Refusal | None]:
        """The newest rejection that each name was in; for a name that was not kept, the newest of all."""
        newest = self.refusals[-1] if self.refusals else None
        kept = {name: refusal for refusal in self.refusals for name in refusal.names}
        return defaultdict(lambda: newest, kept)

    def note(self, output: Output) -> None:
        """Count an output of the session."""
        match output:
            case Respond():
                self.sent += 1
            case Acked(version_info=version):
                self.acked, self.version, self.error = self.acked + 1, version, ""
                self.acked_at = time.time()
            case Nacked(error=error, names=names):
                self.nacked, self.error = self.nacked + 1, error or "(no reason given)"
                self.refusals.append(Refusal(names[:_REFUSED_NAMES], self.error, time.time()))


@dataclass(slots=True, eq=False)
class StreamRecord:
    """One open stream; `lane` is the group whose content it is served."""

    node: Node
    variant: Variant
    peer: str
    lane: NodeGroup
    session: Session | None = None
    connected_at: float = field(default_factory=time.time)
    types: dict[str, TypeRecord] = field(default_factory=dict)

    def of_type(self, type_url: str) -> TypeRecord:
        """The record of a type, begun if need be."""
        return self.types.setdefault(type_url, TypeRecord())

    def progress(self, needed: Sequence[tuple[TypeUrl, ResourceName]]) -> Progress | None:
        """What holds for all of these resources; None if the client asks for none of their types."""
        standings = self.session.standings() if self.session else {}
        reached = [standings[type_url].of(name).progress for type_url, name in needed if type_url in standings]
        return next((each for each in _WORST_FIRST if each in reached), None)

    def status(self) -> NodeStatus:
        """The stream as a plain value."""
        return NodeStatus(
            node_id=self.node.id,
            group=self.node.group,
            variant=self.variant,
            peer=self.peer,
            user_agent=self.node.user_agent,
            connected_at=self.connected_at,
            types=tuple(_type_status(type_url, record) for type_url, record in sorted(self.types.items())),
        )


class Fleet:
    """The open streams."""

    def __init__(self) -> None:
        self._records: dict[StreamRecord, None] = {}

    @contextmanager
    def member(self, record: StreamRecord) -> Iterator[None]:
        """Have the stream among the open ones until the context ends."""
        self._records[record] = None
        try:
            yield
        finally:
            del self._records[record]

    def records(self) -> tuple[StreamRecord, ...]:
        """Every open stream, by node id, then by age."""
        return tuple(sorted(self._records, key=lambda record: (record.node.id, record.connected_at)))

    def standings(self, needed: Sequence[tuple[TypeUrl, ResourceName]]) -> tuple[EnvoyStanding, ...]:
        """How far each Envoy has come with all of `needed`; who asks for none of their types is not one of them."""
        found = ((record, record.progress(needed)) for record in self.records())
        return tuple(
            EnvoyStanding(node_id=record.node.id, group=record.node.group, progress=progress.name.lower())
            for record, progress in found
            if progress is not None
        )

    def nodes(self) -> tuple[NodeStatus, ...]:
        """Every open stream, by node id."""
        return tuple(sorted((record.status() for record in self._records), key=lambda node: node.node_id))


def _type_status(type_url: str, record: TypeRecord) -> TypeStatus:
    try:
        label = TypeUrl(type_url).label
    except ValueError:
        label = type_url
    return TypeStatus(
        label=label,
        subscribed=record.subscribed,
        sent=record.sent,
        acked=record.acked,
        nacked=record.nacked,
        version=record.version,
        error=record.error,
    )
