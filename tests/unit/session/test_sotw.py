"""The state-of-the-world variant: how it talks, by the headings of the xDS protocol document."""

from functools import partial

import pytest

from tests.support import conversation as told
from tests.support.builders import (
    CDS,
    EDS,
    LDS,
    RDS,
    SRDS,
    Item,
    anchor,
    cluster,
    eds_cluster,
    endpoints,
    listener,
    route,
    snapshot,
)
from xds.names import TypeUrl
from xds.session import Ignored, Limits, Nacked, SotwRequest

UNKNOWN = "type.googleapis.com/example.Unknown"

talk = partial(told.talk, "sotw")
settled = partial(told.settled, "sotw")


def version_of(type_url: TypeUrl, *items: Item) -> str:
    return snapshot(*items).table(type_url).version_info


# Basic Protocol Overview


def test_rule_03_a_nonce_of_a_former_stream_does_not_break_the_first_request() -> None:
    conversation = talk(endpoints("a"), endpoints("b"))

    assert conversation.asks(EDS, nonce="41") == []
    assert conversation.asks(EDS, "a", nonce="41") == ["eds#1: a=1"]


def test_rule_04_every_response_has_a_nonce_of_its_own() -> None:
    conversation = talk(cluster("a"), listener("l"))

    assert conversation.asks(CDS) + conversation.asks(LDS) == ["cds#1: a=1", "lds#2: l=1"]
    assert conversation.acks(CDS) + conversation.acks(LDS) == ["acked cds#1", "acked lds#2"]
    assert conversation.publishes(cluster("a", 2), listener("l", 2)) == ["cds#3: a=2", "lds#4: l=2"]


# ACK/NACK and resource type instance version


def test_rule_12_the_version_is_one_of_the_content_and_not_of_the_stream() -> None:
    first, second = (settled(CDS, (), cluster("a")) for _ in range(2))
    first.publishes(cluster("a", 2))
    first.acks(CDS)

    first.publishes(cluster("a", 2), cluster("b"))
    second.publishes(cluster("b"), cluster("a", 2))

    assert first.responses[0].version_info == second.responses[0].version_info
    assert first.responses[0].nonce != second.responses[0].nonce


def test_rule_12_the_version_changes_with_any_resource() -> None:
    conversation = talk(cluster("a"))
    conversation.asks(CDS)
    versions = {conversation.responses[0].version_info}
    for items in [(cluster("a", 2),), (cluster("a", 2), cluster("b")), ()]:
        conversation.acks(CDS)
        conversation.publishes(*items)
        versions.add(conversation.responses[0].version_info)

    assert len(versions) == 4


def test_rule_13_a_client_that_holds_everything_is_sent_nothing() -> None:
    held = version_of(CDS, cluster("a"), cluster("b"))
    conversation = talk(cluster("b"), cluster("a"))

    assert conversation.asks(CDS, version_info=held) == []
    assert conversation.publishes(cluster("a", 2), cluster("b")) == ["cds#1: a=2 b=1"]


def test_rule_13_a_client_that_names_something_is_answered_whatever_its_version() -> None:
    eds = version_of(EDS, endpoints("a"))
    cds = version_of(CDS, cluster("a"))

    assert talk(endpoints("a")).asks(EDS, "a", version_info=eds) == ["eds#1: a=1"]
    assert talk(cluster("a")).asks(CDS, "a", version_info=cds) == ["cds#1: a=1"]
    assert talk(cluster("a")).asks(CDS, "*", "a", version_info=cds) == ["cds#1: a=1"]


def test_rule_13_the_version_of_some_resources_is_not_taken_for_that_of_all() -> None:
    conversation = talk(cluster("a"), cluster("b"))
    conversation.asks(CDS, "a")
    some = conversation.responses[0].version_info

    assert some == version_of(CDS, cluster("a"))
    assert talk(cluster("a"), cluster("b")).asks(CDS, version_info=some) == ["cds#1: a=1 b=1"]


# ACK and NACK semantics summary


def test_rule_05_a_nack_is_the_presence_of_an_error_whatever_the_version() -> None:
    conversation = talk(cluster("a"))
    conversation.asks(CDS)
    newest = version_of(CDS, cluster("a"))

    lines = conversation.sends(SotwRequest(type_url=CDS, nonce="1", error="", version_info=newest))

    assert lines == ["nacked cds#1: a"]
    [nacked] = conversation.outputs
    assert isinstance(nacked, Nacked)
    assert (nacked.error, nacked.version_info) == ("", newest)


