"""The state-of-the-world variant, by the headings of the xDS protocol document."""

import pytest

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
    scope,
    snapshot,
)
from tests.support.conversation import Conversation
from xds.names import TypeUrl
from xds.session import Ignored, Limits, Nacked, Respond, SotwRequest, SotwSession

UNKNOWN = "type.googleapis.com/example.Unknown"


def talk(*items: Item, limits: Limits | None = None) -> Conversation:
    return Conversation("sotw", items, limits or Limits())


def settled(type_url: TypeUrl, names: tuple[str, ...], *items: Item) -> Conversation:
    """A client that asked for names of one type and has acknowledged what it got."""
    conversation = talk(*items)
    conversation.asks(type_url, *names)
    conversation.settles()
    return conversation


def session(conversation: Conversation) -> SotwSession:
    assert isinstance(conversation.session, SotwSession)
    return conversation.session


def response(conversation: Conversation) -> Respond:
    [respond] = [output for output in conversation.outputs if isinstance(output, Respond)]
    return respond


def version_of(type_url: TypeUrl, *items: Item) -> str:
    return snapshot(*items).table(type_url).version_info


# Basic Protocol Overview


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


def test_rule_03_a_nonce_of_a_former_stream_does_not_break_the_first_request() -> None:
    conversation = talk(endpoints("a"), endpoints("b"))

    assert conversation.asks(EDS, nonce="41") == []
    assert conversation.asks(EDS, "a", nonce="41") == ["eds#1: a=1"]


# ACK and NACK semantics summary


def test_rule_05_a_nack_is_the_presence_of_an_error_whatever_the_version() -> None:
    conversation = talk(cluster("a"))
    conversation.asks(CDS)
    newest = version_of(CDS, cluster("a"))

    [nacked] = session(conversation).receive(SotwRequest(type_url=CDS, nonce="1", error="", version_info=newest), 0)

    assert isinstance(nacked, Nacked)
    assert (nacked.error, nacked.names, nacked.version_info) == ("", ("a",), newest)


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
    assert response(conversation).version_info == version_of(CDS, cluster("a"), cluster("b", 2))


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


# When to send an update


def test_rule_12_the_version_is_one_of_the_content_and_not_of_the_stream() -> None:
    first, second = (settled(CDS, (), cluster("a")) for _ in range(2))
    first.publishes(cluster("a", 2))
    first.acks(CDS)

    first.publishes(cluster("a", 2), cluster("b"))
    second.publishes(cluster("b"), cluster("a", 2))

    assert response(first).version_info == response(second).version_info
    assert response(first).nonce != response(second).nonce


def test_rule_12_the_version_changes_with_any_resource() -> None:
    conversation = talk(cluster("a"))
    conversation.asks(CDS)
    versions = {response(conversation).version_info}
    for items in [(cluster("a", 2),), (cluster("a", 2), cluster("b")), ()]:
        conversation.acks(CDS)
        conversation.publishes(*items)
        versions.add(response(conversation).version_info)

    assert len(versions) == 4


def test_rule_47_an_equal_snapshot_sends_nothing() -> None:
    conversation = settled(CDS, (), cluster("a"), cluster("b"))

    assert conversation.publishes(cluster("b"), cluster("a")) == []


# Resource updates: reconnecting


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
    some = response(conversation).version_info

    assert some == version_of(CDS, cluster("a"))
    assert talk(cluster("a"), cluster("b")).asks(CDS, version_info=some) == ["cds#1: a=1 b=1"]


def returned(*items: Item) -> Conversation:
    """A client that comes back with a version that this server does not know, and rejects what it is sent."""
    conversation = talk(*items)
    conversation.asks(CDS, version_info="from a former stream")
    conversation.nacks(CDS)
    return conversation


def test_rule_20_a_client_that_has_accepted_nothing_yet_is_told_everything_whenever_anything_changes() -> None:
    conversation = returned(cluster("a", "bad"), cluster("b"))

    lines = conversation.publishes(cluster("a", "bad"), cluster("b"), cluster("c"))

    assert lines == ["cds#2: a=bad b=1 c=1"], "what is left out here is deleted there"
    assert conversation.nacks(CDS) == ["nacked cds#2: a b c"]
    assert conversation.publishes(cluster("a", "bad"), cluster("b"), cluster("c")) == []
    assert conversation.publishes(cluster("b"), cluster("c")) == ["cds#3: b=1 c=1"]
    assert conversation.acks(CDS) == ["acked cds#3"]


