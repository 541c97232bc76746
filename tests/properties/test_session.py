"""What holds of a session whatever happens to it, and in whatever order."""

from collections.abc import Callable
from typing import get_args

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.properties.scripts import Publish, contents, scripts
from tests.properties.world import World
from tests.support.builders import Item, snapshot
from tests.support.conversation import VARIANTS, Conversation, Variant
from xds.names import TypeUrl
from xds.proto import discovery_pb2 as pb
from xds.server.wire import Garbage, decode_delta, decode_sotw
from xds.session import (
    Acked,
    DeltaRequest,
    DeltaSession,
    Limits,
    Nacked,
    Node,
    Output,
    Respond,
    SotwRequest,
    SotwSession,
    Violated,
    identify,
)
from xds.snapshot import Frames

tried = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
"""On how many examples, the profile says: everyday's, or `nightly`."""
both_variants = pytest.mark.parametrize("variant", VARIANTS)
both_clients = pytest.mark.parametrize("follows", [False, True])
"""`follows`: the client asks for endpoints and route tables as Envoy does; otherwise at random."""


@both_clients
@both_variants
@tried
@given(data=st.data())
def test_converge(variant: Variant, follows: bool, data: st.DataObject) -> None:
    """A client ends holding exactly its subscription ∩ the snapshot."""
    world = World(variant, follows=follows)
    last = data.draw(contents(may_be_bad=False))

    world.play(data.draw(scripts(follows=follows)))
    world.publish(last)
    world.settle()

    for type_url in TypeUrl:
        assert world.held(type_url) == world.wanted(type_url), type_url.label


@both_clients
@both_variants
@tried
@given(data=st.data())
def test_quiet(variant: Variant, follows: bool, data: st.DataObject) -> None:
    """An equal snapshot sends nothing, whatever is under way; and once all is said, nothing does but a change."""
    world = World(variant, follows=follows)

    world.play(data.draw(scripts(follows=follows)))
    world.expire()  # what was due before is no answer to the snapshot
    assert world.publish(tuple(reversed(world.items))) == ()
    world.settle()

    assert world.publish(tuple(reversed(world.items))) == ()
    assert world.session.expire(1e9) == ()


@both_clients
@both_variants
@tried
@given(data=st.data())
def test_order(variant: Variant, follows: bool, data: st.DataObject) -> None:
    """Within the time limit, nothing names what is not acknowledged, and nothing in use is taken away."""
    world = World(variant, follows=follows)

    world.play(data.draw(scripts(follows=follows, may_elapse=False)))

    assert world.ledger.breaches == []


@both_clients
@both_variants
@tried
@given(data=st.data())
def test_calm(variant: Variant, follows: bool, data: st.DataObject) -> None:
    """No type has two responses in flight, and what was rejected is not sent again before it changes."""
    world = World(variant, follows=follows)

    world.play(data.draw(scripts(follows=follows)))
    world.settle()

    assert [breach for breach in world.ledger.breaches if not breach.startswith("order")] == []


@tried
@given(publishes=st.lists(contents(may_be_bad=False), min_size=1, max_size=5))
def test_variants_agree(publishes: list[tuple[Item, ...]]) -> None:
    """A client that is sent the state of the world ends where one that is sent differences does."""
    worlds = [World(variant, follows=True) for variant in VARIANTS]
    for items in publishes:
        for world in worlds:
            world.publish(items)
            world.settle()
            assert world.ledger.breaches == []

    delta, sotw = worlds
    for type_url in TypeUrl:
        assert delta.held(type_url) == sotw.held(type_url) == sotw.wanted(type_url)


# Any input at all