def test_rule_05_an_old_version_without_an_error_is_an_ack() -> None:
    conversation = settled(CDS, (), cluster("a"))
    conversation.publishes(cluster("a", 2))

    assert conversation.asks(CDS, version_info="old") == ["acked cds#2"]


def test_rule_06_an_ack_causes_nothing() -> None:
    conversation = talk(cluster("a"))
    conversation.asks(CDS)

    assert conversation.acks(CDS) == ["acked cds#1"]
    assert conversation.acks(CDS) == []


def test_rule_07_a_nack_causes_nothing_until_the_content_differs_and_then_an_answer_at_once() -> None:
    conversation = settled(CDS, (), cluster("a"), cluster("b"))
    assert conversation.publishes(cluster("a", "bad"), cluster("b")) == ["cds#2: a=bad b=1"]

    assert conversation.nacks(CDS) == ["nacked cds#2: a"]
    assert conversation.publishes(cluster("b"), cluster("a", "bad")) == []
    assert conversation.publishes(cluster("a", "good"), cluster("b")) == ["cds#3: a=good b=1"]
    assert conversation.acks(CDS) == ["acked cds#3"]


def test_rule_07_what_was_rejected_stands_in_later_responses_as_the_client_holds_it() -> None:
    conversation = settled(CDS, (), cluster("a"), cluster("b"))
    conversation.publishes(cluster("a", "bad"), cluster("b"), cluster("new", "bad"))
    conversation.nacks(CDS)

    lines = conversation.publishes(cluster("a", "bad"), cluster("b", 2), cluster("new", "bad"))

    assert lines == ["cds#3: a=1 b=2"]
    assert conversation.responses[0].version_info == version_of(CDS, cluster("a"), cluster("b", 2))


def test_rule_07_a_fix_may_be_rejected_too() -> None:
    conversation = settled(CDS, (), cluster("a"))
    conversation.publishes(cluster("a", "bad"))
    conversation.nacks(CDS)

    assert conversation.publishes(cluster("a", "worse")) == ["cds#3: a=worse"]
    assert conversation.nacks(CDS) == ["nacked cds#3: a"]
    assert conversation.publishes(cluster("a", "worse")) == []
    assert conversation.publishes(cluster("a", "good")) == ["cds#4: a=good"]


def test_rule_07_a_nack_that_crosses_a_fix_is_answered_with_the_fix() -> None:
    conversation = settled(CDS, (), cluster("a"))
    conversation.publishes(cluster("a", "bad"))
    assert conversation.publishes(cluster("a", "good")) == []

    assert conversation.nacks(CDS) == ["nacked cds#2: a", "cds#3: a=good"]


def test_rule_08_a_nack_names_what_was_said_and_no_more() -> None:
    conversation = settled(EDS, ("a", "b"), endpoints("a"), endpoints("b"))
    assert conversation.publishes(endpoints("a", "bad")) == ["eds#2: a=bad"]

    assert conversation.nacks(EDS) == ["nacked eds#2: a"]


def test_rule_08_the_answer_to_one_type_is_none_to_another() -> None:
    conversation = talk(cluster("a"), listener("a"))
    assert conversation.asks(CDS) + conversation.asks(LDS) == ["cds#1: a=1", "lds#2: a=1"]

    assert conversation.acks(CDS, "2") == ["ignored cds#2"]
    assert conversation.nacks(LDS) == ["nacked lds#2: a"]
    assert conversation.acks(CDS) == ["acked cds#1"]


# When to send an update


def test_rule_11_of_several_requests_only_the_latest_is_answered() -> None:
    conversation = talk(endpoints("a"), endpoints("b"), endpoints("c"))
    assert conversation.asks(EDS, "a") == ["eds#1: a=1"]

    assert conversation.asks(EDS, "a", "b", nonce="") == ["ignored eds#"]
    assert conversation.asks(EDS, "a", "c", nonce="") == ["ignored eds#"]
    assert conversation.acks(EDS) == ["acked eds#1", "eds#2: c=1"]


def test_rule_11_only_the_newest_of_several_snapshots_is_sent_to_a_slow_client() -> None:
    conversation = talk(cluster("a", 1))
    conversation.asks(CDS)
    for content in range(2, 9):
        assert conversation.publishes(cluster("a", content)) == []

    assert conversation.acks(CDS) == ["acked cds#1", "cds#2: a=8"]


