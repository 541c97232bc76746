"""A session, a client that follows the protocol, and a connection between them that takes its time.

Requests and responses stay in order but wait until a step of the script moves them. The client believes what
it is told, and rejects a response that has bad content in it as a whole.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.properties.ledger import WHOLE, Changes, Ledger
from tests.properties.scripts import BAD, Ask, Deliver, Drop, Elapse, Exchange, Publish, Read, Reconnect, Return, Step
from tests.support.builders import CDS, ECDS, EDS, LDS, RDS, SRDS, Item, snapshot
from tests.support.conversation import NOTHING, Heard, Variant, hear_delta, hear_sotw
from xds.names import ResourceName, TypeUrl
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
)
from xds.snapshot import Frames, Resource, encode_resource
from xds.snapshot import field as wire_field

FOLLOWED = {CDS: EDS, LDS: ECDS, SRDS: RDS}
"""What a client that behaves like Envoy asks for, because of what it holds."""

PATIENCE = 400
"""Turns after which a client and a server that still talk are in a hot loop."""


@dataclass(slots=True)
class Interest:
    """What the client asks for and holds, of one type."""

    is_begun: bool = False
    legacy: bool = False
    star: bool = False
    names: set[str] = field(default_factory=set)
    held: dict[str, Resource] = field(default_factory=dict)
    nonce: str = ""
    accepted: str = ""

    def covers(self, name: str) -> bool:
        """Whether the client asks for that name."""
        return self.star or name in self.names


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way, and what the client asks for as of it."""

    request: DeltaRequest | SotwRequest
    names: frozenset[str]
    star: bool
    anew: frozenset[str] = frozenset()
    held: tuple[Resource, ...] = ()


