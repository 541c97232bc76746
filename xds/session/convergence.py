"""What is due to a client next: make before break, across types, gated on its acknowledgements.

A resource goes out once the client can use what it names, and is taken away once nothing that the client
holds names it (xDS protocol, "Eventual consistency considerations"). The order between types follows from
that; it is not a list of phases. Knows nothing about how requests and responses look.
"""

import math
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum, auto

from xds.names import Nonce, ResourceName, TypeUrl
from xds.session.holdings import Holdings
from xds.session.limits import Limits
from xds.session.outputs import Acked, Nacked
from xds.session.standing import Standing
from xds.session.subscription import Subscription
from xds.session.typestate import InFlight, TypeState
from xds.snapshot import Ref, Resource, ResourceTable, Snapshot, Whole, awaited_by, delta_size, removal_size

_BEATS = 3
"""How often a client hears of a resource within the time after which it would let go of it."""

_ORDER = {str(type_url): place for place, type_url in enumerate(TypeUrl)}


class Readiness(Enum):
    """Whether a change may be sent.

    What waits goes after a time. What is in use stays: the client has rejected what would have ended its use, or
    that of something that uses it, or what its successor needs.
    """

    READY = auto()
    WAITS = auto()
    IN_USE = auto()


@dataclass(slots=True)
class Plan:
    """What may be sent of one type now."""

    upserts: list[Resource] = field(default_factory=list)
    removed: list[ResourceName] = field(default_factory=list)
    alive: tuple[Resource, ...] = ()
    whole: Whole | None = None
    """The table that `upserts` are all of."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to send."""
        return not (self.upserts or self.removed or self.alive)

    @property
    def size(self) -> int:
        """How many resources and removals it has."""
        return len(self.upserts) + len(self.removed)

    def changes(self) -> Mapping[ResourceName, Resource | None]:
        """The plan as what the client will hold under each name."""
        if self.whole and not self.removed:
            return self.whole.by_name
        return {
            **{resource.name: resource for resource in self.upserts},
            **dict.fromkeys(self.removed),
        }


