"""A scripted conversation with a session, turn by turn, each turn told in lines that a person can compare.

    cds#1: a=1 b=2 -c       the session responds: type, nonce, resources with their content, removals
    acked cds#1             … takes note of an ACK
    nacked cds#1: a b       … or a NACK, with the names that it was about
    ignored cds#7           … finds that an acknowledgement is void
    violated: why           … gives up the stream

Every response is decoded by protobuf, and held against the rules that all of them obey.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tests.support.builders import Item, snapshot
from xds.names import TypeUrl
from xds.proto import discovery_pb2 as pb
from xds.session import (
    Acked,
    DeltaRequest,
    DeltaSession,
    Ignored,
    Limits,
    Nacked,
    Output,
    Respond,
    SotwRequest,
    SotwSession,
    Violated,
)
from xds.snapshot import Frames

Variant = Literal["delta", "sotw"]
NOTHING = "∅"
VARIANTS: tuple[Variant, ...] = ("delta", "sotw")


@dataclass(frozen=True, slots=True)
class Heard:
    """A response as the client reads it. State of the world has neither names nor removals."""

    type_url: str
    nonce: str
    version_info: str
    contents: tuple[str, ...]
    names: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def hear_delta(frame: bytes) -> Heard:
    """Decode a DeltaDiscoveryResponse."""
    message = pb.DeltaDiscoveryResponse()
    message.ParseFromString(frame)
    assert {each.resource.type_url for each in message.resources} <= {message.type_url}
    return Heard(
        type_url=message.type_url,
        nonce=message.nonce,
        version_info=message.system_version_info,
        contents=tuple(each.resource.value.decode() for each in message.resources),
        names=tuple(each.name for each in message.resources),
        versions=tuple(each.version for each in message.resources),
        removed=tuple(message.removed_resources),
    )


def hear_sotw(frame: bytes) -> Heard:
    """Decode a DiscoveryResponse."""
    message = pb.DiscoveryResponse()
    message.ParseFromString(frame)
    assert {each.type_url for each in message.resources} <= {message.type_url}
    contents = tuple(_content(each.value) for each in message.resources)
    return Heard(message.type_url, message.nonce, message.version_info, contents)


def _content(value: bytes) -> str:
    """A body as text; endpoints that a client is told there are none of, which only name their cluster, as `name=∅`."""
    return f"{value[2:].decode()}={NOTHING}" if value.startswith(b"\n") else value.decode()


@dataclass(slots=True)
class _Seen:
    """What the client remembers of one type."""

    names: tuple[str, ...] = ()
    nonce: str = ""
    version_info: str = ""
    accepted: str = ""


@dataclass(slots=True)
class Conversation:
    """A client's side of one stream. Every turn returns what the session said to it, as lines."""

    variant: Variant
    items: tuple[Item, ...] = ()
    limits: Limits = field(default_factory=Limits)
    now: float = 0.0
    number: int = 1
    outputs: tuple[Output, ...] = ()
    """What the session said last, undecoded."""
    session: DeltaSession | SotwSession = field(init=False)
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _nonces: set[str] = field(default_factory=set)
    _unanswered: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        kind = DeltaSession if self.variant == "delta" else SotwSession
        self.session = kind(snapshot(*self.items), self.limits, Frames())

    # The client's turns

    def asks(
        self,
        type_url: str,
        *names: str,
        drop: tuple[str, ...] = (),
        known: Mapping[str, str] | None = None,
        nonce: str | None = None,
        version_info: str | None = None,
    ) -> list[str]:
        """Ask for names: in delta in addition, and no longer for `drop`; else as the full set."""
        seen = self._of(type_url)
        seen.names = names
        if self.variant == "delta":
            request = DeltaRequest(
                type_url=type_url, subscribe=names, unsubscribe=drop, known=known or {}, nonce=nonce or ""
            )
            return self.sends(request)
        return self.sends(
            SotwRequest(
                type_url=type_url,
                names=names,
                nonce=seen.nonce if nonce is None else nonce,
                version_info=seen.accepted if version_info is None else version_info,
            )
        )

    def acks(self, type_url: str, nonce: str | None = None, *also: str, drop: tuple[str, ...] = ()) -> list[str]:
        """Acknowledge the newest response of a type, or that of a nonce; in delta one may ask for more in it."""
        return self._answers(type_url, nonce, None, also, drop)

    def nacks(self, type_url: str, nonce: str | None = None, *also: str) -> list[str]:
        """Reject it."""
        return self._answers(type_url, nonce, "no good", also, ())

    def settles(self) -> list[str]:
        """Acknowledge everything, in the order in which it came, until the session is silent."""
        lines: list[str] = []
        while self._unanswered:
            lines += self.acks(self._unanswered[0])
        return [line for line in lines if not line.startswith("acked")]

    def sends(self, request: DeltaRequest | SotwRequest) -> list[str]:
        """Send this very request."""
        if isinstance(self.session, DeltaSession):
            assert isinstance(request, DeltaRequest)
            return self._hear(self.session.receive(request, self.now))
        assert isinstance(request, SotwRequest)
        return self._hear(self.session.receive(request, self.now))

    # The control plane's turns

    def publishes(self, *items: Item) -> list[str]:
        """A newer snapshot comes."""
        self.items = items
        self.number += 1
        return self._hear(self.session.publish(snapshot(*items, number=self.number), self.now))

    def waits(self, seconds: float) -> list[str]:
        """Time passes, and the session is told."""
        self.now += seconds
        return self._hear(self.session.expire(self.now))

    # Queries

    @property
    def responses(self) -> list[Respond]:
        """The responses that the session sent last."""
        return [output for output in self.outputs if isinstance(output, Respond)]

    # Private

    def _of(self, type_url: str) -> _Seen:
        return self._seen.setdefault(type_url, _Seen())

    def _answers(
        self, type_url: str, nonce: str | None, error: str | None, also: tuple[str, ...], drop: tuple[str, ...]
    ) -> list[str]:
        seen = self._of(type_url)
        newest = seen.nonce if nonce is None else nonce
        if newest == seen.nonce and type_url in self._unanswered:
            self._unanswered.remove(type_url)
        if error is None:
            seen.accepted = seen.version_info
        if self.variant == "delta":
            return self.sends(
                DeltaRequest(type_url=type_url, nonce=newest, error=error, subscribe=also, unsubscribe=drop)
            )
        return self.sends(
            SotwRequest(type_url=type_url, nonce=newest, error=error, names=seen.names, version_info=seen.accepted)
        )

    def _hear(self, outputs: tuple[Output, ...]) -> list[str]:
        self.outputs = outputs
        return [self._line(output) for output in outputs]

    def _line(self, output: Output) -> str:
        match output:
            case Respond():
                return self._respond_line(output)
            case Acked():
                return f"acked {_label(output.type_url)}#{output.nonce}"
            case Nacked():
                return f"nacked {_label(output.type_url)}#{output.nonce}: {' '.join(output.names)}".rstrip(" :")
            case Ignored():
                return f"ignored {_label(output.type_url)}#{output.nonce}"
            case Violated():
                return f"violated: {output.reason}"

    def _respond_line(self, respond: Respond) -> str:
        heard = hear_delta(respond.frame) if self.variant == "delta" else hear_sotw(respond.frame)
        assert (heard.type_url, heard.nonce, heard.version_info) == (
            respond.type_url,
            respond.nonce,
            respond.version_info,
        )
        assert heard.nonce, "every response carries a nonce"
        assert heard.nonce not in self._nonces, "a nonce is never used twice"
        self._nonces.add(heard.nonce)
        assert len(heard.contents) == respond.resources
        if self.variant == "delta":
            assert list(heard.names) == [content.partition("=")[0] for content in heard.contents]
            said = [*heard.names, *heard.removed]
            assert len(set(said)) == len(said), "no name twice in a response"
            assert len(heard.removed) == respond.removed
        seen = self._of(heard.type_url)
        self._unanswered.append(heard.type_url)
        seen.nonce, seen.version_info = heard.nonce, heard.version_info
        return f"{_label(heard.type_url)}#{heard.nonce}: {' '.join(_said(heard))}".rstrip()


def talk(variant: Variant, *items: Item, limits: Limits | None = None) -> Conversation:
    """A conversation in which nothing was said yet, with a control plane that has these resources."""
    return Conversation(variant, items, limits or Limits())


def settled(variant: Variant, type_url: str, names: tuple[str, ...], *items: Item) -> Conversation:
    """One in which the client asked for names of one type, and has acknowledged all that came of it."""
    conversation = talk(variant, *items)
    conversation.asks(type_url, *names)
    conversation.settles()
    return conversation


def _said(heard: Heard) -> Iterator[str]:
    yield from heard.contents
    yield from (f"-{name}" for name in heard.removed)


def _label(type_url: str) -> str:
    return next((known.label for known in TypeUrl if known == type_url), type_url)
