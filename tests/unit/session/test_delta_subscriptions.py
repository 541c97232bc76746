"""The delta variant: what a client asks for and brings along, by the headings of the xDS protocol document."""

from functools import partial

import pytest

from tests.support import conversation as told
from tests.support.builders import CDS, EDS, RDS, Item, cluster, eds_cluster, endpoints, route
from xds.session import Limits

talk = partial(told.talk, "delta")
settled = partial(told.settled, "delta")


def version_of(item: Item) -> str:
    return item.resource.version


# Incremental xDS


def test_rule_10_a_stale_nonce_never_cancels_a_change_of_subscription() -> None:
    conversation = talk(endpoints("a"), endpoints("b"), endpoints("c"))
    conversation.asks(EDS, "a")
    conversation.acks(EDS)
    conversation.publishes(endpoints("a", 2), endpoints("b"), endpoints("c"))

    assert conversation.acks(EDS, "1", "b", drop=("a",)) == ["ignored eds#1"]
    assert conversation.acks(EDS) == ["acked eds#2", "eds#3: b=1"]


def test_rule_14_each_resource_has_its_own_version() -> None:
    conversation = talk(cluster("a"), cluster("b"))
    conversation.asks(CDS, known={"a": version_of(cluster("a")), "b": "another"})

    [respond] = conversation.responses
    assert respond.resources == 1


def test_rule_15_a_client_that_is_current_is_sent_nothing() -> None:
    items = (cluster("a"), cluster("b"))

    assert talk(*items).asks(CDS, known={name: version_of(cluster(name)) for name in "ab"}) == []
    assert talk(*items).asks(CDS, "*", known={name: version_of(cluster(name)) for name in "ab"}) == []
    assert talk(endpoints("a")).asks(EDS, "a", known={"a": version_of(endpoints("a"))}) == []


def test_rule_15_a_client_that_comes_back_is_sent_what_differs_and_told_what_vanished() -> None:
    conversation = talk(cluster("a"), cluster("b", 2), cluster("c"))

    known = {"a": version_of(cluster("a")), "b": version_of(cluster("b")), "gone": "x"}
    assert conversation.asks(CDS, known=known) == ["cds#1: b=2 c=1 -gone"]
    assert conversation.acks(CDS) == ["acked cds#1"]


def test_rule_15_a_named_resource_that_differs_or_vanished_is_told() -> None:
    conversation = talk(endpoints("a", 2))

    assert conversation.asks(EDS, "a", "gone", known={"a": "old", "gone": "x"}) == ["eds#1: a=2 -gone"]


def test_rule_15_a_known_name_that_is_not_asked_for_is_let_be() -> None:
    assert talk(endpoints("b")).asks(EDS, "a", known={"b": "old"}) == ["eds#1: -a"]


def test_rule_28_nothing_is_assumed_from_a_former_stream() -> None:
    conversation = talk(cluster("a"))

    assert conversation.asks(CDS, "*") == ["cds#1: a=1"]


def test_rule_32_an_ack_may_change_the_subscription_too() -> None:
    conversation = talk(endpoints("a"), endpoints("b"))
    conversation.asks(EDS, "a")

    assert conversation.acks(EDS, None, "b", drop=("a",)) == ["acked eds#1", "eds#2: b=1"]


def test_rule_32_a_nack_may_change_the_subscription_too() -> None:
    conversation = talk(endpoints("a", "bad"), endpoints("b"))
    conversation.asks(EDS, "a")

    assert conversation.nacks(EDS, None, "b") == ["nacked eds#1: a", "eds#2: b=1"]


def test_rule_40_endpoints_are_sent_to_a_client_that_knows_them_if_its_cluster_was_just_sent() -> None:
    conversation = talk(eds_cluster("a", 2), endpoints("a"))
    conversation.asks(CDS, known={"a": "old"})

    assert conversation.asks(EDS, "a", known={"a": version_of(endpoints("a"))}) == ["eds#2: a=1"]


# How the client specifies what resources to return


@pytest.mark.parametrize("names", [(), ("*",)])
def test_rule_33_a_first_wildcard_request_is_answered_even_when_there_is_nothing(names: tuple[str, ...]) -> None:
    conversation = talk()

    assert conversation.asks(CDS, *names) == ["cds#1:"]
    assert conversation.acks(CDS) == ["acked cds#1"]
    assert conversation.publishes(cluster("a")) == ["cds#2: a=1"]


def test_rule_23_the_sequence_of_the_protocol_document() -> None:
    conversation = settled(CDS, (), cluster("a"), cluster("b"))

    assert conversation.asks(CDS, "a") == ["cds#2: a=1"]
    assert conversation.acks(CDS) == ["acked cds#2"]
    assert conversation.asks(CDS, drop=("*",)) == []
    assert conversation.publishes(cluster("a", 2), cluster("b", 2)) == ["cds#3: a=2"]
    assert conversation.acks(CDS) == ["acked cds#3"]
    assert conversation.asks(CDS, drop=("a",)) == []
    assert conversation.publishes(cluster("a", 3), cluster("b", 3)) == []
    assert conversation.session.subscribed(CDS) == 0


def test_rule_23_a_wildcard_after_names_is_answered_with_all_the_rest() -> None:
    conversation = settled(CDS, ("a",), cluster("a"), cluster("b"))

    assert conversation.asks(CDS, "*") == ["cds#2: b=1"]
    assert conversation.session.subscribed(CDS) is None


def test_a_wildcard_given_up_and_taken_again_is_answered_with_everything() -> None:
    conversation = settled(CDS, ("*",), cluster("a"), cluster("b"))
    conversation.asks(CDS, drop=("*",))

    assert conversation.asks(CDS, "*") == ["cds#2: a=1 b=1"]


# Duplicate Resource Names


