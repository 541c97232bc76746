"""Make before break across types, in both variants ("Eventual consistency considerations", "Resource warming")."""

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
)
from tests.support.conversation import VARIANTS, Conversation, Variant
from xds.session import Limits

BASE = (eds_cluster("a"), endpoints("a"), listener("l"), route("r", ["a"]), anchor("r"), scope("t", "r"))


def connected(variant: Variant, *items: Item) -> Conversation:
    """A client that follows all types as Envoy does, and is current."""
    conversation = Conversation(variant, items)
    conversation.asks(CDS)
    conversation.asks(LDS)
    conversation.asks(SRDS)
    conversation.settles()
    conversation.asks(EDS, *(each.resource.name for each in items if each.type_url is EDS))
    conversation.asks(RDS, *(each.resource.name for each in items if each.type_url is RDS))
    conversation.settles()
    return conversation


def labels(lines: list[str]) -> list[str]:
    """The types of the responses, and what they say, without numbers."""
    return [f"{line.partition('#')[0]}:{line.partition(':')[2]}" for line in lines if "acked" not in line]


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> Variant:
    chosen: Variant = request.param
    return chosen


@pytest.fixture
def base(variant: Variant) -> Conversation:
    return connected(variant, *BASE)


def is_delta(conversation: Conversation) -> bool:
    return conversation.variant == "delta"


# Adding


def test_rule_37_a_new_cell_goes_out_in_the_order_in_which_a_client_must_learn_of_it(base: Conversation) -> None:
    new = (eds_cluster("b"), endpoints("b"), route("s", ["b"]), anchor("s"), scope("u", "s"))
    told = labels(base.publishes(*BASE, *new))
    assert [line.partition(":")[0] for line in told] == ["cds", "srds"]
    assert "u=" not in told[1], "the tenant's scope waits for its table"

    assert base.acks(SRDS) == [f"acked srds#{base._seen[SRDS].nonce}"]
    assert base.acks(CDS) == [f"acked cds#{base._seen[CDS].nonce}"]
    assert labels(base.asks(RDS, *names(base, "r", "s"))) == [], "the table waits for its cluster's endpoints"
    assert labels(base.asks(EDS, *names(base, "a", "b"))) == ["eds: b=1"]
    assert labels(base.acks(EDS)) == ["rds: s=1"]
    assert labels(base.acks(RDS)) == [f"srds:{' u=s.1' if is_delta(base) else ' -/r=1 -/s=1 t=r.1 u=s.1'}"]
    assert base.settles() == []


def names(conversation: Conversation, held: str, new: str) -> tuple[str, ...]:
    """What to ask for to have `new` besides `held`."""
    return (new,) if is_delta(conversation) else (held, new)


def test_rule_37_changes_of_all_types_that_need_nothing_go_at_once_and_in_order(base: Conversation) -> None:
    lines = base.publishes(cluster("a", 2), listener("l", 2), *BASE[1:2], route("r", [], 2), *BASE[4:])

    assert [line.partition("#")[0] for line in lines] == ["cds", "lds", "rds"]


def test_rule_38_a_route_waits_for_a_cluster_that_is_not_acknowledged(base: Conversation) -> None:
    lines = base.publishes(*BASE[:3], cluster("b"), route("r", ["b"], 2), *BASE[4:])
    assert [line.partition("#")[0] for line in lines] == ["cds"]

    assert labels(base.acks(CDS)) == ["rds: r=2"]


def test_rule_38_a_route_waits_for_a_cluster_whose_newest_content_is_not_even_sent(base: Conversation) -> None:
    with_b = (*BASE[1:3], cluster("b"))
    assert labels(base.publishes(BASE[0], *with_b, *BASE[3:]))[0].startswith("cds")

    assert base.publishes(cluster("a", 2), *with_b, route("r", ["a"], 2), *BASE[4:]) == []
    assert labels(base.acks(CDS))[0].startswith("cds: a=2")
    assert labels(base.acks(CDS))[0] == "rds: r=2"


def test_rule_38_a_route_waits_for_a_cluster_that_is_being_taken_away(base: Conversation) -> None:
    with_b = (*BASE, cluster("b"))
    base.publishes(*with_b)
    base.settles()
    assert labels(base.publishes(*BASE)) == [f"cds:{' -b' if is_delta(base) else ' a=1'}"]

    assert base.publishes(*BASE[:3], cluster("b"), route("r", ["b"], 2), *BASE[4:]) == []
    assert labels(base.acks(CDS)) == [f"cds: {'b=1' if is_delta(base) else 'a=1 b=1'}"]
    assert labels(base.acks(CDS)) == ["rds: r=2"]


