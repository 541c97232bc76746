"""How a type stands with a client, step by step."""

import pytest

from tests.support.builders import CDS, LDS, cluster, listener, table
from tests.support.conversation import VARIANTS, Conversation, Variant
from xds.names import Nonce, ResourceName, Version
from xds.session.holdings import Holdings
from xds.session.standing import Progress, ResourceStanding, Standing
from xds.session.subscription import Subscription, Wildcard
from xds.session.typestate import InFlight, TypeState
from xds.snapshot import Resource

A, B = ResourceName("a"), ResourceName("b")
EVERYTHING = Subscription(wildcard=Wildcard.EXPLICIT, named=True)


@pytest.fixture
def state() -> TypeState:
    """A client that asks for everything there is, `a` alone, and holds nothing yet."""
    held = TypeState(CDS, table(CDS, cluster("a")), Holdings(CDS), EVERYTHING)
    held.refresh()
    return held


def send(state: TypeState, *names: ResourceName) -> None:
    state.send(InFlight(Nonce("1"), "v", 1, {name: state.target.get(name) for name in names}, set()))


def accept(state: TypeState, *names: ResourceName) -> None:
    send(state, *names)
    state.acknowledge()
    state.refresh()


def of(state: TypeState, name: ResourceName) -> tuple[Progress, Version | None, Version | None]:
    told = Standing(state).of(name)
    assert (told.name, told.content.version if told.content else None) == (name, told.sent)
    return told.progress, told.sent, told.acked


def version(state: TypeState, name: ResourceName) -> Version:
    resource = state.target.get(name)
    assert resource is not None
    return resource.version


def test_a_resource_goes_from_not_sent_to_sent_to_acknowledged(state: TypeState) -> None:
    wanted = version(state, A)
    assert of(state, A) == (Progress.NOT_SENT, None, None)
    send(state, A)
    assert of(state, A) == (Progress.SENT, wanted, None)
    state.acknowledge()
    state.refresh()
    assert of(state, A) == (Progress.ACKED, wanted, wanted)


def test_newer_content_is_not_sent_until_it_is(state: TypeState) -> None:
    accept(state, A)
    old = version(state, A)
    state.aim(table(CDS, cluster("a", "new")))
    state.refresh()

    assert of(state, A) == (Progress.NOT_SENT, old, old)
    send(state, A)
    assert of(state, A) == (Progress.SENT, version(state, A), old)


def test_rejected_content_stands_beside_what_was_acknowledged_before(state: TypeState) -> None:
    accept(state, A)
    old = version(state, A)
    state.aim(table(CDS, cluster("a", "new")))
    state.refresh()
    assert not Standing(state).has_nack
    send(state, A)
    state.reject()

    assert of(state, A) == (Progress.NACKED, version(state, A), old)
    assert Standing(state).has_nack


def test_a_removal_is_followed_like_any_change(state: TypeState) -> None:
    accept(state, A)
    old = version(state, A)
    state.aim(table(CDS))
    state.refresh()

    assert Standing(state).names() == [A]
    assert of(state, A) == (Progress.NOT_SENT, old, old)
    send(state, A)
    assert of(state, A) == (Progress.SENT, None, old)
    state.acknowledge()
    state.refresh()
    assert Standing(state).names() == []


def test_what_does_not_exist_is_named_where_it_is_asked_for(state: TypeState) -> None:
    state.resubscribe(Subscription(frozenset({B}), named=True))
    state.owed.add(B)
    state.refresh()

    assert Standing(state).names() == [B]
    assert of(state, B) == (Progress.NOT_SENT, None, None)
    accept(state, B)
    assert of(state, B) == (Progress.ACKED, None, None)


def test_names_are_sorted_and_only_those_that_are_asked_for(state: TypeState) -> None:
    state.aim(table(CDS, cluster("b"), cluster("c"), cluster("a")))
    state.refresh()
    assert Standing(state).names() == ["a", "b", "c"]

    state.resubscribe(Subscription(frozenset({B, A}), named=True))
    state.refresh()
    assert Standing(state).names() == ["a", "b"]


def test_what_the_client_brought_along_has_a_version_and_no_content(state: TypeState) -> None:
    state.holdings.put(A, Resource(A, Version("old"), b""))

    assert Standing(state).of(A) == ResourceStanding(
        name=A, progress=Progress.NOT_SENT, sent=Version("old"), acked=Version("old"), content=None
    )


def test_a_type_is_complete_once_all_of_its_table_is_asked_for_and_acknowledged(state: TypeState) -> None:
    assert not Standing(state).is_complete
    accept(state, A)
    assert Standing(state).is_complete
    assert Standing(state).table is state.target

    state.aim(table(CDS, cluster("a"), cluster("b")))
    state.refresh()
    state.resubscribe(Subscription(frozenset({A}), named=True))
    state.refresh()

    assert state.is_current
    assert not Standing(state).is_complete, "b is not asked for"


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_session_tells_how_each_type_stands_that_was_asked_for(variant: Variant) -> None:
    conversation = Conversation(variant, (listener("l"), cluster("a")))
    conversation.asks(LDS)
    conversation.asks(CDS)
    conversation.acks(CDS)

    told = {
        type_url: [(each.name, each.progress) for each in map(standing.of, standing.names())]
        for type_url, standing in conversation.session.standings().items()
    }
    assert told == {CDS: [("a", Progress.ACKED)], LDS: [("l", Progress.SENT)]}
