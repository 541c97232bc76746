"""The state-of-the-world variant: what a client asks for, by the headings of the xDS protocol document."""

from collections.abc import Callable
from functools import partial

import pytest

from tests.support import conversation as told
from tests.support.builders import CDS, EDS, LDS, RDS, SRDS, Item, anchor, cluster, endpoints, listener, route, scope
from tests.support.conversation import Conversation
from xds.names import TypeUrl
from xds.session import Limits

UNKNOWN = "type.googleapis.com/example.Unknown"

talk = partial(told.talk, "sotw")
settled = partial(told.settled, "sotw")


# How the client specifies what resources to return


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


def test_rule_35_what_was_not_asked_for_is_not_sent() -> None:
    conversation = settled(EDS, ("a",), endpoints("a"), endpoints("b"), cluster("c"))

    assert conversation.publishes(endpoints("a"), endpoints("b", 2), cluster("c", 2), endpoints("new")) == []
    assert conversation.publishes(endpoints("a", 2), endpoints("b", 3)) == ["eds#2: a=2"]


def test_rule_35_not_even_in_a_whole_set() -> None:
    conversation = settled(CDS, ("a",), cluster("a"), cluster("b"))

    assert conversation.publishes(cluster("a"), cluster("b", 2)) == []
    assert conversation.publishes(cluster("a", 2), cluster("b", 3)) == ["cds#2: a=2"]


# Grouping Resources into Responses


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


def test_rule_21_other_types_are_sent_in_part() -> None:
    conversation = settled(EDS, ("a", "b"), endpoints("a"), endpoints("b"))

    assert conversation.publishes(endpoints("a", 2), endpoints("b")) == ["eds#2: a=2"]


@pytest.mark.parametrize("item", [cluster, listener, anchor])
def test_rule_36_a_whole_set_is_never_cut(item: Callable[[str, str], Item]) -> None:
    large = [item(name, name * 800) for name in "abc"]
    conversation = talk(*large, limits=Limits(response_bytes=1000))

    conversation.asks(large[0].type_url)

    assert [each.resources for each in conversation.responses] == [3], "what it leaves out would be deleted"


# Duplicate Resource Names


def test_rule_34_a_name_that_is_asked_for_twice_is_answered_once() -> None:
    assert talk(endpoints("a")).asks(EDS, "a", "a") == ["eds#1: a=1"]


# Deleting Resources


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


def test_rule_21_their_deletion_is_implied_and_needs_no_response() -> None:
    conversation = settled(EDS, ("a",), endpoints("a"))

    assert conversation.publishes() == []
    assert conversation.publishes(endpoints("a")) == ["eds#2: a=1"]


# Knowing When a Requested Resource Does Not Exist


def test_rule_22_a_name_that_appears_later_is_sent_then() -> None:
    conversation = talk()

    assert conversation.asks(RDS, "r") == []
    assert conversation.publishes(route("r")) == ["rds#1: r=1"]


def test_rule_22_a_name_that_appears_while_another_is_in_flight_is_sent_after() -> None:
    conversation = talk(endpoints("a"))
    conversation.asks(EDS, "a", "b")
    conversation.publishes(endpoints("a"), endpoints("b"))

    assert conversation.acks(EDS) == ["acked eds#1", "eds#2: b=1"]


# Unsubscribing From Resources


def test_rule_16_a_name_that_is_missing_is_unsubscribed() -> None:
    conversation = settled(EDS, ("a", "b"), endpoints("a"), endpoints("b"))

    assert conversation.asks(EDS, "b") == []
    assert conversation.publishes(endpoints("a", 2), endpoints("b", 2)) == ["eds#2: b=2"]