def test_rule_34_a_name_that_is_asked_for_twice_is_answered_once() -> None:
    assert talk(endpoints("a")).asks(EDS, "a", "a") == ["eds#1: a=1"]


# Subscribing to Resources


def test_rule_24_every_name_is_answered_even_if_the_client_is_believed_to_hold_it() -> None:
    conversation = settled(EDS, ("a",), endpoints("a"))

    assert conversation.asks(EDS, "a") == ["eds#2: a=1"]
    assert conversation.acks(EDS) == ["acked eds#2"]


def test_rule_24_a_name_dropped_and_asked_for_again_at_the_same_version_is_answered() -> None:
    conversation = settled(EDS, ("a", "b"), endpoints("a"), endpoints("b"))

    assert conversation.asks(EDS, drop=("a",)) == []
    assert conversation.asks(EDS, "a") == ["eds#2: a=1"]


def test_rule_24_a_name_dropped_and_asked_for_again_while_in_flight_is_answered_again() -> None:
    conversation = talk(endpoints("a"))
    conversation.asks(EDS, "a")
    conversation.asks(EDS, drop=("a",))
    conversation.asks(EDS, "a")

    assert conversation.acks(EDS) == ["acked eds#1", "eds#2: a=1"]


def test_rule_24_a_rejected_name_that_is_asked_for_again_is_answered_once() -> None:
    conversation = talk(endpoints("a", "bad"))
    conversation.asks(EDS, "a")
    conversation.nacks(EDS)

    assert conversation.asks(EDS, "a") == ["eds#2: a=bad"]
    assert conversation.nacks(EDS) == ["nacked eds#2: a"]


def test_rule_24_whatever_is_believed_of_each_name() -> None:
    conversation = settled(EDS, ("a", "b"), endpoints("a"), endpoints("b"), endpoints("c"))

    assert conversation.asks(EDS, "a", "b", "c", "gone") == ["eds#2: a=1 b=1 c=1 -gone"]


def test_rule_24_under_a_wildcard_too() -> None:
    conversation = settled(CDS, ("*",), cluster("a"), cluster("b"))

    assert conversation.asks(CDS, "a", "gone") == ["cds#2: a=1 -gone"]


def test_rule_24_whatever_response_the_request_goes_with() -> None:
    conversation = settled(EDS, ("a", "b"), endpoints("a"), endpoints("b"))
    assert conversation.publishes(endpoints("a"), endpoints("b", 2)) == ["eds#2: b=2"]

    assert conversation.acks(EDS, "1", "a") == ["ignored eds#1"]
    assert conversation.acks(EDS, "2", "b") == ["acked eds#2", "eds#3: a=1 b=2"]


def test_rule_24_in_several_responses_if_they_are_too_large_for_one() -> None:
    large = [endpoints(name, name * 800) for name in "ab"]
    conversation = talk(*large, limits=Limits(response_bytes=1000))
    conversation.asks(EDS, "a", "b")
    conversation.settles()

    assert conversation.asks(EDS, "a", "b") == [f"eds#3: a={'a' * 800}"]
    assert conversation.acks(EDS) == ["acked eds#3", f"eds#4: b={'b' * 800}"]


def test_rule_24_once_it_may_be_sent() -> None:
    conversation = talk(cluster("a"), route("r", ["a"]))
    conversation.asks(CDS)
    conversation.asks(RDS, "r")
    conversation.settles()
    assert conversation.publishes(cluster("a"), cluster("b"), route("r", ["b"], 2)) == ["cds#3: b=1"]

    assert conversation.asks(RDS, "r") == []
    assert conversation.acks(CDS) == ["acked cds#3", "rds#4: r=2"]


# Unsubscribing from Resources


def test_rule_26_unsubscribing_needs_no_response_and_ends_the_updates() -> None:
    conversation = settled(EDS, ("a",), endpoints("a"))

    assert conversation.asks(EDS, drop=("a", "never")) == []
    assert conversation.publishes(endpoints("a", 2)) == []


def test_rule_26_what_was_unsubscribed_while_in_flight_is_not_sent_again() -> None:
    conversation = talk(endpoints("a"))
    conversation.asks(EDS, "a")
    conversation.asks(EDS, drop=("a",))

    assert conversation.acks(EDS) == ["acked eds#1"]
    assert conversation.publishes(endpoints("a", 2)) == []


def test_rule_27_dropping_a_name_under_a_wildcard_is_answered_with_the_resource() -> None:
    conversation = settled(CDS, ("*", "a"), cluster("a"))

    assert conversation.asks(CDS, drop=("a",)) == ["cds#2: a=1"]


def test_rule_27_or_with_a_removal_if_there_is_none() -> None:
    conversation = settled(CDS, ("*", "a"))

    assert conversation.asks(CDS, drop=("a",)) == ["cds#2: -a"]


def test_rule_27_a_name_under_a_wildcard_that_was_never_given_needs_no_answer() -> None:
    assert settled(CDS, ("*",), cluster("a")).asks(CDS, drop=("a",)) == []


# Knowing When a Requested Resource Does Not Exist


def test_rule_25_a_name_that_does_not_exist_is_told_at_once_and_remembered() -> None:
    conversation = talk()

    assert conversation.asks(EDS, "a") == ["eds#1: -a"]
    assert conversation.acks(EDS) == ["acked eds#1"]
    assert conversation.publishes(endpoints("a")) == ["eds#2: a=1"]


def test_rule_25_it_is_told_at_once_even_if_something_that_the_client_holds_names_it() -> None:
    conversation = talk(cluster("a"), route("r", ["a"]))
    conversation.asks(RDS, "r")
    conversation.settles()
    conversation.publishes(route("r", [], 2))

    assert conversation.asks(CDS, "a") == ["cds#3: -a"]