def test_rule_38_the_first_response_of_a_type_goes_out_whole(variant: Variant) -> None:
    conversation = Conversation(variant, BASE)
    conversation.asks(CDS)

    assert labels(conversation.asks(RDS, "r")) == ["rds: r=1"]
    assert labels(conversation.asks(SRDS)) == ["srds: -/r=1 t=r.1"]


def test_a_type_that_was_never_asked_for_keeps_nothing_waiting(variant: Variant) -> None:
    conversation = Conversation(variant, (route("r", []),))
    conversation.asks(RDS, "r")
    conversation.settles()

    assert labels(conversation.publishes(cluster("a"), route("r", ["a"], 2))) == ["rds: r=2"]


def test_a_name_that_was_never_asked_for_keeps_something_waiting_only_for_a_time(variant: Variant) -> None:
    conversation = Conversation(variant, (cluster("a"), route("r", ["a"])))
    conversation.asks(CDS, "a")
    conversation.asks(RDS, "r")
    conversation.settles()

    assert conversation.publishes(cluster("a"), cluster("b"), route("r", ["b"], 2)) == []
    assert labels(conversation.waits(5)) == ["rds: r=2"]


def test_something_that_names_what_does_not_exist_does_not_wait_for_it(base: Conversation) -> None:
    assert labels(base.publishes(*BASE[:3], route("r", ["a", "nowhere"], 2), *BASE[4:])) == ["rds: r=2"]


# Warming


def test_rule_40_endpoints_are_sent_again_after_their_cluster_even_unchanged(base: Conversation) -> None:
    lines = base.publishes(eds_cluster("a", 2), *BASE[1:])

    assert labels(lines) == ["cds: a=2", "eds: a=1"]
    assert base.settles() == []


def test_rule_40_a_route_waits_until_a_changed_cluster_has_its_endpoints(base: Conversation) -> None:
    base.publishes(eds_cluster("a", 2), *BASE[1:3], route("r", ["a"], 2), *BASE[4:])

    assert labels(base.acks(CDS)) == []
    assert labels(base.acks(EDS)) == ["rds: r=2"]


def test_rule_40_endpoints_that_were_in_flight_when_their_cluster_left_are_sent_again(base: Conversation) -> None:
    assert labels(base.publishes(BASE[0], endpoints("a", 2), *BASE[2:])) == ["eds: a=2"]
    assert labels(base.publishes(eds_cluster("a", 2), endpoints("a", 2), *BASE[2:])) == ["cds: a=2"]

    assert labels(base.acks(EDS)) == ["eds: a=2"], "the acknowledged ones came before the cluster"
    assert labels(base.acks(CDS)) == []
    assert labels(base.acks(EDS)) == []


def test_rule_40_endpoints_asked_for_by_an_unchanged_name_are_answered_for_a_new_cluster(variant: Variant) -> None:
    conversation = Conversation(variant, (eds_cluster("a"), endpoints("a")))
    conversation.asks(CDS)

    assert labels(conversation.asks(EDS, "a")) == ["eds: a=1"]


# Taking away


def test_rule_39_a_cluster_leaves_after_the_route_that_stopped_using_it_is_acknowledged(base: Conversation) -> None:
    with_b = (*BASE, cluster("b"))
    base.publishes(*with_b)
    base.settles()

    lines = base.publishes(listener("l"), cluster("b"), route("r", ["b"], 2), anchor("r"), scope("t", "r"))
    assert labels(lines) == ["rds: r=2"]
    told = labels(base.acks(RDS))
    assert told == [f"cds:{' -a' if is_delta(base) else ' b=1'}"]
    assert labels(base.acks(CDS)) == (["eds: -a"] if is_delta(base) else [])


def test_rule_39_a_whole_cell_is_taken_away_from_the_top(base: Conversation) -> None:
    lines = base.publishes(listener("l"))
    assert [line.partition("#")[0] for line in lines] == ["srds"]

    rest = [line.partition("#")[0] for line in base.settles()]
    assert rest == (["rds", "cds", "eds"] if is_delta(base) else ["cds"])


