"""The state-of-the-world variant of a session.

xDS protocol, "SotW". Knows nothing about streams or encodings of requests.
"""

from collections.abc import Set as AbstractSet

from xds.names import Nonce, TypeUrl
from xds.session.convergence import Convergence, Plan
from xds.session.identity import TTL_FEATURE, WRAPPER_FEATURE
from xds.session.limits import Limits
from xds.session.outputs import Cause, Ignored, Output, Respond, Violated
from xds.session.requests import SotwRequest
from xds.session.standing import Standing
from xds.session.subscription import Subscription, after_sotw
from xds.session.typestate import TypeState
from xds.snapshot import Frames, Resource, Snapshot, encode_resource, field, with_nonce

WHOLE_TYPES = frozenset({TypeUrl.CLUSTER, TypeUrl.LISTENER, TypeUrl.SCOPE})
"""Each response of these is the whole set, and what is missing from it is deleted ("Grouping Resources into
Responses" for clusters and listeners; Envoy reads scopes so too). Of the others a response may be a part."""


class SotwSession:
    """One state-of-the-world stream. Every input returns the outputs that it caused."""

    def __init__(
        self, snapshot: Snapshot, limits: Limits, frames: Frames, features: AbstractSet[str] = frozenset()
    ) -> None:
        tells_ttl = features >= {TTL_FEATURE, WRAPPER_FEATURE}
        self._convergence = Convergence(snapshot, limits, whole=WHOLE_TYPES, tells_ttl=tells_ttl)
        self._frames = frames
        self._nonces = 0

    # Inputs

    def receive(self, request: SotwRequest, now: float) -> tuple[Output, ...]:
        """Take a request: an acknowledgement, a change of subscription, or both at once."""
        if not request.type_url:
            return (Violated(reason="a request on an aggregated stream must carry a type_url"),)
        state = self._convergence.state(request.type_url)
        if state is None:
            if len(self._convergence) >= self._convergence.limits.types:
                return (Violated(reason=f"more than {self._convergence.limits.types} resource types on one stream"),)
            self._begin(request)
            return self._respond("request", now)
        if _is_stale(state, request):
            # "Resource updates": a request that answers an older response gets no answer. Nothing is lost: only
            # one response is in flight, and the request that answers it carries the full set of names again.
            return (Ignored(type_url=state.type_url, nonce=Nonce(request.nonce), reason="not the newest response"),)
        answer = self._convergence.acknowledge(state, request.error)
        _change(state, after_sotw(state.subscription, state.type_url, request.names))
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

    def _begin(self, request: SotwRequest) -> None:
        subscription = after_sotw(None, request.type_url, request.names)
        state = self._convergence.begin(request.type_url, subscription)
        state.owe(subscription.names)
        state.is_known = request.type_url not in WHOLE_TYPES
        # "Resource updates": on a new stream the version tells what the client holds, if it holds everything.
        is_all = subscription.is_wildcard and not state.is_known
        if is_all and request.version_info == state.target.version_info:
            state.holdings.rebase(state.target, ())
            state.answered = state.is_known = True

    def _respond(self, cause: Cause, now: float) -> tuple[Output, ...]:
        responses: list[Output] = []
        dropped = False
        for state, due in self._convergence.plans(now):
            plan = due
            if not state.is_known and not due.whole:
                plan = Plan([*state.everything()], due.removed, due.alive)
            if state.type_url not in WHOLE_TYPES:
                plan = _sayable(state, due)
                dropped |= plan.size < due.size
            if not plan.is_empty or state.type_url in WHOLE_TYPES:
                responses.append(self._response(state, plan, cause))
        # What was dropped may have kept something of an earlier type from being removed.
        return (*responses, *self._respond(cause, now)) if dropped else tuple(responses)

    def _response(self, state: TypeState, plan: Plan, cause: Cause) -> Respond:
        if state.type_url in WHOLE_TYPES:
            resources, version = _whole(state, plan)
        else:
            # "TTL" has a heartbeat without content. Envoy (1.40) takes it in this variant, and still lets go.
            resources, version = [*plan.upserts, *plan.alive], state.target.version_info
        body = self._frames.sotw(state.type_url, version, resources, tells_ttl=self._convergence.tells_ttl)
        self._nonces += 1
        nonce = Nonce(str(self._nonces))
        self._convergence.record(state, nonce, version, plan)
        return Respond(
            type_url=state.type_url,
            nonce=nonce,
            frame=with_nonce(body, nonce),
            version_info=version,
            snapshot=self._convergence.snapshot.number,
            resources=len(resources),
            removed=len(plan.removed),
            cause=cause,
        )


def _whole(state: TypeState, plan: Plan) -> tuple[list[Resource], str]:
    """Everything the client is to hold after this response, and its version.

    What must wait, or was rejected, stands in it as the client holds it now.
    """
    if plan.whole:
        return plan.upserts, state.target.version_info
    changes = plan.changes()
    kept = {name: state.holdings.get(name) for name in state.differing if name not in changes}
    wanted = {**{resource.name: resource for resource in state.everything()}, **kept}
    resources = [resource for _, resource in sorted(wanted.items()) if resource]
    # The version is that of what is said, so that it can't pass for more on the client's next stream.
    left_out = [] if state.subscription.is_wildcard else [name for name in state.target if not state.covers(name)]
    return resources, state.target.version_info_of({**dict.fromkeys(left_out), **kept})


def _sayable(state: TypeState, due: Plan) -> Plan:
    """What of a plan a response can say that is no whole set.

    "Deleting Resources": a removal it can't; that is implied by what names the resource. But endpoints that a client
    asks for, and waits for, are said to be none: on another replica their cluster may be gone already.
    """
    if not due.removed:
        return due
    plan = Plan([*due.upserts], alive=due.alive)
    for name in due.removed:
        if name in state.owed and state.type_url == TypeUrl.ENDPOINT:
            plan.upserts.append(encode_resource(name, field(1, name.encode())))
        else:
            state.drop(name)
    return plan


def _is_stale(state: TypeState, request: SotwRequest) -> bool:
    """Whether a request was made before the newest response, or, with no nonce, may have been."""
    if request.nonce:
        return state.newest is not None and request.nonce != state.newest
    return state.in_flight is not None


def _change(state: TypeState, subscription: Subscription) -> None:
    """Take the full set of names; a new one must be answered, even if it was sent unasked before."""
    before = state.subscription
    if subscription == before:
        return
    state.resubscribe(subscription)
    state.owe(subscription.names - before.names)
