"""Subscriptions, by the sequences that the protocol document gives."""

import pytest

from tests.support.builders import CDS, EDS, LDS, RDS, SRDS
from xds.names import ResourceName, TypeUrl
from xds.session.subscription import Subscription, Wildcard, after_delta, after_sotw

UNKNOWN = "type.googleapis.com/example.Unknown"


def named(*names: str, wildcard: Wildcard = Wildcard.NONE) -> Subscription:
    return Subscription(frozenset(map(ResourceName, names)), wildcard, named=True)


# How the client specifies what resources to return: state of the world


def test_rule_16_the_names_are_the_full_set_each_time() -> None:
    held = after_sotw(None, EDS, ("a", "b"))

    assert held == named("a", "b")
    assert after_sotw(held, EDS, ("b", "c")) == named("b", "c")


@pytest.mark.parametrize("type_url", [CDS, LDS, SRDS])
def test_rule_18_naming_nothing_from_the_start_asks_for_everything(type_url: TypeUrl) -> None:
    held = after_sotw(None, type_url, ())

    assert held.wildcard is Wildcard.LEGACY
    assert after_sotw(held, type_url, ()) == held


def test_rule_18_naming_nothing_after_a_name_asks_for_nothing() -> None:
    assert after_sotw(after_sotw(None, CDS, ("a",)), CDS, ()) == named()


@pytest.mark.parametrize("type_url", [EDS, RDS, UNKNOWN])
def test_rule_18_types_that_are_never_asked_for_as_a_whole_have_no_legacy_wildcard(type_url: str) -> None:
    assert not after_sotw(None, type_url, ()).is_wildcard
    assert not after_delta(None, type_url, (), ()).is_wildcard


def test_rule_19_the_sequence_of_the_protocol_document() -> None:
    everything = after_sotw(None, CDS, ())
    and_a = after_sotw(everything, CDS, ("*", "a"))
    only_a = after_sotw(and_a, CDS, ("a",))
    nothing = after_sotw(only_a, CDS, ())

    assert everything.wildcard is Wildcard.LEGACY
    assert and_a == named("a", wildcard=Wildcard.EXPLICIT)
    assert only_a == named("a")
    assert nothing == named()


# How the client specifies what resources to return: delta


def test_rule_23_the_sequence_of_the_protocol_document() -> None:
    everything = after_delta(None, CDS, (), ())
    and_a = after_delta(everything, CDS, ("a",), ())
    only_a = after_delta(and_a, CDS, (), ("*",))
    nothing = after_delta(only_a, CDS, (), ("a",))

    assert everything.wildcard is Wildcard.LEGACY
    assert and_a == named("a", wildcard=Wildcard.LEGACY)
    assert only_a == named("a")
    assert nothing == named()
    assert after_delta(nothing, CDS, (), ()) == nothing


def test_rule_28_a_star_asks_for_everything_of_any_type() -> None:
    assert after_delta(None, EDS, ("*",), ()) == named(wildcard=Wildcard.EXPLICIT)
    assert after_sotw(None, EDS, ("*",)) == named(wildcard=Wildcard.EXPLICIT)


def test_a_first_request_that_names_something_is_no_wildcard() -> None:
    assert after_delta(None, CDS, ("a",), ()) == named("a")


def test_rule_26_unsubscribing_from_what_was_never_asked_for_changes_nothing() -> None:
    held = named("a")

    assert after_delta(held, EDS, (), ("b",)) == held


def test_rule_32_a_request_that_changes_nothing_keeps_the_subscription() -> None:
    held = named("a")

    assert after_delta(held, EDS, (), ()) is held


def test_a_name_in_both_lists_ends_up_unsubscribed() -> None:
    assert after_delta(named("a"), EDS, ("a", "b"), ("a",)) == named("b")
    assert after_delta(named(), EDS, ("*",), ("*",)) == named()


# What a subscription covers


def test_a_wildcard_covers_every_name_and_has_no_count() -> None:
    assert named("a", wildcard=Wildcard.EXPLICIT).covers(ResourceName("b"))
    assert named("a", wildcard=Wildcard.LEGACY).count is None


def test_names_cover_themselves_and_are_counted() -> None:
    held = named("a", "b")

    assert held.covers(ResourceName("a"))
    assert not held.covers(ResourceName("c"))
    assert held.count == 2


@pytest.mark.parametrize("names", ["", "a", "ab", "abc", "c"])
def test_names_are_all_covered_by_a_wildcard_or_if_each_is_asked_for(names: str) -> None:
    those = [ResourceName(name) for name in names]

    assert named("a", "b").covers_all(those) is ("c" not in names)
    assert named("a", wildcard=Wildcard.EXPLICIT).covers_all(those)
