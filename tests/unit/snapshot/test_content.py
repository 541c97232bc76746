"""All that is served, compared and changed; equal wherever and however it was made."""

import random
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import CDS, RDS, SRDS, cluster, item
from tests.support.edge import GROUP, cell, edge_options, tenant, topology
from tests.support.translations import EMPTY, GRPC, NOW, OPTIONS, full, shuffled
from xds.model import Topology
from xds.names import NodeGroup, ResourceName, Revision, TypeUrl
from xds.snapshot import SHARED, Content, ContentChange, Place, Resource, ResourceTable
from xds.translate import retranslate, translate

OTHER = NodeGroup("canary")

Bytes = Mapping[Place, tuple[bytes, str]]


def content(*names: str, version: object = 1, group: NodeGroup = SHARED) -> Content:
    """Clusters of these names, of one group."""
    return Content(tables={group: {CDS: ResourceTable(CDS, [cluster(name, version).resource for name in names])}})


def held(of: Content) -> Bytes:
    """Every byte and version."""
    return {place: (each.body, each.version) for place, each in of.items()}


def place(name: str, group: NodeGroup = SHARED) -> Place:
    return Place(group, CDS, ResourceName(name))


def contents() -> st.SearchStrategy[Content]:
    """Contents of a few groups, types and names, so that two have much in common and much between them differs."""
    places = st.tuples(
        st.sampled_from((SHARED, GROUP, OTHER)), st.sampled_from((CDS, RDS, SRDS)), st.sampled_from("abcd")
    )

    def build(versions: dict[tuple[NodeGroup, TypeUrl, str], int]) -> Content:
        tables: dict[NodeGroup, dict[str, ResourceTable]] = {}
        for (group, kind, name), version in versions.items():
            held = tables.setdefault(group, {})
            held[kind] = held.get(kind, ResourceTable(kind)).replace([item(kind, name, version).resource])
        return Content(tables=tables)

    return st.dictionaries(places, st.integers(1, 2)).map(build)


# Comparing


def test_a_change_says_what_comes_what_goes_and_what_is_another() -> None:
    before = content("a", "b", "c")
    after = Content(
        tables={SHARED: {CDS: ResourceTable(CDS, [each.resource for each in (cluster("a"), cluster("b", 2))])}}
    )
    change = after.changed_since(before)

    assert set(change.upserts) == {place("b")}
    assert change.removed == {place("c")}
    assert change.places == {place("b"), place("c")}
    assert len(change) == 2


def test_nothing_differs_between_equal_contents_that_never_met() -> None:
    change = content("a", "b").changed_since(content("b", "a"))

    assert (len(change), bool(change), change.places) == (0, False, frozenset())


def test_a_group_that_is_new_or_gone_is_a_change_of_all_its_resources() -> None:
    one, two = content("a", group=GROUP), content("a", group=OTHER)
    change = two.changed_since(one)

    assert set(change.upserts) == {place("a", OTHER)}
    assert change.removed == {place("a", GROUP)}


@given(st.lists(contents(), min_size=2, max_size=5))
def test_what_is_found_step_by_step_is_what_is_found_in_full(turns: list[Content]) -> None:
    grown = [turns[0]]
    for each in turns[1:]:
        grown.append(grown[-1].apply(each.changed_since(grown[-1])))
    for before, first in zip(grown, turns, strict=True):
        step, whole = grown[-1].changed_since(before), turns[-1].changed_since(first)
        assert (step.upserts.keys(), step.removed) == (whole.upserts.keys(), whole.removed)
        assert {at: each.body for at, each in step.upserts.items()} == {
            at: each.body for at, each in whole.upserts.items()
        }


def test_only_what_may_differ_is_looked_at() -> None:
    before = translate(topology(cell(), *(tenant(f"t{number}") for number in range(50))), edge_options())
    after = retranslate(before, before.topology.changes_to(replace_tenant(before.topology)), now=NOW)

    class Counting(ResourceTable):
        __slots__ = ()
        looked = 0

        def get(self, name: ResourceName) -> Resource | None:
            Counting.looked += 1
            return super().get(name)

    after.content.tables[SHARED][SRDS].__class__ = Counting
    change = after.content.changed_since(before.content)

    assert [each.name for each in change.places] == ["t7"]
    assert Counting.looked == 1