class World:
    """Plays a script. `follows`: the client asks for endpoints and route tables as Envoy does, not at random."""

    def __init__(self, variant: Variant, *, follows: bool = False) -> None:
        self.variant = variant
        self.client: dict[TypeUrl, Interest] = {type_url: Interest() for type_url in TypeUrl}
        self._follows = follows
        self._now = 0.0
        self._turns = 0
        self._number = 1
        self._published: list[tuple[Item, ...]] = [()]
        self._resources: dict[tuple[str, str], Resource] = {}
        self.snapshot = snapshot()
        self.ledger = Ledger(variant == "delta", self.snapshot)
        self._connect()
        if follows:
            for type_url in WHOLE:
                self._begin(type_url, legacy=True, star=True)

    def play(self, script: list[Step]) -> None:
        """Take every step."""
        for step in script:
            self._take(step)

    def settle(self) -> None:
        """Let everything arrive, and all time limits pass."""
        for _ in range(PATIENCE):
            while self._down or self._up:
                self._deliver()
                self._read()
                self._turns += 1
                assert self._turns < PATIENCE, "the two never come to rest"
            if self.session.deadline is None:
                self._turns = 0
                return
            self._elapse()
        raise AssertionError("there is always something to wait for")

    @property
    def items(self) -> tuple[Item, ...]:
        """What the newest snapshot has."""
        return self._published[-1]

    def publish(self, items: tuple[Item, ...]) -> tuple[Output, ...]:
        """A newer snapshot comes."""
        self._number += 1
        self._published.append(items)
        self.snapshot = snapshot(*items, number=self._number)
        for type_url, resource in items:
            self._resources[type_url, resource.body.decode()] = resource
        self.ledger.publishes(self.snapshot)
        return self._perform(self.session.publish(self.snapshot, self._now))

    def expire(self) -> None:
        """The session is told the time."""
        self._perform(self.session.expire(self._now))

    def wanted(self, type_url: TypeUrl) -> dict[str, str]:
        """What the client should hold: its subscription ∩ the newest snapshot, names and contents."""
        interest = self.client[type_url]
        table = self.snapshot.table(type_url)
        return {each.name: each.body.decode() for each in table.values() if interest.covers(each.name)}

    def held(self, type_url: TypeUrl) -> dict[str, str]:
        """What the client does hold; where a removal can't be said, without what no longer exists."""
        interest = self.client[type_url]
        can_remove = self.variant == "delta" or type_url in WHOLE
        return {
            name: each.body.decode()
            for name, each in interest.held.items()
            if interest.covers(name) and (can_remove or each.name in self.snapshot.table(type_url))
        }

    # Steps

    def _take(self, step: Step) -> None:
        match step:
            case Publish():
                self.publish(step.items)
            case Return():
                self.publish(self._published[-1 - min(step.back, len(self._published) - 1)])
            case Ask() | Drop():
                self._change(step)
            case Deliver():
                self._deliver()
            case Read():
                self._read()
            case Exchange():
                self._exchange(step.rounds)
            case Elapse() if self.session.deadline is not None:
                self._elapse()
            case Reconnect():
                self._reconnect()
            case _:
                pass

    def _elapse(self) -> None:
        due = self.session.deadline
        assert due is not None
        self._now = max(self._now, due)
        outputs = self._perform(self.session.expire(self._now))
        after = self.session.deadline
        assert outputs or after is None or after > self._now, "an expiry that is due at once again and does nothing"

    def _connect(self) -> None:
        self._down: deque[Respond] = deque()
        self._up: deque[Asked] = deque()
        self._turns = 0
        self.ledger = Ledger(self.variant == "delta", self.snapshot, breaches=self.ledger.breaches)
        kind = DeltaSession if self.variant == "delta" else SotwSession
        self.session: DeltaSession | SotwSession = kind(self.snapshot, Limits(), Frames())

    def _reconnect(self) -> None:
        self._connect()
        for type_url, interest in self.client.items():
            interest.nonce = ""
            if interest.is_begun:
                interest.is_begun = False
                if interest.star or interest.names:
                    self._begin(type_url, legacy=interest.legacy and not interest.names, star=interest.star)

    def _change(self, step: Ask | Drop) -> None:
        interest = self.client[step.type_url]
        names = set(step.names)
        if isinstance(step, Ask):
            if not interest.is_begun:
                legacy = step.star and not names and step.type_url in WHOLE
                if names or step.star:
                    interest.names = names
                    self._begin(step.type_url, legacy=legacy, star=step.star)
                return
            interest.names |= names
            interest.star = interest.star or step.star
            self._ask(step.type_url, names, set(), star=step.star)
        elif interest.is_begun and (names or step.star):
            interest.names -= names
            # To give up a wildcard that was never named, a client would have to name something else.
            can_be_told = self.variant == "delta" or not interest.legacy or bool(interest.names)
            interest.star = interest.star and not (step.star and can_be_told)
            self._ask(step.type_url, set(), names, unstar=step.star)

    def _begin(self, type_url: TypeUrl, *, legacy: bool, star: bool) -> None:
        interest = self.client[type_url]
        interest.is_begun, interest.legacy, interest.star = True, legacy, star
        interest.held = {name: each for name, each in interest.held.items() if interest.covers(name)}
        names = (*sorted(interest.names), *(("*",) if star and not legacy else ()))
        request: DeltaRequest | SotwRequest
        if self.variant == "delta":
            known = {name: str(each.version) for name, each in interest.held.items()}
            request = DeltaRequest(type_url=type_url, subscribe=names, known=known)
        else:
            request = SotwRequest(type_url=type_url, names=names, version_info=interest.accepted)
        held = tuple(interest.held.values())
        self._up.append(Asked(request, frozenset(interest.names), star, held=held))

    def _ask(
        self, type_url: TypeUrl, add: set[str], drop: set[str], *, star: bool = False, unstar: bool = False
    ) -> None:
        interest = self.client[type_url]
        request: DeltaRequest | SotwRequest
        if self.variant == "delta":
            # A client of this variant forgets at once; one of the other may find that its request came too late.
            interest.held = {name: each for name, each in interest.held.items() if interest.covers(name)}
            request = DeltaRequest(
                type_url=type_url,
                subscribe=(*sorted(add), *(("*",) if star else ())),
                unsubscribe=(*sorted(drop), *(("*",) if unstar else ())),
            )
        else:
            request = self._sotw_request(type_url, error=None)
        self._up.append(Asked(request, frozenset(interest.names), interest.star, frozenset(add | drop)))

    def _sotw_request(self, type_url: TypeUrl, error: str | None) -> SotwRequest:
        interest = self.client[type_url]
        is_legacy = interest.legacy and interest.star and not interest.names
        interest.legacy = is_legacy
        names = (*sorted(interest.names), *(("*",) if interest.star and not is_legacy else ()))
        return SotwRequest(
            type_url=type_url, names=names, nonce=interest.nonce, version_info=interest.accepted, error=error
        )

    # The connection

    def _exchange(self, rounds: int) -> None:
        for _ in range(rounds):
            for _ in range(len(self._down)):
                self._deliver()
            for _ in range(len(self._up)):
                self._read()

    def _read(self) -> None:
        if not self._up:
            return
        asked = self._up.popleft()
        if isinstance(self.session, DeltaSession):
            assert isinstance(asked.request, DeltaRequest)
            outputs = self.session.receive(asked.request, self._now)
        else:
            assert isinstance(asked.request, SotwRequest)
            outputs = self.session.receive(asked.request, self._now)
        self._perform(outputs, asked)

    def _perform(self, outputs: tuple[Output, ...], asked: Asked | None = None) -> tuple[Output, ...]:
        for output in outputs:
            if isinstance(output, Acked | Nacked):
                self.ledger.answered(output)
        is_void = self.variant == "sotw" and any(isinstance(output, Ignored) for output in outputs)
        if asked and not is_void:
            self.ledger.reads(
                asked.request.type_url,
                set(asked.names),
                star=asked.star,
                asked=set(asked.anew),
                told=list(self._told(asked)),
            )
        for output in outputs:
            if isinstance(output, Respond):
                self.ledger.sends(output, self._changes(output))
                self._down.append(output)
        return outputs

    def _told(self, asked: Asked) -> Iterator[Resource]:
        """What the session can know that the client holds, from a first request: old content by name only."""
        table = self.snapshot.tables[asked.request.type_url]
        if self.variant == "delta":
            yield from (each if table.holds(each) else Resource(each.name, each.version, b"") for each in asked.held)
        elif asked.held and asked.star and getattr(asked.request, "version_info", "") == table.version_info:
            yield from table.values()

    def _changes(self, respond: Respond) -> Changes:
        """What a response changes, by what the client has acknowledged."""
        heard = self._hear(respond)
        upserts: dict[ResourceName, Resource | None] = {each.name: each for each in self._upserts(heard)}
        if self.variant == "delta":
            return upserts | {ResourceName(name): None for name in heard.removed}
        acked = self.ledger.pages[respond.type_url].acked
        gone = [name for name in acked if name not in upserts] if respond.type_url in WHOLE else []
        changed = {
            name: each
            for name, each in upserts.items()
            if each and (name not in acked or acked[name].version != each.version)
        }
        return changed | dict.fromkeys(gone)

    def _deliver(self) -> None:
        if not self._down:
            return
        heard = self._hear(self._down.popleft())
        type_url = TypeUrl(heard.type_url)
        interest = self.client[type_url]
        interest.nonce = heard.nonce
        error = "bad content" if any(BAD in content for content in heard.contents) else None
        if error is None:
            self._apply(interest, type_url, heard)
            interest.accepted = heard.version_info
        request = (
            DeltaRequest(type_url=type_url, nonce=heard.nonce, error=error)
            if self.variant == "delta"
            else self._sotw_request(type_url, error)
        )
        self._up.append(Asked(request, frozenset(interest.names), interest.star))
        if self._follows and error is None and type_url in FOLLOWED:
            self._follow(type_url, FOLLOWED[type_url])

    def _apply(self, interest: Interest, type_url: TypeUrl, heard: Heard) -> None:
        upserts = {str(each.name): each for each in self._upserts(heard) if interest.covers(each.name)}
        if self.variant == "sotw" and type_url in WHOLE:
            interest.held = upserts
        else:
            interest.held |= upserts
        for name in heard.removed:
            interest.held.pop(name, None)

    def _follow(self, of: TypeUrl, type_url: TypeUrl) -> None:
        awaited = {ref.name for each in self.client[of].held.values() for ref in each.awaits}
        interest = self.client[type_url]
        add, drop = awaited - interest.names, interest.names - awaited
        if not add and not drop:
            return
        interest.names = set(awaited)
        if interest.is_begun:
            self._ask(type_url, set(add), set(drop))
        else:
            self._begin(type_url, legacy=False, star=False)

    def _hear(self, respond: Respond) -> Heard:
        return hear_delta(respond.frame) if self.variant == "delta" else hear_sotw(respond.frame)

    def _upserts(self, heard: Heard) -> list[Resource]:
        return [self._resources.get((heard.type_url, content)) or _nothing(content) for content in heard.contents]


def _nothing(content: str) -> Resource:
    """Endpoints of which a client is told that there are none."""
    name, _, rest = content.partition("=")
    assert rest == NOTHING
    return encode_resource(ResourceName(name), wire_field(1, name.encode()))