def test_rule_47_an_equal_snapshot_sends_nothing() -> None:
    conversation = settled(CDS, (), cluster("a"), cluster("b"))

    assert conversation.publishes(cluster("b"), cluster("a")) == []


# Resource updates


@pytest.mark.parametrize("nonce", ["", "1", "77"])
def test_rule_09_a_stale_nonce_gets_no_response_while_one_is_in_flight(nonce: str) -> None:
    conversation = settled(EDS, ("a",), endpoints("a"), endpoints("b"))
    conversation.publishes(endpoints("a", 2), endpoints("b"))

    assert conversation.asks(EDS, "a", "b", nonce=nonce) == [f"ignored eds#{nonce}"]
    assert isinstance(conversation.outputs[0], Ignored)


def test_rule_09_no_change_of_subscription_is_lost_by_it() -> None:
    conversation = settled(EDS, ("a",), endpoints("a"), endpoints("b"))
    conversation.publishes(endpoints("a", 2), endpoints("b"))
    conversation.asks(EDS, "a", "b", nonce="1")

    assert conversation.acks(EDS) == ["acked eds#2", "eds#3: b=1"]


def test_rule_09_a_stale_nonce_gets_no_response_when_nothing_is_in_flight_either() -> None:
    conversation = settled(EDS, ("a",), endpoints("a"), endpoints("b"))
    conversation.publishes(endpoints("a", 2), endpoints("b"))
    conversation.acks(EDS)

    assert conversation.asks(EDS, "a", "b", nonce="1") == ["ignored eds#1"]
    assert conversation.asks(EDS, "a", "b", nonce="2") == ["eds#3: b=1"]


def test_a_client_that_gives_no_nonce_is_answered_when_nothing_is_in_flight() -> None:
    conversation = settled(EDS, ("a",), endpoints("a"), endpoints("b"))

    assert conversation.asks(EDS, "a", "b", nonce="") == ["eds#2: b=1"]


# Resource warming


def test_rule_40_endpoints_are_sent_again_after_their_cluster() -> None:
    conversation = talk(eds_cluster("a"), eds_cluster("b"), endpoints("a"), endpoints("b"))
    conversation.asks(CDS)
    conversation.asks(EDS, "a", "b")
    conversation.settles()

    lines = conversation.publishes(eds_cluster("a", 2), eds_cluster("b"), endpoints("a"), endpoints("b"))

    assert lines == ["cds#3: a=2 b=1", "eds#4: a=1"]


# Eventual consistency considerations


def test_rule_39_what_an_implied_deletion_kept_is_removed_in_the_same_turn() -> None:
    conversation = talk(cluster("a"), route("r", ["a"]), anchor("r"))
    conversation.asks(CDS)
    conversation.asks(SRDS)
    conversation.asks(RDS, "r")
    conversation.settles()
    assert conversation.publishes() == ["srds#4:"]

    assert conversation.acks(SRDS) == ["acked srds#4", "cds#5:"]


# Aggregated Discovery Service


def test_rule_01_a_request_without_a_type_ends_the_stream() -> None:
    assert talk().asks("") == ["violated: a request on an aggregated stream must carry a type_url"]


def test_rule_01_types_are_independent_of_each_other() -> None:
    conversation = talk(cluster("a"), listener("a"))
    assert conversation.asks(CDS) == ["cds#1: a=1"]
    assert conversation.asks(LDS) == ["lds#2: a=1"]

    assert conversation.nacks(CDS) == ["nacked cds#1: a"]
    assert conversation.acks(LDS) == ["acked lds#2"]
    assert conversation.publishes(cluster("a"), listener("a", 2)) == ["lds#3: a=2"]


def test_an_unknown_type_has_nothing_to_be_told() -> None:
    assert talk().asks(UNKNOWN, "a") == []


def test_the_types_of_a_stream_are_bounded() -> None:
    conversation = talk(limits=Limits(types=1))
    conversation.asks(CDS)

    assert conversation.asks(LDS) == ["violated: more than 1 resource types on one stream"]
    assert conversation.acks(CDS) == ["acked cds#1"]


# What a session costs


def test_a_current_wildcard_client_holds_no_state_for_each_resource() -> None:
    conversation = talk(*(eds_cluster(str(name)) for name in range(100)))
    conversation.asks(CDS)
    conversation.settles()

    [state] = conversation.session._convergence.states()
    assert state.holdings._exceptions == {}
    assert not state.in_flight
    assert (state.differing, state.owed, state.rejected, state.waiting) == (set(), set(), {}, {})
