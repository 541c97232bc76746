"""When graces end, without a clock."""

from datetime import timedelta

from tests.support.edge import edge_options, tenant
from xds.publish.graces import Graces
from xds.translate import TenantOptions

OPTIONS = edge_options(tenants=TenantOptions(grace=timedelta(seconds=10)))


def test_the_next_end_is_told_and_each_end_once() -> None:
    graces = Graces(OPTIONS)
    graces.note([tenant("b", came_from="cell-old", at=102.0), tenant("a", came_from="cell-old", at=101.0)], 103.0)

    assert graces.seconds_left(103.0) == 8.0
    assert graces.ended(110.9) == []
    assert graces.ended(111.0) == ["a"]
    assert graces.seconds_left(111.0) == 1.0
    assert graces.seconds_left(999.0) == 0.0
    assert graces.ended(999.0) == ["b"]
    assert graces.ended(999.0) == []
    assert graces.seconds_left(999.0) is None


def test_what_has_no_grace_or_had_it_is_not_waited_for() -> None:
    graces = Graces(OPTIONS)
    graces.note([None, tenant(), tenant("late", came_from="cell-old", at=90.0)], 100.0)

    assert graces.seconds_left(100.0) is None


def test_without_a_grace_nothing_is_waited_for() -> None:
    graces = Graces(edge_options())
    graces.note([tenant(came_from="cell-old", at=100.0)], 100.0)

    assert graces.seconds_left(100.0) is None
