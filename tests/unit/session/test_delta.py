"""The delta variant: how it talks, by the headings of the xDS protocol document."""

from functools import partial

from tests.support import conversation as told
from tests.support.builders import CDS, EDS, LDS, RDS, SRDS, Item, cluster, eds_cluster, endpoints, listener
from tests.support.conversation import Conversation
from xds.names import Nonce
from xds.session import DeltaRequest, Ignored, Limits, Nacked

UNKNOWN = "type.googleapis.com/example.Unknown"

talk = partial(told.talk, "delta")
settled = partial(told.settled, "delta")


# Basic Protocol Overview


def test_rule_03_a_nonce_of_a_former_stream_does_not_break_the_first_request() -> None:
    assert talk(cluster("a")).asks(CDS, nonce="41") == ["cds#1: a=1"]


def test_rule_04_every_response_has_a_nonce_of_its_own() -> None:
    conversation = talk(cluster("a"), listener("l"))

    assert conversation.asks(CDS) + conversation.asks(LDS) == ["cds#1: a=1", "lds#2: l=1"]
    assert conversation.acks(CDS) + conversation.acks(LDS) == ["acked cds#1", "acked lds#2"]
    assert conversation.publishes(cluster("a", 2), listener("l", 2)) == ["cds#3: a=2", "lds#4: l=2"]


# ACK and NACK semantics summary


def test_rule_05_a_nack_is_the_presence_of_an_error_even_without_words() -> None:
    conversation = talk(cluster("a"))
    conversation.asks(CDS)

    assert conversation.sends(DeltaRequest(type_url=CDS, nonce="1", error="")) == ["nacked cds#1: a"]
    [nacked] = conversation.outputs
    assert isinstance(nacked, Nacked)
    assert (nacked.error, nacked.snapshot) == ("", 1)


def test_rule_06_an_ack_causes_nothing() -> None:
    conversation = talk(cluster("a"))
    conversation.asks(CDS)

    assert conversation.acks(CDS) == ["acked cds#1"]


def test_rule_07_a_nack_causes_nothing_until_the_content_differs_and_then_an_answer_at_once() -> None:
    conversation = settled(CDS, (), cluster("a"), cluster("b"))
    assert conversation.publishes(cluster("a", "bad"), cluster("b")) == ["cds#2: a=bad"]

    assert conversation.nacks(CDS) == ["nacked cds#2: a"]
    assert conversation.publishes(cluster("a", "bad"), cluster("b")) == []
    assert conversation.publishes(cluster("a", "bad"), cluster("b", 2)) == ["cds#3: b=2"]
    assert conversation.acks(CDS) == ["acked cds#3"]
    assert conversation.publishes(cluster("a", "good"), cluster("b", 2)) == ["cds#4: a=good"]
    assert conversation.acks(CDS) == ["acked cds#4"]


def test_rule_07_going_back_to_what_was_last_accepted_needs_no_response() -> None:
    conversation = settled(CDS, (), cluster("a"))
    conversation.publishes(cluster("a", "bad"))
    conversation.nacks(CDS)

    assert conversation.publishes(cluster("a")) == []


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


def test_rule_07_a_rejected_resource_of_one_type_does_not_freeze_another() -> None:
    conversation = talk(eds_cluster("a"), endpoints("a"))
    conversation.asks(CDS)
    conversation.asks(EDS, "a")
    conversation.settles()
    conversation.publishes(eds_cluster("a", "bad"), endpoints("a"))
    conversation.acks(EDS)
    conversation.nacks(CDS)

    assert conversation.publishes(eds_cluster("a", "bad"), endpoints("a", 2)) == ["eds#5: a=2"]


def test_rule_08_an_answer_is_matched_by_nonce_and_one_to_another_response_is_void() -> None:
    conversation = settled(CDS, (), cluster("a"))
    conversation.publishes(cluster("a", 2))

    assert conversation.acks(CDS, "1") == ["ignored cds#1"]
    assert conversation.nacks(CDS, "1") == ["ignored cds#1"]
    assert conversation.acks(CDS, "2") == ["acked cds#2"]
    assert conversation.acks(CDS, "2") == ["ignored cds#2"]
    assert conversation.outputs == (Ignored(type_url=CDS, nonce=Nonce("2"), reason="not the response in flight"),)


def test_rule_08_an_error_that_answers_no_response_is_no_nack() -> None:
    conversation = settled(CDS, (), cluster("a"))

    assert conversation.sends(DeltaRequest(type_url=CDS, error="what?")) == []


