"""The delta (incremental) variant of a session.

xDS protocol, "Incremental xDS". Knows nothing about streams or encodings of requests.
"""

from collections.abc import Set as AbstractSet

from xds.names import Nonce, ResourceName, TypeUrl, Version
from xds.session.convergence import Convergence, Plan
from xds.session.identity import TTL_FEATURE
from xds.session.limits import Limits
from xds.session.outputs import Cause, Ignored, Output, Respond, Violated
from xds.session.requests import DeltaRequest
from xds.session.standing import Standing
from xds.session.subscription import STAR, after_delta
from xds.session.typestate import TypeState
from xds.snapshot import Frames, Mortality, Resource, Snapshot, with_nonce


class DeltaSession:
    """One delta stream. Every input returns the outputs that it caused; `now` is in seconds of any clock."""

    def __init__(
        self, snapshot: Snapshot, limits: Limits, frames: Frames, features: AbstractSet[str] = frozenset()
    ) -> None:
        self._convergence = Convergence(snapshot, limits, tells_ttl=TTL_FEATURE in features)
        self._frames = frames
        self._nonces = 0

    # Inputs

    def receive(self, request: DeltaRequest, now: float) -> tuple[Output, ...]:
        """Take a request: an acknowledgement, a change of subscription, or both at once."""
        if not request.type_url:
            return (Violated(reason="a request on an aggregated stream must carry a type_url"),)
        state = self._convergence.state(request.type_url)
        if state is None:
            if len(self._convergence) >= self._convergence.limits.types:
                return (Violated(reason=f"more than {self._convergence.limits.types} resource types on one stream"),)
            self._begin(request)
            return self._respond("request", now)
        answer = self._acknowledge(state, request)
        # "Incremental xDS": a stale nonce makes the acknowledgement void, never the change of subscription.
        if request.subscribe or request.unsubscribe:
            _change(state, request)
        return (*answer, *self._respond("request", now))

    def publish(self, snapshot: Snapshot, now: float) -> tuple[Output, ...]:
        """Take a newer snapshot."""
        self._convergence.publish(snapshot)
        return self._respond("publish", now)

    def expire(self, now: float) -> tuple[Output, ...]:
        """Send what has waited too long; to be called at `deadline`."""
        return self._respond("publish", now)

    # Queries

    @property
    def deadline(self) -> float | None:
        """When `expire` is due, if nothing else happens."""
        return self._convergence.deadline()

    def subscribed(self, type_url: str) -> int | None:
        """How many names of a type the client asks for; None for all."""
        state = self._convergence.state(type_url)
        return 0 if state is None else state.subscription.count

    def standings(self) -> dict[str, Standing]:
        """How each type that was asked for stands, for people."""
        return self._convergence.standings()

    # Private

    def _begin(self, request: DeltaRequest) -> None:
        subscription = after_delta(None, request.type_url, request.subscribe, request.unsubscribe)
        state = self._convergence.begin(request.type_url, subscription)
        # "Incremental xDS": the first request of a type may say what the client holds already.
        for name, version in request.known.items():
            held = state.target.get(ResourceName(name))
            if held is None or held.version != version:
                held = Resource(ResourceName(name), Version(version), b"")
            state.holdings.put(ResourceName(name), held)
        state.answered = bool(request.known)
        state.owe(name for name in subscription.names if not request.known or state.holdings.get(name) is None)
        state.owe(state.covered(self._convergence.take_awaited(request.type_url)))

    def _acknowledge(self, state: TypeState, request: DeltaRequest) -> tuple[Output, ...]:
        """Take the acknowledgement in a request, if there is one ("ACK and NACK semantics summary")."""
        if not request.nonce:
            return ()
        nonce = Nonce(request.nonce)
        if state.in_flight is None or state.in_flight.nonce != nonce:
            return (Ignored(type_url=state.type_url, nonce=nonce, reason="not the response in flight"),)
        return self._convergence.acknowledge(state, request.error)

    def _respond(self, cause: Cause, now: float) -> tuple[Output, ...]:
        responses: list[Output] = []
        for state, due in self._convergence.plans(now):
            plan = _sayable(state, due)
            if not plan.is_empty or plan is due:
                responses.append(self._response(state, plan, cause))
        return tuple(responses)

    def _response(self, state: TypeState, plan: Plan, cause: Cause) -> Respond:
        self._nonces += 1
        nonce = Nonce(str(self._nonces))
        version = state.target.version_info
        mortality = Mortality(self._convergence.tells_ttl, plan.alive)
        body = self._frames.delta(state.type_url, version, plan.upserts, plan.removed, mortality)
        self._convergence.record(state, nonce, version, plan)
        return Respond(
            type_url=state.type_url,
            nonce=nonce,
            frame=with_nonce(body, nonce),
            version_info=version,
            snapshot=self._convergence.snapshot.number,
            resources=len(plan.upserts) + len(plan.alive),
            removed=len(plan.removed),
            cause=cause,
        )


def _sayable(state: TypeState, due: Plan) -> Plan:
    """What of a plan may be said: of a filter's config no removal, and not that there is none.

    An Envoy (1.40) that hears of one while it starts never gets ready; left alone it goes on after a time. And a filter
    that is still named must not lose its config (Envoy issue 32823).
    """
    if state.type_url != TypeUrl.EXTENSION or not due.removed:
        return due
    for name in due.removed:
        state.drop(name)
    return Plan(due.upserts, alive=due.alive)


def _change(state: TypeState, request: DeltaRequest) -> None:
    """Take the change of subscription in a request."""
    before = state.subscription
    subscription = after_delta(before, state.type_url, request.subscribe, request.unsubscribe)
    state.resubscribe(subscription)
    # "Subscribing to Resources": each name must be answered, even if the client is believed to hold it; it may
    # have forgotten. "Knowing When a Requested Resource Does Not Exist": with a removal, if there is none.
    for name in request.subscribe:
        if name != STAR and subscription.covers(ResourceName(name)):
            state.owe((ResourceName(name),))
    # "Unsubscribing from Resources": under a wildcard the client can't tell what became of the name.
    if subscription.is_wildcard:
        for name in request.unsubscribe:
            if name != STAR and name in before.names:
                state.owe((ResourceName(name),))