def replace_tenant(of: Topology) -> Topology:
    """One tenant suspended."""
    return replace(of, tenants={**of.tenants, tenant("t7").id: tenant("t7", suspended=True)})


# Changing


@given(contents(), contents())
def test_a_change_applied_makes_the_one_of_the_other(before: Content, after: Content) -> None:
    made = before.apply(after.changed_since(before))

    assert held(made) == held(after)
    assert made.digest == after.digest
    assert not made.changed_since(after)


def test_tables_that_a_change_does_not_touch_stay_the_same_ones() -> None:
    before = translate(topology(cell(), tenant()), edge_options()).content
    extra = item(SRDS, "extra").resource
    after = before.apply(ContentChange(upserts={Place(SHARED, SRDS, extra.name): extra}))

    untouched = [kind for kind in before.tables[SHARED] if before.tables[SHARED][kind] is after.tables[SHARED][kind]]
    assert set(before.tables[SHARED]) - set(untouched) == {SRDS}
    assert after.tables[GROUP] == before.tables[GROUP]
    assert len(after) == len(before) + 1


def test_a_change_can_bring_a_group_and_a_type_that_were_not_there() -> None:
    new = item(RDS, "r").resource
    after = content("a").apply(ContentChange(upserts={Place(OTHER, RDS, new.name): new}))

    assert after.get(Place(OTHER, RDS, new.name)) is new
    assert after.groups == (OTHER,)


# Its digest


@given(contents(), st.randoms(use_true_random=False))
def test_the_digest_is_the_same_whatever_the_order_in_which_it_was_made(of: Content, order: random.Random) -> None:
    items = [*of.items()]
    order.shuffle(items)
    mixed = Content(tables={})
    for at, each in items:
        mixed = mixed.apply(ContentChange(upserts={at: each}))

    assert mixed.digest == of.digest


def test_the_digest_of_a_translation_does_not_depend_on_its_order() -> None:
    of = topology(cell(), cell("cell-b"), *(tenant(f"t{number}", "cell-b") for number in range(5)))

    assert full(shuffled(of, 7)).content.digest == full(of).content.digest


def test_the_digest_tells_names_contents_types_and_groups_apart() -> None:
    several = [
        content("a"),
        content("b"),
        content("a", version=2),
        content("a", "b"),
        content("a", group=GROUP),
        Content(tables={SHARED: {RDS: ResourceTable(RDS, [item(RDS, "a").resource])}}),
        Content(tables={}),
    ]

    assert len({each.digest for each in several}) == len(several)


def test_a_table_with_nothing_in_it_is_as_none() -> None:
    assert Content(tables={SHARED: {CDS: ResourceTable(CDS)}}).digest == Content(tables={}).digest


# What is served of it


def test_a_group_has_what_is_shared_and_its_own_and_one_that_stands_apart_its_own_only() -> None:
    made = retranslate(EMPTY, EMPTY.topology.changes_to(topology(cell(), tenant())), now=NOW)
    snapshots = made.content.snapshots(7, Revision(3))

    assert made.content.groups == tuple(sorted([GROUP, GRPC]))
    assert OPTIONS.grpc_group == GRPC
    assert {(each.number, each.revision, group) for group, each in snapshots.items()} == {(7, 3, GROUP), (7, 3, GRPC)}
    assert snapshots[GROUP].table(SRDS) is made.content.tables[SHARED][SRDS]
    assert len(snapshots[GRPC].table(SRDS)) == 0


def test_a_place_has_its_resource_or_nothing() -> None:
    made = content("a")

    assert made.get(place("a")) is not None
    assert (made.get(place("b")), made.get(place("a", GROUP)), made.get(place("a")._replace(type_url=RDS))) == (
        None,
        None,
        None,
    )
    assert place("a").kind == "cds"
