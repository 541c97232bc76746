"""What is due to a client next: make before break, across types, gated on its acknowledgements.

A resource goes out once the client can use what it names, and is taken away once nothing that the client
holds names it (xDS protocol, "Eventual consistency considerations"). The order between types follows from
that; it is not a list of phases. Knows nothing about how requests and responses look.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from xds.names import ResourceName, TypeUrl
from xds.session.holdings import Holdings
from xds.session.limits import Limits
from xds.session.subscription import Subscription
from xds.session.typestate import InFlight, TypeState
from xds.snapshot import Ref, Resource, ResourceTable, Snapshot

_ORDER = {str(type_url): place for place, type_url in enumerate(TypeUrl)}


class Readiness(Enum):
    """Whether a change may be sent.

    What waits goes after a time; what is in use stays, since the client has rejected what would have ended
    its use.
    """

    READY = auto()
    WAITS = auto()
    IN_USE = auto()


@dataclass(slots=True)
class Plan:
    """What may be sent of one type now. `blocked` is what must wait for another type."""

    upserts: list[Resource] = field(default_factory=list)
    removed: list[ResourceName] = field(default_factory=list)
    blocked: set[ResourceName] = field(default_factory=set)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to send."""
        return not self.upserts and not self.removed

    def changes(self) -> dict[ResourceName, Resource | None]:
        """The plan as what the client will hold under each name."""
        return {
            **{resource.name: resource for resource in self.upserts},
            **dict.fromkeys(self.removed),
        }


class Convergence:
    """The types of one stream, and what keeps each of them from the newest snapshot."""

    def __init__(self, snapshot: Snapshot, limits: Limits) -> None:
        self.snapshot = snapshot
        self.limits = limits
        self._states: dict[str, TypeState] = {}
        self._none_of: dict[str, ResourceTable] = {}
        self._awaited: set[Ref] = set()

    def state(self, type_url: str) -> TypeState | None:
        """The state of a type, if the client has asked for it."""
        return self._states.get(type_url)

    def __len__(self) -> int:
        return len(self._states)

    def states(self) -> Iterator[TypeState]:
        """The types asked for, in the order in which a client must learn of them."""
        return iter(self._states.values())

    def begin(self, type_url: str, subscription: Subscription) -> TypeState:
        """Start a type at its first request. A type that we have none of is an empty table."""
        state = TypeState(type_url, self._table(type_url), Holdings(type_url), subscription)
        states = [*self._states.values(), state]
        self._states = {each.type_url: each for each in sorted(states, key=lambda each: _place(each.type_url))}
        return state

    def is_awaited(self, type_url: str, name: str) -> bool:
        """Whether something sent on this stream made the client wait for that resource, whatever it held before."""
        return Ref(type_url, ResourceName(name)) in self._awaited

    def publish(self, snapshot: Snapshot) -> None:
        """Aim every type at a newer snapshot."""
        self.snapshot = snapshot
        for state in self._states.values():
            state.aim(self._table(state.type_url))

    def plans(self, now: float) -> Iterator[tuple[TypeState, Plan]]:
        """What is due, type by type. The caller records each as in flight before it takes the next."""
        for state in self._states.values():
            state.refresh()
        for state in self.states():
            if state.in_flight is None:
                plan = self._plan(state, now)
                if not plan.is_empty or (state.subscription.is_wildcard and not state.answered):
                    yield state, plan

    def record(self, state: TypeState, in_flight: InFlight) -> None:
        """Note a response as sent, before it is written: its acknowledgement may be quicker than we are.

        xDS protocol, "Resource warming": a cluster that is sent again warms again, and Envoy then needs its
        endpoints again, even unchanged.
        """
        state.in_flight = in_flight
        state.answered = True
        for name, resource in in_flight.changes.items():
            state.owed.discard(name)
            for ref in resource.awaits if resource else ():
                awaited = self._states.get(ref.type_url)
                if awaited is None:
                    self._awaited.add(ref)
                elif awaited.covers(ref.name):
                    awaited.forget(ref.name)

    def deadline(self) -> float | None:
        """When something that is held back goes anyway."""
        since = [
            state.blocked_since
            for state in self._states.values()
            if state.blocked_since is not None and state.in_flight is None
        ]
        return min(since) + self.limits.wait_seconds if since else None

    def _plan(self, state: TypeState, now: float) -> Plan:
        plan = Plan()
        # The first response goes out whole: its client holds nothing that could break, and must not open
        # for requests with half of what it needs.
        forced = not state.answered or self._has_waited(state, now)
        for name in sorted(state.differing | state.owed):
            if state.is_parked(name) and name not in state.owed:
                continue
            resource = state.target.get(name)
            readiness = self._to_add(resource) if resource else self._to_remove(Ref(state.type_url, name))
            if readiness is Readiness.IN_USE:
                continue
            if readiness is Readiness.WAITS and not forced:
                plan.blocked.add(name)
            elif resource:
                plan.upserts.append(resource)
            else:
                plan.removed.append(name)
        if not plan.blocked:
            state.blocked_since = None
        elif state.blocked_since is None:
            state.blocked_since = now
        return plan

    def _to_add(self, resource: Resource) -> Readiness:
        usable = all(self._is_usable(ref) for ref in resource.needs)
        return Readiness.READY if usable else Readiness.WAITS

    def _to_remove(self, ref: Ref) -> Readiness:
        users = [state for state in self._states.values() if state.holdings.names(ref)]
        if any(state.rejected for state in users):
            return Readiness.IN_USE
        return Readiness.WAITS if users else Readiness.READY

    def _has_waited(self, state: TypeState, now: float) -> bool:
        return state.blocked_since is not None and now - state.blocked_since >= self.limits.wait_seconds

    def _is_usable(self, ref: Ref) -> bool:
        """Whether the client has acknowledged that resource, newest content, with all that it awaits.

        A type that the client never asked for is not its way to learn of things, and keeps nothing waiting.
        What it rejected stays as it was: the old content is in use, and no reason to wait.
        """
        state = self._states.get(ref.type_url)
        if state is None:
            return True
        resource = state.target.get(ref.name)
        if resource is None:
            return True
        if not state.covers(ref.name) or not state.holdings.get(ref.name):
            return False
        if ref.name in state.owed or (ref.name in state.differing and not state.is_parked(ref.name)):
            return False
        return all(self._is_usable(awaited) for awaited in resource.awaits)

    def _table(self, type_url: str) -> ResourceTable:
        table = self.snapshot.tables.get(type_url)
        return self._none_of.setdefault(type_url, ResourceTable(type_url)) if table is None else table


def _place(type_url: str) -> int:
    return _ORDER.get(type_url, len(_ORDER))
