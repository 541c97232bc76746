"""One resource type on one stream: asked for, sent, acknowledged and rejected, as separate records.

Knows nothing about other types; what must wait for them is `convergence`'s business.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xds.names import Nonce, ResourceName, Version
from xds.session.holdings import Holdings
from xds.session.subscription import Subscription
from xds.snapshot import Resource, ResourceTable


@dataclass(frozen=True, slots=True)
class InFlight:
    """A response that was sent and not yet answered: what it says of each name (None: removed)."""

    nonce: Nonce
    version_info: str
    snapshot: int
    changes: Mapping[ResourceName, Resource | None]


@dataclass(slots=True)
class TypeState:
    """The state of one type. At most one response is in flight, so an old nonce can never matter.

    `owed` are names that must be answered whatever the client is believed to hold; `rejected` are the
    NACKed responses, by the version that each offered (None: a removal).
    """

    type_url: str
    target: ResourceTable
    holdings: Holdings
    subscription: Subscription
    in_flight: InFlight | None = None
    answered: bool = False
    owed: set[ResourceName] = field(default_factory=set)
    rejected: list[Mapping[ResourceName, Version | None]] = field(default_factory=list)
    differing: set[ResourceName] = field(default_factory=set)
    blocked_since: float | None = None
    stale: bool = True

    def covers(self, name: ResourceName) -> bool:
        """Whether the client asks for that name."""
        return self.subscription.covers(name)

    def aim(self, target: ResourceTable) -> None:
        """Take the newest table. A rejected response is reconsidered once anything it offered has changed."""
        if target is not self.target:
            self.target = target
            self.stale = True
            self._reconsider()

    def refresh(self) -> None:
        """Find the names under which the client holds something else than it should."""
        if not self.stale:
            return
        self.stale = False
        self.differing = {
            name for name in self.holdings.candidates(self.target) if self.covers(name) and not self._is_held(name)
        }
        self.holdings.rebase(self.target, self.differing)

    def is_parked(self, name: ResourceName) -> bool:
        """Whether the client has rejected exactly what would be sent under that name."""
        return any(name in offered for offered in self.rejected)

    def acknowledge(self) -> None:
        """The client applied the response in flight."""
        if self.in_flight:
            for name, resource in self.in_flight.changes.items():
                self.holdings.put(name, resource)
            self.in_flight = None
            self.stale = True

    def reject(self) -> None:
        """The client rejected the response in flight; it keeps what it held."""
        if self.in_flight:
            self.rejected.append({name: _version(resource) for name, resource in self.in_flight.changes.items()})
            self.in_flight = None
            self._reconsider()

    def forget(self, name: ResourceName) -> None:
        """Treat the client as if it did not hold that name, and owe it an answer."""
        self.holdings.put(name, None)
        self.owed.add(name)
        self.stale = True

    def drop(self, name: ResourceName) -> None:
        """Note that the client holds that name no longer, without its being told."""
        self.holdings.put(name, None)
        self.owed.discard(name)
        self.stale = True

    def resubscribe(self, subscription: Subscription) -> None:
        """Ask for other names from now on; what is no longer asked for counts as not held."""
        before, self.subscription = self.subscription, subscription
        if before.is_wildcard and not subscription.is_wildcard:
            self.holdings.keep(subscription.names)
        else:
            self.holdings.discard(name for name in before.names - subscription.names if not self.covers(name))
        self.owed &= {name for name in self.owed if self.covers(name)}
        self.stale = True

    def _reconsider(self) -> None:
        """Drop the rejections of anything that the newest table no longer offers."""
        self.rejected = [
            offered
            for offered in self.rejected
            if all(_version(self.target.get(name)) == version for name, version in offered.items())
        ]

    def _is_held(self, name: ResourceName) -> bool:
        return _version(self.holdings.get(name)) == _version(self.target.get(name))


def _version(resource: Resource | None) -> Version | None:
    return resource.version if resource else None
