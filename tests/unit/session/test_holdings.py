"""What a client holds, told as a table and exceptions."""

import pytest

from tests.support.builders import CDS, RDS, cluster, eds_cluster, ref, route, table
from xds.names import ResourceName
from xds.session.holdings import Holdings
from xds.snapshot import ResourceTable

A, B, C = map(ResourceName, "abc")


@pytest.fixture
def target() -> ResourceTable:
    return table(CDS, cluster("a"), cluster("b"))


@pytest.fixture
def current(target: ResourceTable) -> Holdings:
    """A client that holds all of `target`."""
    holdings = Holdings(CDS)
    holdings.rebase(target, ())
    return holdings


def test_a_new_client_holds_nothing(target: ResourceTable) -> None:
    holdings = Holdings(CDS)

    assert holdings.get(A) is None
    assert holdings.candidates(target) == {A, B}


def test_a_current_client_costs_no_state_of_its_own(current: Holdings, target: ResourceTable) -> None:
    assert current.get(A) is target.get(A)
    assert current.candidates(target) == set()
    assert current._exceptions == {}


def test_an_exception_stands_before_the_base(current: Holdings) -> None:
    newer = cluster("a", 2).resource
    current.put(A, newer)
    current.put(B, None)

    assert current.get(A) is newer
    assert current.get(B) is None


def test_candidates_are_what_changed_and_what_is_exceptional(current: Holdings, target: ResourceTable) -> None:
    after = target.replace([cluster("b", 2).resource])
    current.put(C, cluster("c").resource)

    assert current.candidates(after) == {B, C}


def test_a_table_of_another_line_is_compared_in_full(current: Holdings) -> None:
    assert current.candidates(table(CDS, cluster("c"))) == {A, B, C}


def test_rebasing_says_the_same_in_other_terms(current: Holdings, target: ResourceTable) -> None:
    after = target.replace([cluster("b", 2).resource])
    current.rebase(after, [B])

    assert current.get(A) is after.get(A)
    assert current.get(B) is target.get(B)


def test_names_that_are_discarded_count_as_not_held(current: Holdings) -> None:
    current.discard([A])

    assert current.get(A) is None
    assert current.get(B) is not None


def test_only_names_that_are_kept_are_held(current: Holdings, target: ResourceTable) -> None:
    current.keep([A, C])

    assert current.get(A) is target.get(A)
    assert current.get(B) is None
    assert current.get(C) is None


def test_users_are_found_by_what_they_name_need_or_await() -> None:
    holdings = Holdings(RDS)
    holdings.put(A, route("a", ["x"]).resource)
    holdings.put(B, eds_cluster("x").resource)
    holdings.put(C, None)

    assert holdings.users(ref(CDS, "x")) == {A}
    assert holdings.users(eds_cluster("x").resource.awaits[0]) == {B}
    assert holdings.users(ref(CDS, "y")) == frozenset()


def test_users_are_those_of_now() -> None:
    holdings = Holdings(RDS)
    holdings.put(A, route("a", ["x"]).resource)
    assert holdings.users(ref(CDS, "x")) == {A}

    holdings.put(A, None)

    assert holdings.users(ref(CDS, "x")) == frozenset()