def test_rule_20_even_if_nothing_is_left() -> None:
    assert returned(cluster("a", "bad")).publishes() == ["cds#2:"]


def test_rule_20_and_when_it_names_something_too() -> None:
    conversation = returned(cluster("a", "bad"), cluster("b"))

    assert conversation.asks(CDS, "*", "b") == ["cds#2: a=bad b=1"]


# How the client specifies what resources to return


def test_rule_16_a_name_that_is_missing_is_unsubscribed() -> None:
    conversation = settled(EDS, ("a", "b"), endpoints("a"), endpoints("b"))

    assert conversation.asks(EDS, "b") == []
    assert conversation.publishes(endpoints("a", 2), endpoints("b", 2)) == ["eds#2: b=2"]


def test_rule_17_a_name_is_answered_even_if_it_was_sent_unasked_before() -> None:
    conversation = settled(CDS, (), cluster("a"), cluster("b"))

    assert conversation.asks(CDS, "*", "a") == ["cds#2: a=1 b=1"]


def test_rule_17_a_name_dropped_and_asked_for_again_at_the_same_version_is_answered() -> None:
    conversation = settled(EDS, ("a", "b"), endpoints("a"), endpoints("b"))
    conversation.asks(EDS, "b")

    assert conversation.asks(EDS, "a", "b") == ["eds#2: a=1"]


def test_rule_17_a_name_may_be_asked_for_with_an_ack() -> None:
    conversation = talk(endpoints("a"), endpoints("b"))
    conversation.asks(EDS, "a")

    assert conversation.asks(EDS, "a", "b") == ["acked eds#1", "eds#2: b=1"]


def test_rule_18_naming_nothing_after_a_name_asks_for_nothing() -> None:
    conversation = settled(CDS, ("a",), cluster("a"), cluster("b"))

    assert conversation.asks(CDS) == []
    assert conversation.publishes(cluster("a", 2), cluster("b", 2)) == []
    assert conversation.session.subscribed(CDS) == 0


def test_rule_18_naming_nothing_is_no_wildcard_for_endpoints_and_route_tables() -> None:
    conversation = talk(endpoints("a"), route("r"))

    assert conversation.asks(EDS) == []
    assert conversation.asks(RDS) == []
    assert conversation.session.subscribed(UNKNOWN) == 0


def test_rule_19_the_sequence_of_the_protocol_document() -> None:
    conversation = talk(cluster("a"), cluster("b"))

    assert conversation.asks(CDS) == ["cds#1: a=1 b=1"]
    conversation.acks(CDS)
    assert conversation.asks(CDS, "*", "a") == ["cds#2: a=1 b=1"]
    conversation.acks(CDS)
    assert conversation.session.subscribed(CDS) is None
    assert conversation.asks(CDS, "a") == []
    assert conversation.publishes(cluster("a", 2), cluster("b", 2)) == ["cds#3: a=2"]
    conversation.acks(CDS)
    assert conversation.asks(CDS) == []


def test_rule_19_a_wildcard_after_names_is_answered_with_everything() -> None:
    conversation = settled(CDS, ("a",), cluster("a"), cluster("b"))

    assert conversation.asks(CDS, "*") == ["cds#2: a=1 b=1"]


# Grouping Resources into Responses, Deleting Resources


@pytest.mark.parametrize(
    ("items", "lines"),
    [
        ((cluster("a", 2), cluster("b")), ["cds#2: a=2 b=1"]),
        ((cluster("a"),), ["cds#2: a=1"]),
        ((cluster("a"), cluster("b"), cluster("c")), ["cds#2: a=1 b=1 c=1"]),
        ((), ["cds#2:"]),
    ],
)
def test_rule_20_each_response_is_the_whole_set_and_what_is_missing_is_deleted(
    items: tuple[Item, ...], lines: list[str]
) -> None:
    assert settled(CDS, (), cluster("a"), cluster("b")).publishes(*items) == lines


@pytest.mark.parametrize(
    ("type_url", "before", "after", "line"),
    [
        (LDS, (listener("a"), listener("b")), (listener("b", 2),), "lds#2: b=2"),
        (SRDS, (anchor("a"), anchor("b")), (anchor("b", 2),), "srds#2: -/b=2"),
    ],
)
def test_rule_20_listeners_and_scopes_are_sent_whole_too(
    type_url: TypeUrl, before: tuple[Item, ...], after: tuple[Item, ...], line: str
) -> None:
    assert settled(type_url, (), *before).publishes(*after) == [line]


