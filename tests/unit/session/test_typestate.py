"""One type on one stream: asked for, sent, acknowledged and rejected, each on its own record."""

import pytest

from tests.support.builders import CDS, cluster, eds_cluster, table
from xds.names import Nonce, ResourceName
from xds.session.holdings import Holdings
from xds.session.subscription import Subscription, Wildcard
from xds.session.typestate import InFlight, TypeState
from xds.snapshot import Resource, ResourceTable

A, B = ResourceName("a"), ResourceName("b")
EVERYTHING = Subscription(wildcard=Wildcard.EXPLICIT, named=True)


def only(*names: ResourceName) -> Subscription:
    return Subscription(frozenset(names), named=True)


def sent(*resources: Resource, removed: tuple[ResourceName, ...] = (), nonce: str = "1") -> InFlight:
    changes = {**{each.name: each for each in resources}, **dict.fromkeys(removed)}
    named = {ref for each in resources for ref in each.refs}
    return InFlight(Nonce(nonce), "v", 1, changes, named)


@pytest.fixture
def target() -> ResourceTable:
    return table(CDS, cluster("a"), cluster("b"))


@pytest.fixture
def state(target: ResourceTable) -> TypeState:
    """A client that asks for everything and holds nothing yet."""
    return TypeState(CDS, target, Holdings(CDS), EVERYTHING)


def accept(state: TypeState, in_flight: InFlight) -> None:
    state.send(in_flight)
    state.acknowledge()
    state.refresh()


def accept_all(state: TypeState) -> None:
    accept(state, sent(*state.target.values()))


# Subscribed, sent and acknowledged are three records


def test_what_is_asked_for_and_not_held_differs(state: TypeState) -> None:
    state.refresh()

    assert state.differing == {A, B}


def test_what_is_sent_is_not_held_before_it_is_acknowledged(state: TypeState) -> None:
    state.send(sent(*state.target.values()))
    state.refresh()

    assert state.differing == {A, B}
    assert state.is_in_flight(A)


def test_what_is_acknowledged_differs_no_longer(state: TypeState) -> None:
    accept_all(state)

    assert state.differing == set()
    assert not state.is_in_flight(A)


def test_what_is_not_asked_for_never_differs(target: ResourceTable) -> None:
    state = TypeState(CDS, target, Holdings(CDS), only(A))
    state.refresh()

    assert state.differing == {A}
    assert [each.name for each in state.everything()] == [A]


def test_differences_are_found_once_until_something_changes(state: TypeState) -> None:
    state.refresh()
    before = state.differing
    state.refresh()

    assert state.differing is before


def test_sending_settles_what_was_owed_and_ends_the_wait(state: TypeState) -> None:
    state.owed = {A, B}
    state.waiting = {A: 1.0, B: 1.0}
    state.send(sent(cluster("a").resource))

    assert (state.owed, state.waiting, state.newest) == ({B}, {B: 1.0}, "1")


def test_the_response_in_flight_is_known_by_what_it_names(state: TypeState) -> None:
    resource = eds_cluster("a").resource
    state.send(sent(resource))
    assert state.is_naming(resource.awaits[0])

    state.acknowledge()

    assert not state.is_naming(resource.awaits[0])


def test_an_answer_to_nothing_changes_nothing(state: TypeState) -> None:
    state.acknowledge()
    state.reject()

    assert state.rejected == {}
    assert state.holdings.get(A) is None


# Rejected


def test_rule_07_what_was_rejected_is_parked_until_it_changes(state: TypeState) -> None:
    state.send(sent(cluster("a").resource))
    state.reject()
    assert state.is_parked(A)
    assert not state.is_parked(B)

    state.aim(state.target.replace([cluster("b", 2).resource]))
    assert state.is_parked(A)

    state.aim(state.target.replace([cluster("a", 2).resource]))
    assert not state.is_parked(A)


def test_a_removal_can_be_rejected_and_is_parked_until_the_name_is_back(state: TypeState) -> None:
    accept_all(state)
    state.aim(state.target.replace([], [A]))
    state.send(sent(removed=(A,)))
    state.reject()
    assert state.is_parked(A)

    state.aim(state.target.replace([cluster("a", 2).resource]))

    assert not state.is_parked(A)