TYPES = st.one_of(st.sampled_from([*TypeUrl, ""]), st.text(max_size=3))
NAMES = st.lists(st.one_of(st.sampled_from(["*", "", "a", "b", "-/r"]), st.text(max_size=3)), max_size=4).map(tuple)
NONCES = st.one_of(st.integers(0, 9).map(str), st.text(max_size=2))
ERRORS = st.one_of(st.none(), st.text(max_size=2))
DELTA_REQUESTS = st.builds(
    DeltaRequest,
    type_url=TYPES,
    nonce=NONCES,
    error=ERRORS,
    subscribe=NAMES,
    unsubscribe=NAMES,
    known=st.dictionaries(st.text(max_size=2), st.text(max_size=2), max_size=3),
)
SOTW_REQUESTS = st.builds(
    SotwRequest, type_url=TYPES, nonce=NONCES, error=ERRORS, names=NAMES, version_info=st.text(max_size=2)
)


@tried
@given(steps=st.lists(st.one_of(DELTA_REQUESTS, SOTW_REQUESTS, contents(may_be_bad=True).map(Publish)), max_size=30))
def test_total(steps: list[DeltaRequest | SotwRequest | Publish]) -> None:
    """Any request gives outputs, never an exception, and no type ever has two responses in flight."""
    sessions = (DeltaSession(snapshot(), Limits(types=7), Frames()), SotwSession(snapshot(), Limits(types=7), Frames()))
    in_flight: dict[object, set[str]] = {each: set() for each in sessions}
    for now, step in enumerate(steps):
        for session in sessions:
            outputs: tuple[Output, ...] = ()
            match step:
                case Publish():
                    outputs = session.publish(snapshot(*step.items, number=now), now)
                case DeltaRequest() if isinstance(session, DeltaSession):
                    outputs = session.receive(step, now)
                case SotwRequest() if isinstance(session, SotwSession):
                    outputs = session.receive(step, now)
                case _:
                    pass
            outputs += session.expire(now)
            assert all(isinstance(output, get_args(Output)) for output in outputs)
            _count(in_flight[session], outputs)


DECODE: dict[Variant, Callable[[bytes], tuple[Node | None, DeltaRequest | SotwRequest]]] = {
    "delta": decode_delta,
    "sotw": decode_sotw,
}
ANY_NODE = st.builds(pb.Node, id=st.text(max_size=2), cluster=st.text(max_size=2))
ANY_MESSAGE = {
    "delta": st.builds(
        pb.DeltaDiscoveryRequest,
        node=ANY_NODE,
        type_url=TYPES,
        resource_names_subscribe=NAMES,
        resource_names_unsubscribe=NAMES,
        initial_resource_versions=st.dictionaries(st.text(max_size=2), st.text(max_size=2), max_size=3),
        response_nonce=NONCES,
        error_detail=st.none() | st.builds(pb.ErrorDetail, message=st.text(max_size=2)),
    ),
    "sotw": st.builds(
        pb.DiscoveryRequest,
        node=ANY_NODE,
        type_url=TYPES,
        resource_names=NAMES,
        version_info=st.text(max_size=2),
        response_nonce=NONCES,
        error_detail=st.none() | st.builds(pb.ErrorDetail, message=st.text(max_size=2)),
    ),
}


@both_variants
@tried
@given(data=st.data())
def test_total_from_the_bytes_on(variant: Variant, data: st.DataObject) -> None:
    """Any bytes are garbage, or a request that gives outputs; and then the session goes on as before."""
    conversation = Conversation(variant, data.draw(contents(may_be_bad=True)))
    node = None
    for raw in data.draw(st.lists(ANY_MESSAGE[variant].map(_wire) | st.binary(max_size=20), max_size=20)):
        try:
            claimed, request = DECODE[variant](raw)
        except Garbage:
            continue
        known = identify(claimed, node)
        assert isinstance(known, Node | Violated)
        node = known if isinstance(known, Node) else node
        conversation.sends(request)


def _wire(message: Message) -> bytes:
    return message.SerializeToString()


def _count(in_flight: set[str], outputs: tuple[Output, ...]) -> None:
    for output in outputs:
        match output:
            case Respond():
                assert output.type_url not in in_flight
                in_flight.add(output.type_url)
            case Acked() | Nacked():
                in_flight.remove(output.type_url)
            case _:
                pass
