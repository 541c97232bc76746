"""What a group has rejected is not given to those that come; they get what was there before."""

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
    listener,
    route,
    scope,
    snapshot,
)
from xds.names import Nonce, TypeUrl
from xds.session import LastGood, Nacked
from xds.snapshot import Snapshot

BASE = (cluster("a"), listener("l"), route("r", ["a"]), anchor("r"), scope("t", "r"))


def nacked(*items: Item) -> Nacked:
    changes = {each.resource.name: each.resource for each in items}
    return Nacked(
        type_url=items[0].type_url, nonce=Nonce("1"), version_info="v", snapshot=1, error="no", changes=changes
    )


def accepting(*items: Item) -> LastGood:
    """A group of which one client holds all of that."""
    last_good = LastGood()
    for table in snapshot(*items).tables.values():
        last_good.accept(table)
    return last_good


def said(of: Snapshot) -> set[str]:
    return {each.body.decode() for table in of.tables.values() for each in table.values()}


def bodies(*items: Item) -> set[str]:
    return {each.resource.body.decode() for each in items}


def test_where_nothing_is_rejected_the_newest_snapshot_is_given_itself() -> None:
    newest = snapshot(*BASE)

    assert accepting(*BASE).settle(newest) is newest
    assert LastGood().settle(newest) is newest


def test_what_is_rejected_stands_as_it_was_last_accepted() -> None:
    last_good = accepting(*BASE)
    newest = snapshot(*BASE[2:], listener("l", "bad"), cluster("a", 2))

    last_good.reject(nacked(listener("l", "bad")))

    assert said(last_good.settle(newest)) == bodies(*BASE[1:], cluster("a", 2)), "the rest is the newest"
    assert last_good.settle(newest) is last_good.settle(newest)


def test_what_was_never_accepted_is_left_out_with_all_that_needs_it() -> None:
    last_good = accepting(*BASE)
    newest = snapshot(*BASE[:4], cluster("b", "bad"), route("s", ["b"]), anchor("s"), scope("t", "s"), scope("u", "s"))

    last_good.reject(nacked(cluster("b", "bad")))

    assert said(last_good.settle(newest)) == bodies(*BASE)


def test_what_the_old_content_names_is_kept_too() -> None:
    last_good = accepting(*BASE)
    newest = snapshot(cluster("b"), listener("l"), route("r", ["b"], "bad"), anchor("r"), scope("t", "r"))

    last_good.reject(nacked(route("r", ["b"], "bad")))

    assert said(last_good.settle(newest)) == bodies(*BASE, cluster("b"))


def test_what_changes_is_no_longer_rejected() -> None:
    last_good = accepting(*BASE)
    last_good.reject(nacked(listener("l", "bad")))
    healed = snapshot(*BASE[2:], cluster("a"), listener("l", "better"))

    assert last_good.settle(healed) is healed
    again = snapshot(*BASE[2:], cluster("a"), listener("l", "bad"))
    assert last_good.settle(again) is again, "a verdict is forgotten with its content"


def test_what_another_client_holds_is_not_rejected() -> None:
    newest = snapshot(*BASE[2:], cluster("a"), listener("l", 2))
    before, after = accepting(*BASE), accepting(*BASE)

    assert not before.accept(newest.table(LDS))
    before.reject(nacked(listener("l", 2)))
    assert before.settle(newest) is newest

    after.reject(nacked(listener("l", 2)))
    assert after.settle(newest) is not newest
    assert after.accept(newest.table(LDS)), "news for those that were not given it"
    assert after.settle(newest) is newest


def test_a_group_that_has_accepted_nothing_gets_what_there_is() -> None:
    last_good = LastGood()
    newest = snapshot(*BASE)
    last_good.reject(nacked(*BASE[:1]))

    assert last_good.settle(newest) is newest

    last_good.accept(snapshot().table(CDS))
    assert last_good.settle(newest) is newest, "its routes can't go, for none were ever accepted"


def test_what_would_not_hold_together_is_not_given() -> None:
    last_good = LastGood()
    last_good.accept(snapshot(*BASE).table(RDS))
    last_good.accept(snapshot().table(CDS))
    newest = snapshot(cluster("b"), route("r", ["b"], "bad"), anchor("r"))
    last_good.reject(nacked(route("r", ["b"], "bad")))

    assert last_good.settle(newest) is newest, "the old table names a cluster that nobody has"


def test_a_removal_can_not_be_rejected_for_others() -> None:
    last_good = accepting(*BASE)
    newest = snapshot(*BASE[1:2])
    last_good.reject(
        Nacked(
            type_url=CDS,
            nonce=Nonce("1"),
            version_info="v",
            snapshot=1,
            error="no",
            changes={BASE[0].resource.name: None},
        )
    )

    assert last_good.settle(newest) is newest


@pytest.mark.parametrize("type_url", [EDS, SRDS])
def test_whether_a_table_is_the_last_that_was_accepted(type_url: TypeUrl) -> None:
    table, other = snapshot(*BASE).table(type_url), snapshot(*BASE).table(type_url)
    last_good = LastGood()

    assert not last_good.is_good(table)
    last_good.accept(table)
    assert last_good.is_good(table)
    assert not last_good.is_good(other)