def test_a_rejected_response_is_reconsidered_as_a_whole(state: TypeState) -> None:
    state.send(sent(*state.target.values()))
    state.reject()
    assert state.is_parked(A)

    state.aim(state.target.replace([cluster("b", 2).resource]))

    assert not state.is_parked(A)


def test_a_rejection_that_comes_after_a_newer_table_parks_nothing(state: TypeState) -> None:
    state.send(sent(cluster("a").resource))
    state.aim(state.target.replace([cluster("a", 2).resource]))
    state.reject()

    assert not state.is_parked(A)


def test_the_same_table_is_no_news(state: TypeState) -> None:
    state.refresh()
    state.aim(state.target)

    assert not state.stale


def test_what_was_rejected_and_is_accepted_later_is_parked_no_longer(state: TypeState) -> None:
    state.send(sent(cluster("a").resource))
    state.reject()
    accept(state, sent(cluster("a").resource, nonce="2"))

    assert state.rejected == {}


def test_rejections_of_one_name_do_not_add_up(state: TypeState) -> None:
    for nonce in range(100):
        state.send(sent(cluster("a").resource, nonce=str(nonce)))
        state.reject()

    assert len(state.rejected) == 1


def test_an_empty_response_that_is_rejected_leaves_nothing_behind(state: TypeState) -> None:
    state.send(sent())
    state.reject()

    assert state.rejected == {}


# What a client holds of a former stream, and does not tell


def test_a_client_that_accepts_nothing_is_told_everything_again_once_anything_changes(state: TypeState) -> None:
    state.is_known = False
    state.send(sent(*state.target.values()))
    state.reject()
    assert state.answered

    state.aim(state.target.replace([cluster("c").resource]))

    assert not state.answered
    assert state.must_be_told


def test_a_client_that_accepts_something_is_known(state: TypeState) -> None:
    state.is_known = False
    accept_all(state)

    assert state.is_known


# Subscriptions that change


def test_what_is_asked_for_anew_counts_as_not_held(target: ResourceTable) -> None:
    state = TypeState(CDS, target, Holdings(CDS), only(A))
    accept(state, sent(cluster("a").resource))

    state.resubscribe(only(A, B))
    state.refresh()

    assert state.differing == {B}


def test_what_is_no_longer_asked_for_counts_as_not_held(state: TypeState, target: ResourceTable) -> None:
    state = TypeState(CDS, target, Holdings(CDS), only(A, B))
    accept_all(state)
    state.owed = {A, B}

    state.resubscribe(only(B))
    state.resubscribe(only(A, B))
    state.refresh()

    assert state.differing == {A}
    assert state.owed == {B}


def test_after_a_wildcard_only_names_that_are_still_asked_for_are_held(state: TypeState) -> None:
    accept_all(state)

    state.resubscribe(only(A))
    state.refresh()
    assert state.differing == set()

    state.resubscribe(only(A, B))
    state.refresh()
    assert state.differing == {B}


def test_a_wildcard_after_names_finds_all_the_rest_missing(target: ResourceTable) -> None:
    state = TypeState(CDS, target, Holdings(CDS), only(A))
    accept(state, sent(cluster("a").resource))

    state.resubscribe(EVERYTHING)
    state.refresh()

    assert state.differing == {B}


def test_naming_something_under_a_wildcard_takes_nothing_from_what_is_held(state: TypeState) -> None:
    accept_all(state)

    state.resubscribe(Subscription(frozenset({A}), Wildcard.EXPLICIT, named=True))
    state.refresh()

    assert state.differing == set()


def test_what_is_dropped_is_not_held_nor_owed_nor_waited_for(state: TypeState) -> None:
    accept_all(state)
    state.owed = {A}
    state.waiting = {A: 1.0}

    state.drop(A)

    assert state.holdings.get(A) is None
    assert (state.owed, state.waiting) == (set(), {})