def test_rule_08_a_first_request_that_is_a_nack_is_answered_as_any_first_request() -> None:
    conversation = talk(cluster("a"))

    assert conversation.sends(DeltaRequest(type_url=CDS, nonce="9", error="no")) == ["cds#1: a=1"]


def test_rule_08_the_answer_to_one_type_is_none_to_another() -> None:
    conversation = talk(cluster("a"), listener("a"))
    assert conversation.asks(CDS) + conversation.asks(LDS) == ["cds#1: a=1", "lds#2: a=1"]

    assert conversation.acks(CDS, "2") == ["ignored cds#2"]
    assert conversation.nacks(LDS) == ["nacked lds#2: a"]
    assert conversation.acks(CDS) == ["acked cds#1"]


def test_an_empty_response_that_is_rejected_is_not_repeated() -> None:
    conversation = talk()
    conversation.asks(CDS)

    assert conversation.nacks(CDS) == ["nacked cds#1"]
    assert conversation.publishes(cluster("a")) == ["cds#2: a=1"]


# When to send an update


def test_rule_11_what_was_asked_for_while_a_response_was_in_flight_is_answered_once() -> None:
    conversation = talk(endpoints("a"), endpoints("b"), endpoints("c"))
    conversation.asks(EDS, "a")

    assert conversation.asks(EDS, "b") == []
    assert conversation.asks(EDS, "c", drop=("b",)) == []
    assert conversation.acks(EDS) == ["acked eds#1", "eds#2: c=1"]


def test_rule_47_an_equal_snapshot_sends_nothing() -> None:
    conversation = settled(CDS, (), cluster("a"), cluster("b"))

    assert conversation.publishes(cluster("b"), cluster("a")) == []


def test_only_the_newest_of_several_snapshots_is_sent_to_a_slow_client() -> None:
    conversation = talk(cluster("a", 1))
    conversation.asks(CDS)
    for content in range(2, 9):
        assert conversation.publishes(cluster("a", content)) == []

    assert conversation.acks(CDS) == ["acked cds#1", "cds#2: a=8"]


def test_a_change_that_is_taken_back_while_a_response_is_in_flight_is_put_right() -> None:
    conversation = settled(CDS, (), cluster("a"))
    conversation.publishes(cluster("a", 2))
    assert conversation.publishes(cluster("a")) == []

    assert conversation.acks(CDS) == ["acked cds#2", "cds#3: a=1"]


def test_the_cause_of_a_response_is_told() -> None:
    conversation = talk(cluster("a"))
    conversation.asks(CDS)
    assert [each.cause for each in conversation.responses] == ["request"]

    conversation.acks(CDS)
    conversation.publishes(cluster("a", 2))
    assert [(each.cause, each.snapshot) for each in conversation.responses] == [("publish", 2)]


# Grouping Resources into Responses


def test_rule_31_every_resource_is_of_the_type_that_was_asked_for() -> None:
    conversation = talk(cluster("a"), endpoints("a"), listener("a"))

    assert conversation.asks(LDS) == ["lds#1: a=1"]
    assert {each.type_url for each in conversation.responses} == {LDS}


def test_rule_35_what_was_not_asked_for_is_not_sent() -> None:
    conversation = settled(EDS, ("a",), endpoints("a"), endpoints("b"), cluster("c"))

    assert conversation.publishes(endpoints("a"), endpoints("b", 2), cluster("c", 2), endpoints("new")) == []
    assert conversation.publishes(endpoints("a", 2), endpoints("b", 3)) == ["eds#2: a=2"]


def test_rule_35_not_even_with_what_names_it() -> None:
    conversation = settled(EDS, ("b",), endpoints("b"))

    assert conversation.asks(CDS) == ["cds#2:"]
    assert conversation.acks(CDS) == ["acked cds#2"]
    assert conversation.publishes(eds_cluster("a"), endpoints("a"), endpoints("b")) == ["cds#3: a=1"]
    assert conversation.acks(CDS) == ["acked cds#3"]


def sized(limit: int, *items: Item) -> Conversation:
    return talk(*items, limits=Limits(response_bytes=limit))


def test_rule_36_a_response_is_cut_below_the_limit_and_continued_when_acknowledged() -> None:
    conversation = sized(2000, *(cluster(name, name * 800) for name in "abcde"))

    assert conversation.asks(CDS) == [f"cds#1: a={'a' * 800} b={'b' * 800}"]
    assert all(len(each.frame) < 2000 for each in conversation.responses)
    assert conversation.acks(CDS) == ["acked cds#1", f"cds#2: c={'c' * 800} d={'d' * 800}"]
    assert conversation.acks(CDS) == ["acked cds#2", f"cds#3: e={'e' * 800}"]
    assert conversation.acks(CDS) == ["acked cds#3"]