def test_rule_39_a_cluster_stays_while_a_route_that_names_it_is_in_flight(base: Conversation) -> None:
    with_b = (*BASE, cluster("b"))
    base.publishes(*with_b)
    base.settles()
    base.publishes(*BASE[:3], cluster("b"), route("r", ["a", "b"], 2), *BASE[4:])

    assert base.publishes(*BASE) == [], "the client may hold the route that names b already"
    assert labels(base.acks(RDS)) == ["rds: r=1"]
    assert labels(base.acks(RDS)) == [f"cds:{' -b' if is_delta(base) else ' a=1'}"]


def test_rule_39_what_a_rejected_change_keeps_in_use_is_not_taken_away(base: Conversation) -> None:
    without_a = (listener("l"), route("r", [], "bad"), anchor("r"), scope("t", "r"))
    assert labels(base.publishes(*without_a)) == ["rds: r=bad"]
    base.nacks(RDS)

    assert base.session.deadline is None
    assert base.waits(1000) == []
    assert labels(base.publishes(without_a[0], route("r", [], "good"), *without_a[2:])) == ["rds: r=good"]
    assert labels(base.acks(RDS)) == [f"cds:{' -a' if is_delta(base) else ''}"]


def test_rule_39_nor_what_that_keeps_in_use_in_turn(base: Conversation) -> None:
    moved = (listener("l"), cluster("b"), route("s", ["b"]), anchor("s"))
    base.publishes(*BASE, *moved[1:])
    base.settles()
    base.asks(RDS, *names(base, "r", "s"))
    base.settles()
    assert labels(base.publishes(*moved, scope("t", "s", "bad")))[0].startswith("srds")
    base.nacks(SRDS)

    assert base.waits(1000) == [], "tenant t is on table r, and r on cluster a"
    assert base.session.deadline is None
    assert labels(base.publishes(*moved, scope("t", "s", "good")))[0].startswith("srds")
    assert [line.partition("#")[0] for line in base.settles()] == (["rds", "cds", "eds"] if is_delta(base) else ["cds"])


# A wait is bounded by time


def test_a_wait_ends_after_the_time_limit_and_no_sooner(base: Conversation) -> None:
    base.publishes(*BASE[:3], cluster("b"), route("r", ["b"], 2), *BASE[4:])
    assert base.session.deadline == 5

    assert base.waits(4.9) == []
    assert labels(base.waits(0.1)) == ["rds: r=2"]
    assert base.session.deadline is None


def test_time_is_counted_for_each_name_from_when_it_had_to_wait(base: Conversation) -> None:
    first = (*BASE[:3], cluster("b"), route("r", ["a", "b"], 2), *BASE[4:])
    base.publishes(*first)
    base.now = 3
    base.asks(RDS, *names(base, "r", "s"))
    if is_delta(base):
        base.acks(RDS)
    base.publishes(*first, cluster("c"), route("s", ["c"]))

    assert base.session.deadline == 5
    assert [line for line in labels(base.waits(2)) if line.startswith("rds")] == ["rds: r=2"]
    assert labels(base.acks(RDS)) == []
    assert base.session.deadline == 8


def test_the_deadline_is_reached_exactly_whatever_the_clock_shows(variant: Variant) -> None:
    for start in (0.1, 0.3, 1e9 + 0.7):
        conversation = connected(variant, *BASE)
        conversation.now = start
        conversation.publishes(*BASE[:3], cluster("b"), route("r", ["b"], 2), *BASE[4:])
        due = conversation.session.deadline
        assert due is not None
        conversation.now = due

        assert labels(conversation.waits(0)) == ["rds: r=2"]


def test_a_type_that_is_in_flight_has_no_deadline(base: Conversation) -> None:
    base.publishes(*BASE[:3], cluster("b"), route("r", ["a"], 2), *BASE[4:])
    base.publishes(*BASE[:3], cluster("b"), route("r", ["b"], 3), *BASE[4:])

    assert base.session.deadline is None


def test_a_wait_that_is_over_is_forgotten(base: Conversation) -> None:
    base.publishes(*BASE[:3], cluster("b"), route("r", ["b"], 2), *BASE[4:])
    base.publishes(*BASE, cluster("b"))

    assert base.session.deadline is None


def test_an_implied_removal_that_waited_too_long_is_over(base: Conversation) -> None:
    base.publishes(listener("l"))
    assert base.session.deadline == 5

    base.waits(5)

    assert base.session.deadline is None