def test_rule_20_a_named_cluster_that_does_not_exist_is_answered_by_its_absence() -> None:
    conversation = talk(cluster("b"))

    assert conversation.asks(CDS, "a") == ["cds#1:"]


def test_rule_20_what_must_wait_stands_in_the_response_as_the_client_holds_it() -> None:
    old = (scope("t", "r", 1), scope("u", "r", 1), anchor("r"), route("r"))
    conversation = talk(*old)
    conversation.asks(SRDS)
    conversation.asks(RDS, "r")
    conversation.settles()

    lines = conversation.publishes(*old[1:], route("s"), anchor("s"), scope("t", "s", 2), scope("new", "s"))

    assert lines == ["srds#3: -/r=1 -/s=1 t=r.1 u=r.1"], "t keeps its table until the client has the other"


def test_rule_20_naming_a_resource_that_must_wait_does_not_delete_it() -> None:
    old = (anchor("r"), route("r"), scope("t", "r"))
    conversation = talk(*old)
    conversation.asks(SRDS)
    conversation.asks(RDS, "r")
    conversation.settles()
    conversation.publishes(*old[:2], route("s"), scope("t", "s", 2))

    lines = conversation.asks(SRDS, "*", "t")
    lines += conversation.publishes(*old[:2], route("s"), scope("t", "s", 2), anchor("s"))

    assert lines == ["srds#3: -/r=1 -/s=1 t=r.1"]


def test_rule_21_other_types_are_sent_in_part() -> None:
    conversation = settled(EDS, ("a", "b"), endpoints("a"), endpoints("b"))

    assert conversation.publishes(endpoints("a", 2), endpoints("b")) == ["eds#2: a=2"]


def test_rule_21_their_deletion_is_implied_and_needs_no_response() -> None:
    conversation = settled(EDS, ("a",), endpoints("a"))

    assert conversation.publishes() == []
    assert conversation.publishes(endpoints("a")) == ["eds#2: a=1"]


def test_rule_22_a_name_that_appears_later_is_sent_then() -> None:
    conversation = talk()

    assert conversation.asks(EDS, "a") == []
    assert conversation.publishes(endpoints("a")) == ["eds#1: a=1"]


def test_rule_22_a_name_that_appears_while_another_is_in_flight_is_sent_after() -> None:
    conversation = talk(endpoints("a"))
    conversation.asks(EDS, "a", "b")
    conversation.publishes(endpoints("a"), endpoints("b"))

    assert conversation.acks(EDS) == ["acked eds#1", "eds#2: b=1"]


def test_rule_34_a_name_that_is_asked_for_twice_is_answered_once() -> None:
    assert talk(endpoints("a")).asks(EDS, "a", "a") == ["eds#1: a=1"]


# What is implied across types


def test_rule_39_what_an_implied_deletion_kept_is_removed_in_the_same_turn() -> None:
    conversation = talk(cluster("a"), route("r", ["a"]), anchor("r"))
    conversation.asks(CDS)
    conversation.asks(SRDS)
    conversation.asks(RDS, "r")
    conversation.settles()
    assert conversation.publishes() == ["srds#4:"]

    assert conversation.acks(SRDS) == ["acked srds#4", "cds#5:"]


def test_rule_40_endpoints_are_sent_again_after_their_cluster() -> None:
    conversation = talk(eds_cluster("a"), eds_cluster("b"), endpoints("a"), endpoints("b"))
    conversation.asks(CDS)
    conversation.asks(EDS, "a", "b")
    conversation.settles()

    lines = conversation.publishes(eds_cluster("a", 2), eds_cluster("b"), endpoints("a"), endpoints("b"))

    assert lines == ["cds#3: a=2 b=1", "eds#4: a=1"]


# What a session costs


def test_a_current_wildcard_client_holds_no_state_for_each_resource() -> None:
    conversation = talk(*(eds_cluster(str(name)) for name in range(100)))
    conversation.asks(CDS)
    conversation.settles()

    [state] = session(conversation)._convergence.states()
    assert state.holdings._exceptions == {}
    assert not state.in_flight
    assert (state.differing, state.owed, state.rejected, state.waiting) == (set(), set(), {}, {})
