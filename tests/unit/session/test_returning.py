"""What comes back before its client could have been told that it was gone."""

from functools import partial

from tests.support import conversation as told
from tests.support.builders import CDS, LDS, RDS, cluster, listener, route

talk = partial(told.talk, "sotw")


# Deleting Resources


def test_rule_39_a_table_that_is_gone_and_back_at_once_still_names_its_clusters() -> None:
    conversation = talk(cluster("a"), route("r", ["a"]))
    assert conversation.asks(CDS) + conversation.asks(RDS, "r") == ["cds#1: a=1", "rds#2: r=1"]
    assert conversation.settles() == []
    assert conversation.publishes(cluster("a")) == [], "that r is gone can't be said"

    assert conversation.publishes(route("r", [], 2)) == ["rds#3: r=2"], "the client may hold r=1, which names a"
    assert conversation.acks(RDS) == ["acked rds#3", "cds#4:"]


def test_rule_21_it_is_sent_again_even_unchanged() -> None:
    conversation = talk(cluster("a"), route("r", ["a"]))
    assert conversation.asks(RDS, "r") == ["rds#1: r=1"]
    assert conversation.settles() == []
    assert conversation.publishes(cluster("a")) == []

    assert conversation.publishes(cluster("a"), route("r", ["a"])) == ["rds#2: r=1"]


# ACK and NACK semantics summary


def test_rule_07_that_something_was_not_there_is_no_part_of_what_was_rejected() -> None:
    conversation = talk(listener("l", "bad"))
    assert conversation.asks(LDS, "x") == ["lds#1:"]
    assert conversation.acks(LDS) == ["acked lds#1"]
    assert conversation.asks(LDS, "l", "m") == ["lds#2: l=bad"]

    assert conversation.nacks(LDS) == ["nacked lds#2: l m"]
    assert conversation.publishes(listener("l", "bad"), listener("m")) == ["lds#3: m=1"], "l=bad is not repeated"
