"""Tables: immutable, and each knows what changed since its forerunners."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.builders import CDS, EDS, RDS, cluster, eds_cluster, ref, route, table
from xds.names import ResourceName
from xds.snapshot import Resource, ResourceTable

A, B, C = map(ResourceName, "abc")


def resources(*names: str, content: object = 1) -> list[Resource]:
    return [cluster(name, content).resource for name in names]


@pytest.fixture
def first() -> ResourceTable:
    return ResourceTable(CDS, resources("a", "b"))


def test_a_table_is_its_resources_by_name(first: ResourceTable) -> None:
    found = first.get(A)

    assert found is not None
    assert found.body == b"a=1"
    assert first.get(C) is None
    assert (A in first, C in first) == (True, False)
    assert (len(first), list(first)) == (2, [A, B])
    assert [each.name for each in first.values()] == [A, B]


def test_a_later_resource_of_a_name_takes_the_place_of_an_earlier_one() -> None:
    again = ResourceTable(CDS, [*resources("a", "b"), *resources("a", content=2)])

    assert [each.body for each in again.values()] == [b"a=2", b"b=1"]
    assert again.version_info == ResourceTable(CDS, [*resources("b"), *resources("a", content=2)]).version_info


def test_a_table_holds_what_has_the_same_name_and_version(first: ResourceTable) -> None:
    assert first.holds(cluster("a").resource)
    assert not first.holds(cluster("a", 2).resource)
    assert not first.holds(cluster("c").resource)


# Replacing


def test_replacing_makes_another_table_and_leaves_the_first_alone(first: ResourceTable) -> None:
    after = first.replace(resources("a", content=2) + resources("c"), [B])

    assert {each.body for each in after.values()} == {b"a=2", b"c=1"}
    assert {each.body for each in first.values()} == {b"a=1", b"b=1"}


def test_a_table_that_nothing_changes_stays_itself(first: ResourceTable) -> None:
    assert first.replace(resources("a"), [C]) is first


def test_what_changed_since_a_forerunner_is_known(first: ResourceTable) -> None:
    second = first.replace(resources("a", content=2))
    third = second.replace(resources("c"), [B])

    assert first.changed_since(first) == set()
    assert second.changed_since(first) == {A}
    assert third.changed_since(first) == {A, B, C}
    assert third.changed_since(second) == {B, C}


def test_what_changed_since_a_stranger_or_a_successor_is_not_known(first: ResourceTable) -> None:
    second = first.replace(resources("c"))

    assert first.changed_since(second) is None
    assert first.changed_since(ResourceTable(CDS)) is None


def test_a_table_remembers_a_bounded_number_of_changes(first: ResourceTable) -> None:
    tables = [first]
    for content in range(100):
        tables.append(tables[-1].replace(resources("a", content=content + 2)))

    assert tables[-1].changed_since(tables[-65]) == {A}
    assert tables[-1].changed_since(tables[-66]) is None


# References


def test_what_a_table_names_follows_its_resources() -> None:
    first = table(RDS, route("r", ["a", "b"]), route("s", ["b"]))
    assert set(first.refs) == {ref(CDS, "a"), ref(CDS, "b")}

    second = first.replace([route("r", ["c"], 2).resource])
    assert set(second.refs) == {ref(CDS, "b"), ref(CDS, "c")}
    assert set(second.replace([], [ResourceName("s")]).refs) == {ref(CDS, "c")}


def test_what_is_awaited_is_named_too() -> None:
    assert list(table(CDS, eds_cluster("a")).refs) == [ref(EDS, "a")]


# version_info


def test_rule_12_version_info_changes_with_every_content() -> None:
    tables = [
        ResourceTable(CDS),
        ResourceTable(CDS, resources("a")),
        ResourceTable(CDS, resources("b")),
        ResourceTable(CDS, resources("a", "b")),
        ResourceTable(CDS, resources("a", content=2)),
    ]

    assert len({each.version_info for each in tables}) == 5


def test_rule_12_version_info_goes_back_with_the_content(first: ResourceTable) -> None:
    there = first.replace(resources("a", content=2) + resources("c"))
    back = there.replace(resources("a"), [C])

    assert back.version_info == first.version_info


NAMES = st.sampled_from("abcdef")


@settings(deadline=None)
@given(st.dictionaries(NAMES, st.integers(0, 3)), st.dictionaries(NAMES, st.integers(0, 3)), st.randoms())
def test_rule_12_version_info_is_the_same_whatever_way_led_to_the_content(
    before: dict[str, int], after: dict[str, int], random: Random
) -> None:
    shuffled = list(after.items())
    random.shuffle(shuffled)
    direct = ResourceTable(CDS, (cluster(name, content).resource for name, content in shuffled))
    start = ResourceTable(CDS, (cluster(name, content).resource for name, content in before.items()))
    changed = start.replace(
        [cluster(name, content).resource for name, content in after.items()],
        [ResourceName(name) for name in before if name not in after],
    )

    assert changed.version_info == direct.version_info
    assert sorted(changed) == sorted(direct)


def test_the_version_info_of_a_table_with_some_resources_exchanged_or_left_out(first: ResourceTable) -> None:
    newer = cluster("a", 2).resource

    assert first.version_info_of({}) == first.version_info
    assert first.version_info_of({A: newer}) == first.replace([newer]).version_info
    assert first.version_info_of({A: None, C: None}) == first.replace([], [A]).version_info
    assert first.version_info_of({C: cluster("c").resource}) == first.replace(resources("c")).version_info
