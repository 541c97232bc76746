"""One resource type on one stream: asked for, sent, acknowledged and rejected, as separate records.

Knows nothing about other types; what must wait for them is `convergence`'s business.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from xds.names import Nonce, ResourceName, Version
from xds.session.holdings import Holdings
from xds.session.subscription import Subscription
from xds.snapshot import Ref, Resource, ResourceTable


@dataclass(frozen=True, slots=True)
class InFlight:
    """A response that was sent and not yet answered: what it says of each name (None: removed).

    The client may hold it already; `named` is what its resources refer to, `completes` the table of which it holds all
    that it asks for once it has taken this.
    """

    nonce: Nonce
    version_info: str
    snapshot: int
    changes: Mapping[ResourceName, Resource | None]
    named: AbstractSet[Ref]
    completes: ResourceTable | None = None


@dataclass(slots=True)
class TypeState:
    """The state of one type. At most one response is in flight, so an old nonce can never matter.

    `newest` is the nonce of the last response, answered or not. `owed` are names that must be answered
    whatever the client is believed to hold. Until `is_known`, it may hold anything, from a former stream, and can
    only be told everything. `rejected` has, by each name in it, the NACKed response: the
    versions that it offered (None: a removal). `waiting` has since when a name is held back. `ghosts` are gone,
    but the client could not be told so, and may hold them yet. `beats_at` is when the client must hear again of what
    has a TTL.
    """

    type_url: str
    target: ResourceTable
    holdings: Holdings
    subscription: Subscription
    in_flight: InFlight | None = None
    newest: Nonce | None = None
    answered: bool = False
    is_known: bool = True
    owed: set[ResourceName] = field(default_factory=set)
    rejected: dict[ResourceName, Mapping[ResourceName, Version | None]] = field(default_factory=dict)
    differing: set[ResourceName] = field(default_factory=set)
    waiting: dict[ResourceName, float] = field(default_factory=dict)
    ghosts: dict[ResourceName, Resource] = field(default_factory=dict)
    beats_at: float | None = None
    stale: bool = True
    _queue: deque[ResourceName] | None = None

    def covers(self, name: ResourceName) -> bool:
        """Whether the client asks for that name."""
        return self.subscription.covers(name)

    def covered(self, names: AbstractSet[ResourceName]) -> set[ResourceName]:
        """Those of these names that the client asks for."""
        return set(names) if self.subscription.is_wildcard else set(self.subscription.names & names)

    @property
    def is_untold(self) -> bool:
        """Whether nothing was sent yet, to a client that holds nothing."""
        return self.newest is None and not self.answered

    @property
    def must_be_told(self) -> bool:
        """Whether the client is owed a first answer even if it says that there is nothing."""
        return self.subscription.is_wildcard or not self.is_known

    def aim(self, target: ResourceTable) -> None:
        """Take the newest table. A rejected response is reconsidered once anything it offered has changed."""
        if target is not self.target:
            self.target = target
            self.stale = True
            # What is back before the client could have been told that it was gone: it may hold the old one yet.
            for name in [name for name in self.ghosts if name in target]:
                self.holdings.put(name, replace(self.ghosts.pop(name), version=Version("")))
            self._reconsider()

    def refresh(self) -> None:
        """Find the names under which the client holds something else than it should."""
        if not self.stale:
            return
        self.stale = False
        if self.holdings.is_empty:
            self.differing = self.covered(self.target.whole.names)
        else:
            candidates = self.holdings.candidates(self.target)
            self.differing = {name for name in candidates if self.covers(name) and not self._is_held(name)}
        self.holdings.rebase(self.target, self.differing)
        self._queue = None

    def owe(self, names: Iterable[ResourceName]) -> None:
        """Have these names answered."""
        self.owed.update(names)
        self._queue = None

    def due(self) -> Iterator[ResourceName]:
        """The names that are owed or differ, sorted; what was dealt with meanwhile costs nothing again."""
        if self._queue is None:
            self._queue = deque(sorted(self.differing | self.owed))
        while self._queue and not self.is_due(self._queue[0]):
            self._queue.popleft()
        return filter(self.is_due, self._queue)

    def is_due(self, name: ResourceName) -> bool:
        """Whether that name is owed or differs."""
        return name in self.differing or name in self.owed

    @property
    def is_current(self) -> bool:
        """Whether the client holds, by its own word, exactly what it should."""
        return not (self.stale or self.differing or self.owed or self.in_flight or self.rejected)

    def is_parked(self, name: ResourceName) -> bool:
        """Whether the client has rejected exactly what would be sent under that name."""
        return name in self.rejected

    def is_in_flight(self, name: ResourceName) -> bool:
        """Whether the response in flight says something of that name."""
        return self.in_flight is not None and name in self.in_flight.changes

    def is_naming(self, ref: Ref) -> bool:
        """Whether the response in flight has a resource that names `ref`."""
        return self.in_flight is not None and ref in self.in_flight.named

    def send(self, in_flight: InFlight) -> None:
        """Note a response as sent."""
        self.in_flight = in_flight
        self.newest = in_flight.nonce
        self.answered = True
        self.owed.difference_update(in_flight.changes)
        if self.waiting:
            for name in in_flight.changes:
                self.waiting.pop(name, None)

    def acknowledge(self) -> None:
        """The client applied the response in flight."""
        sent, self.in_flight = self.in_flight, None
        if sent is None:
            return
        self.is_known = True
        if self.rejected or self.ghosts:
            for name in sent.changes:
                self.rejected.pop(name, None)
                self.ghosts.pop(name, None)
        if sent.completes is self.target and not self.stale:
            self.differing = set()
            self.holdings.rebase(self.target, ())
            self._queue = None
            return
        for name, resource in sent.changes.items():
            if self.covers(name):
                self._hold(name, resource)

    def reject(self) -> None:
        """The client rejected the response in flight; it keeps what it held."""
        if self.in_flight:
            offered = {
                name: _version(resource)
                for name, resource in self.in_flight.changes.items()
                if resource or self.holdings.get(name)
            }
            self.rejected.update(dict.fromkeys(offered, offered))
            self.in_flight = None
            self._reconsider()

    def everything(self) -> Iterator[Resource]:
        """All that the client asks for and that exists, in no order."""
        return (each for each in self.target.values() if self.covers(each.name))

    def drop(self, name: ResourceName) -> None:
        """Note that the client holds that name no longer, without its being told."""
        held = self.holdings.get(name)
        if held:
            self.ghosts[name] = held
        self.holdings.put(name, None)
        self.owed.discard(name)
        self.waiting.pop(name, None)
        self.stale = True

    def resubscribe(self, subscription: Subscription) -> None:
        """Ask for other names from now on; what was not asked for before, or is no longer, counts as not held."""
        before, self.subscription = self.subscription, subscription
        if before.is_wildcard and not subscription.is_wildcard:
            self.holdings.keep(subscription.names)
        elif subscription.is_wildcard and not before.is_wildcard:
            self.holdings.keep(before.names)
        elif not subscription.is_wildcard:
            self.holdings.discard(before.names ^ subscription.names)
        self.owed &= {name for name in self.owed if self.covers(name)}
        self.ghosts = {name: ghost for name, ghost in self.ghosts.items() if self.covers(name)}
        self.stale = True

    def _hold(self, name: ResourceName, resource: Resource | None) -> None:
        """Note that the client holds this now. Where the target is the same, so is what differs, but for this name."""
        self.holdings.put(name, resource)
        if self.stale:
            return
        if self._is_held(name):
            self.differing.discard(name)
        elif name not in self.differing:
            self.differing.add(name)
            self._queue = None

    def _reconsider(self) -> None:
        """Drop the rejected responses that would no longer be repeated, to have what they offered sent again."""
        responses = {id(offered): offered for offered in self.rejected.values()}
        repeated = {key for key, offered in responses.items() if self._repeats(offered)}
        self.rejected = {name: offered for name, offered in self.rejected.items() if id(offered) in repeated}
        if not self.is_known and not repeated and self.in_flight is None:
            self.answered = False

    def _repeats(self, offered: Mapping[ResourceName, Version | None]) -> bool:
        if not self.is_known and any(resource.name not in offered for resource in self.everything()):
            return False
        return all(_version(self.target.get(name)) == version for name, version in offered.items())

    def _is_held(self, name: ResourceName) -> bool:
        return _version(self.holdings.get(name)) == _version(self.target.get(name))


def _version(resource: Resource | None) -> Version | None:
    return resource.version if resource else None