def test_rule_36_what_a_cut_left_over_is_sent_even_if_the_first_part_is_rejected() -> None:
    conversation = sized(1000, *(cluster(name, name * 800) for name in "ab"))
    conversation.asks(CDS)

    assert conversation.nacks(CDS) == ["nacked cds#1: a", f"cds#2: b={'b' * 800}"]
    assert conversation.acks(CDS) == ["acked cds#2"]


def test_rule_36_a_resource_above_the_limit_goes_alone() -> None:
    conversation = sized(100, cluster("a", "a" * 800), cluster("b"))

    assert conversation.asks(CDS) == [f"cds#1: a={'a' * 800}"]
    assert conversation.acks(CDS) == ["acked cds#1", "cds#2: b=1"]


def test_rule_36_removals_are_cut_too_and_come_last() -> None:
    names = [letter * 100 for letter in "abcd"]
    conversation = sized(300, *(cluster(name) for name in names))
    conversation.asks(CDS)
    conversation.settles()

    lines = conversation.publishes(cluster("z", "z" * 150))
    lines += conversation.settles()

    assert [line.partition(": ")[2] for line in lines] == [
        f"z={'z' * 150}",
        f"-{names[0]} -{names[1]}",
        f"-{names[2]} -{names[3]}",
    ]


def test_rule_36_a_name_above_the_limit_is_removed_all_the_same() -> None:
    conversation = talk(limits=Limits(response_bytes=10))

    assert conversation.asks(EDS, "a" * 100) == [f"eds#1: -{'a' * 100}"]


# Deleting Resources


def test_rule_30_only_what_is_gone_is_removed() -> None:
    conversation = settled(CDS, (), cluster("a"), cluster("b"), cluster("c"))

    assert conversation.publishes(cluster("a"), cluster("c", 2)) == ["cds#2: c=2 -b"]


# Resource warming


def test_what_was_awaited_is_told_once_and_then_forgotten() -> None:
    conversation = talk(eds_cluster("a"), endpoints("a"))
    conversation.asks(CDS)
    conversation.asks(EDS, "a")

    assert conversation.session._convergence._awaited == {}


# Aggregated Discovery Service


def test_rule_01_a_request_without_a_type_ends_the_stream() -> None:
    assert talk().asks("") == ["violated: a request on an aggregated stream must carry a type_url"]


def test_rule_01_types_are_independent_of_each_other() -> None:
    conversation = talk(cluster("a"), listener("a"))
    assert conversation.asks(CDS, "a") == ["cds#1: a=1"]
    assert conversation.asks(LDS) == ["lds#2: a=1"]

    assert conversation.acks(LDS) == ["acked lds#2"]
    assert conversation.nacks(CDS) == ["nacked cds#1: a"]
    assert conversation.publishes(cluster("a"), listener("a", 2)) == ["lds#3: a=2"]


def test_an_unknown_type_is_answered_as_one_that_has_no_resources() -> None:
    conversation = talk()

    assert conversation.asks(UNKNOWN) == []
    assert conversation.asks(UNKNOWN, "a") == [f"{UNKNOWN}#1: -a"]


def test_the_types_of_a_stream_are_bounded() -> None:
    conversation = talk(limits=Limits(types=2))
    conversation.asks(CDS)
    conversation.asks(LDS)

    assert conversation.asks(RDS) == ["violated: more than 2 resource types on one stream"]
    assert conversation.asks(LDS, "a") == []


# What a session costs


def test_a_current_wildcard_client_holds_no_state_for_each_resource() -> None:
    conversation = talk(
        *(eds_cluster(str(name)) for name in range(100)), *(endpoints(str(name)) for name in range(100))
    )
    conversation.asks(CDS, "*")
    conversation.asks(EDS, "*")
    conversation.asks(SRDS, "*")
    conversation.settles()
    conversation.publishes(
        *(eds_cluster(str(name), 2) for name in range(100)), *(endpoints(str(n)) for n in range(100))
    )
    conversation.settles()

    convergence = conversation.session._convergence
    for state in convergence.states():
        assert state.holdings._exceptions == {}
        assert not state.in_flight
        assert (state.differing, state.owed, state.rejected, state.waiting) == (set(), set(), {}, {})
    assert convergence._awaited == {}