def test_what_works_is_not_exchanged_for_what_needs_a_rejected_new_cluster(base: Conversation) -> None:
    new = (cluster("b", "bad"), route("r", ["b"], 2))
    base.publishes(*BASE[:3], *new, *BASE[4:])
    assert labels(base.nacks(CDS)) == []

    assert base.publishes(*BASE[:3], *new, *BASE[4:]) == []
    assert base.session.deadline is None, "this is no wait: the client has spoken"
    assert labels(base.waits(60)) == []
    assert labels(base.publishes(*BASE[:3], cluster("b", "good"), new[1], *BASE[4:]))[0].startswith("cds")


def test_what_a_table_kept_for_want_of_a_better_one_names_is_kept_too(base: Conversation) -> None:
    base.publishes(*BASE[1:3], cluster("b", "bad"), route("r", ["b"], 2), *BASE[4:])
    base.nacks(CDS)

    assert labels(base.waits(60)) == [], "the old cluster is used by the old table"


def test_a_new_table_that_needs_a_rejected_cluster_waits_for_a_time_only(base: Conversation) -> None:
    new = (cluster("b", "bad"), route("n", ["b"]))
    base.asks(RDS, "r", "n")
    base.settles()
    base.publishes(*BASE, *new)
    base.nacks(CDS)

    assert labels(base.waits(5)) == ["rds: n=1"], "nothing that works is lost by it"


def test_a_rejected_change_of_a_cluster_holds_back_nothing(base: Conversation) -> None:
    base.publishes(cluster("a", "bad"), *BASE[1:3], route("r", ["a"], 2), *BASE[4:])

    assert labels(base.nacks(CDS)) == ["rds: r=2"], "the old cluster is there, and serves"


def test_what_a_cut_left_over_does_not_start_to_wait_anew() -> None:
    long = "x" * 500
    conversation = Conversation("delta", (), Limits(response_bytes=1000))
    conversation.asks(CDS)
    conversation.asks(RDS, "r", "s", "u")
    conversation.settles()
    conversation.publishes(cluster("b"), *(route(name, ["b"], long) for name in "rsu"))
    assert labels(conversation.waits(5)) == [f"rds: r={long}"]

    assert conversation.session.deadline is None
    assert labels(conversation.acks(RDS)) == [f"rds: s={long}"]


# Leaving


def test_a_route_table_that_is_being_left_changes_after_those_that_leave_it(variant: Variant) -> None:
    other = (cluster("b"), route("s", ["b"]), anchor("s"))
    conversation = connected(variant, *BASE, *other)
    retired = (*BASE[2:3], route("r", [], "not in service"), anchor("r"), scope("t", "s"))

    lines = labels(conversation.publishes(*retired, *other))
    lines += labels(conversation.settles())

    moved = next(place for place, line in enumerate(lines) if "t=s.1" in line)
    refusing = next(place for place, line in enumerate(lines) if "r=not in service" in line)
    without = next(place for place, line in enumerate(lines) if line.startswith("cds"))
    assert moved < refusing < without


def test_a_route_table_that_is_left_in_vain_changes_after_a_time(variant: Variant) -> None:
    conversation = connected(variant, *BASE)
    retired = (*BASE[:3], route("r", ["a"], "new"), anchor("r"), scope("t", "s"), route("s", ["b"]), cluster("b"))

    labels(conversation.publishes(*retired))
    while conversation.session.deadline is None:
        conversation.nacks(CDS) if CDS in conversation._unanswered else conversation.acks(conversation._unanswered[0])

    assert any("r=new" in line for line in [*conversation.waits(6), *conversation.settles()])


def test_a_scope_waits_for_a_cluster_behind_its_route_table(variant: Variant) -> None:
    conversation = connected(variant, *BASE)
    following = (*BASE[:5], scope("t", "s"), cluster("b", "bad"), route("s", ["b"]), anchor("s"))
    conversation.publishes(*following)
    conversation.nacks(CDS)
    conversation.settles()
    conversation.asks(RDS, "s") if variant == "delta" else conversation.asks(RDS, "r", "s")
    conversation.settles()

    lines = [*conversation.waits(6), *conversation.settles(), *conversation.waits(60), *conversation.settles()]

    assert not any("t=s.1" in line for line in lines), "it stays in the cell that works"