class Convergence:
    """The types of one stream, and what keeps each of them from the newest snapshot.

    A response of the types in `whole` can't be sent in parts. `tells_ttl`: the client knows of TTLs.
    """

    def __init__(
        self, snapshot: Snapshot, limits: Limits, *, whole: AbstractSet[str] = frozenset(), tells_ttl: bool = False
    ) -> None:
        self.snapshot = snapshot
        self.limits = limits
        self._whole = whole
        self.tells_ttl = tells_ttl
        self._states: dict[str, TypeState] = {}
        self._none_of: dict[str, ResourceTable] = {}
        self._awaited: dict[str, set[ResourceName]] = {}
        self._usable: dict[Ref, bool] = {}  # while a plan is made: what thousands of scopes ask of one route table

    def state(self, type_url: str) -> TypeState | None:
        """The state of a type, if the client has asked for it."""
        return self._states.get(type_url)

    def __len__(self) -> int:
        return len(self._states)

    def states(self) -> Iterator[TypeState]:
        """The types asked for, in the order in which a client must learn of them."""
        return iter(self._states.values())

    def standings(self) -> dict[str, Standing]:
        """How each type that was asked for stands, for people."""
        return {state.type_url: Standing(state) for state in self.states()}

    def begin(self, type_url: str, subscription: Subscription) -> TypeState:
        """Start a type at its first request. A type that we have none of is an empty table."""
        state = TypeState(type_url, self._table(type_url), Holdings(type_url), subscription)
        if self.tells_ttl:
            state.beats_at = 0.0  # what the client brings along may be near its end
        states = [*self._states.values(), state]
        self._states = {each.type_url: each for each in sorted(states, key=lambda each: _place(each.type_url))}
        return state

    def take_awaited(self, type_url: str) -> AbstractSet[ResourceName]:
        """What the client waits for since something was sent on this stream, whatever it held before.

        Told once, when the type begins.
        """
        return self._awaited.pop(type_url, frozenset())

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
                if not plan.is_empty or (state.must_be_told and not state.answered):
                    yield state, plan

    def record(self, state: TypeState, nonce: Nonce, version_info: str, plan: Plan) -> None:
        """Note a response as sent, before it is written: its acknowledgement may be quicker than we are.

        xDS protocol, "Resource warming": a cluster that is sent again warms again, and Envoy then needs its
        endpoints again, even unchanged.
        """
        changes = plan.changes()
        named = plan.whole.refs if plan.whole else {ref for resource in plan.upserts for ref in resource.refs}
        completes = state.target if state.differing <= changes.keys() else None
        state.send(InFlight(nonce, version_info, self.snapshot.number, changes, named, completes))
        for type_url, names in (plan.whole.awaits if plan.whole else awaited_by(plan.upserts)).items():
            awaited = self._states.get(type_url)
            if awaited is None:
                self._awaited.setdefault(type_url, set()).update(names)
            else:
                awaited.owe(awaited.covered(names))

    def acknowledge(self, state: TypeState, error: str | None) -> tuple[Acked | Nacked, ...]:
        """Take the client's word on the response in flight, if there is one; `error` makes it a NACK."""
        sent = state.in_flight
        if sent is None:
            return ()
        if error is None:
            state.acknowledge()
            acked = Acked(
                type_url=state.type_url,
                nonce=sent.nonce,
                version_info=sent.version_info,
                snapshot=sent.snapshot,
            )
            return (acked,)
        state.reject()
        nacked = Nacked(
            type_url=state.type_url,
            nonce=sent.nonce,
            version_info=sent.version_info,
            snapshot=sent.snapshot,
            error=error,
            changes=sent.changes,
        )
        return (nacked,)

    def deadline(self) -> float | None:
        """When something that is held back goes anyway, or a client must hear of what has a TTL."""
        idle = [state for state in self._states.values() if state.in_flight is None]
        waits = (self._due(since) for state in idle for since in state.waiting.values())
        beats = (state.beats_at for state in idle if state.beats_at is not None)
        return min((*waits, *beats), default=None)

    def _plan(self, state: TypeState, now: float) -> Plan:
        """What may go now, as much of it as one response may carry, and always something of it; removals come last."""
        if state.is_untold and (opening := self._opening(state)):
            self._beat(state, opening, now)
            return opening
        self._usable.clear()
        plan = Plan()
        gone: list[ResourceName] = []
        waiting: dict[ResourceName, float] = {}
        room = math.inf if state.type_url in self._whole else self.limits.response_bytes
        for name in state.due():
            if not self._may_go(state, name, now, waiting):
                continue
            resource = state.target.get(name)
            if resource is None:
                gone.append(name)
                continue
            room -= delta_size(state.type_url, resource)
            if room < 0 and plan.upserts:
                # The rest follows when this is acknowledged; since when it waits is not forgotten.
                waiting = {**state.waiting, **waiting}
                gone.clear()
                break
            plan.upserts.append(resource)
        for name in gone:
            room -= removal_size(name)
            if room < 0 and plan.size:
                break
            plan.removed.append(name)
        state.waiting = {name: since for name, since in waiting.items() if state.is_due(name)}
        self._beat(state, plan, now)
        return plan

    def _opening(self, state: TypeState) -> Plan | None:
        """The first response, to a client that holds nothing and asks for all; none if that is too much for one.

        What every plan would come to, since nothing of a first response waits; but all such streams share its parts.
        """
        whole = state.target.whole
        if not state.subscription.covers_all(whole.names) or (
            whole.bytes > self.limits.response_bytes and state.type_url not in self._whole
        ):
            return None
        return Plan(whole.resources, sorted(state.owed - whole.names), whole=whole)

    def _may_go(self, state: TypeState, name: ResourceName, now: float, waiting: dict[ResourceName, float]) -> bool:
        """Whether that change goes now; if it is one that waits, notes since when."""
        is_owed = name in state.owed
        if state.is_parked(name) and not is_owed:
            return False
        readiness = self._readiness(state, name)
        if readiness is Readiness.READY:
            return True
        if readiness is Readiness.IN_USE and not (is_owed and name in state.target):
            return False
        since = waiting[name] = state.waiting.get(name, now)
        # The first response goes out whole: its client holds nothing that could break, and must not
        # open for requests with half of what it needs.
        return not state.answered or now >= self._due(since)

    def _beat(self, state: TypeState, plan: Plan, now: float) -> None:
        """Have the client hear of what has a TTL, in time ("TTL")."""
        if not self.tells_ttl:
            return
        if state.beats_at is not None and now >= state.beats_at:
            state.beats_at = None
            said = plan.changes()
            held = (state.holdings.get(name) for name in sorted(state.target.mortal) if name not in said)
            plan.alive = tuple(each for each in held if each and each.ttl is not None)
        lives = [each.ttl for each in (*plan.upserts, *plan.alive) if each.ttl is not None]
        if lives:
            next_beat = now + min(lives) / _BEATS
            state.beats_at = next_beat if state.beats_at is None else min(state.beats_at, next_beat)

    def _readiness(self, state: TypeState, name: ResourceName) -> Readiness:
        resource = state.target.get(name)
        return self._to_add(state, resource) if resource else self._to_remove(state, name)

    def _to_add(self, state: TypeState, resource: Resource) -> Readiness:
        if all(self._is_usable(ref) for ref in resource.needs):
            is_held = state.type_url == TypeUrl.ROUTE and state.holdings.get(resource.name) is not None
            is_left = is_held and self._is_being_left(Ref(state.type_url, resource.name))
            return Readiness.WAITS if is_left else Readiness.READY
        # What works is not exchanged for what can't: a tenant stays in its cell while the client rejects the new one.
        if state.holdings.get(resource.name) and any(self._is_refused(ref) for ref in resource.needs):
            return Readiness.IN_USE
        return Readiness.WAITS

    def _to_remove(self, state: TypeState, name: ResourceName) -> Readiness:
        # What the client does not hold can't be missed: that it does not exist is said at once.
        return self._use_of(Ref(state.type_url, name)) if state.holdings.get(name) else Readiness.READY

    def _use_of(self, ref: Ref) -> Readiness:
        readiness = Readiness.READY
        for state in self._states.values():
            for user in state.holdings.users(ref):
                if state.is_parked(user) or self._readiness(state, user) is Readiness.IN_USE:
                    return Readiness.IN_USE
                readiness = Readiness.WAITS
            if state.is_naming(ref):
                readiness = Readiness.WAITS
        return readiness

    def _is_being_left(self, ref: Ref) -> bool:
        """Whether something that the client holds names that route table, and soon will not.

        A cell that is left and retired at once must not refuse the tenants that are about to leave it.
        """
        return any(
            state.is_naming(ref) or any(_leaves(state, user, ref) for user in state.holdings.users(ref))
            for state in self._states.values()
        )

    def _due(self, since: float) -> float:
        return since + self.limits.wait_seconds

    def _is_usable(self, ref: Ref) -> bool:
        known = self._usable.get(ref)
        if known is None:
            known = self._usable[ref] = self._can_be_used(ref)
        return known

    def _can_be_used(self, ref: Ref) -> bool:
        """Whether the client has acknowledged that resource, newest content, with all that it names.

        A type that the client never asked for is not its way to learn of things, and keeps nothing waiting.
        What it rejected stays as it was: the old content is in use, and no reason to wait.
        """
        state = self._states.get(ref.type_url)
        if state is None:
            return True
        resource = state.target.get(ref.name)
        if resource is None:
            return True
        if not state.covers(ref.name) or not state.holdings.get(ref.name) or state.is_in_flight(ref.name):
            return False
        if ref.name in state.owed or (ref.name in state.differing and not state.is_parked(ref.name)):
            return False
        return all(self._is_usable(each) for each in resource.refs)

    def _is_refused(self, ref: Ref) -> bool:
        """Whether the client rejected that resource, or one it depends on, and holds no older content of it."""
        state = self._states.get(ref.type_url)
        resource = state.target.get(ref.name) if state else None
        if state is None or resource is None:
            return False
        if state.is_parked(ref.name):
            return state.holdings.get(ref.name) is None
        return any(self._is_refused(each) for each in resource.refs)

    def _table(self, type_url: str) -> ResourceTable:
        table = self.snapshot.tables.get(type_url)
        return self._none_of.setdefault(type_url, ResourceTable(type_url)) if table is None else table


def _leaves(state: TypeState, user: ResourceName, ref: Ref) -> bool:
    wanted = state.target.get(user)
    return not state.is_parked(user) and (wanted is None or ref not in wanted.refs)


def _place(type_url: str) -> int:
    return _ORDER.get(type_url, len(_ORDER))
