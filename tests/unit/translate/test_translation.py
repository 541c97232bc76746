"""A topology to tables of resources: whole, incremental, deterministic and one cell at a time."""

import os
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.golden.cases import CASES, digest, proxyless, translated
from tests.support.edge import (
    GROUP,
    INTERNAL,
    ISSUER,
    SHARED,
    cell,
    cells,
    contents,
    edge_options,
    endpoint,
    resources,
    tenant,
    tenants,
    topologies,
    topology,
)
from tests.support.translations import EMPTY, GRPC, NOW, OPTIONS, full, shuffled
from xds.model import Cell, CellState, Changes, Tenant, Topology, UpstreamProtocol
from xds.names import CellId, NodeGroup, ResourceName, Revision, TypeUrl
from xds.snapshot import Ref, Resource, dangling
from xds.translate import AuthMode, AuthOptions, Translation, retranslate, translate, with_keys

ACME = ResourceName(tenant().id)
PROPERTY = settings(max_examples=60, deadline=None)


def everything(translation: Translation) -> dict[tuple[str, str], Resource]:
    """Every resource, Envoys' and gRPC clients'."""
    return {**resources(translation), **proxyless(translation)}


def same(one: Translation, other: Translation) -> bool:
    """Whether two translations say the same in every respect that reaches a client or an operator."""
    return (
        {key: (each.body, each.version, each.refs) for key, each in everything(one).items()}
        == {key: (each.body, each.version, each.refs) for key, each in everything(other).items()}
        and {url: table.version_info for url, table in one.shared.items()}
        == {url: table.version_info for url, table in other.shared.items()}
        and one.problems == other.problems
        and one.topology == other.topology
    )


# Properties


@given(topologies())
@PROPERTY
def test_any_topology_is_translated_and_nothing_in_it_dangles(of: Topology) -> None:
    translation = full(of)

    assert [dangling(snapshot) for snapshot in translation.snapshots(1).values()] == [(), ()]


@given(topologies(), topologies())
@PROPERTY
def test_translating_a_difference_equals_translating_everything(before: Topology, after: Topology) -> None:
    after = replace(after, revision=Revision(2))

    assert same(retranslate(full(before), before.changes_to(after), now=NOW), full(after))


@given(st.lists(topologies(), min_size=3, max_size=4))
@settings(max_examples=25, deadline=None)
def test_a_chain_of_differences_equals_translating_the_last(steps: list[Topology]) -> None:
    translation = full(steps[0])
    for before, after in pairwise(steps):
        translation = retranslate(translation, before.changes_to(after), now=NOW)

    assert same(translation, full(steps[-1]))


@given(topologies())
@PROPERTY
def test_when_every_grace_is_over_all_is_as_if_there_had_been_none(of: Topology) -> None:
    later = NOW + 10_000
    restated = Changes(revision=of.revision, tenants=dict(of.tenants))

    assert same(retranslate(full(of), restated, now=later), retranslate(EMPTY, EMPTY.topology.changes_to(of)))


@given(topologies(), st.integers())
@PROPERTY
def test_the_order_of_cells_and_tenants_makes_no_difference(of: Topology, seed: int) -> None:
    assert same(full(of), full(shuffled(of, seed)))


@given(topologies(), cells())
@PROPERTY
def test_a_changed_cell_leaves_every_other_cells_resources_alone(of: Topology, changed: Cell) -> None:
    before = full(of)
    after = retranslate(before, Changes(revision=Revision(2), cells={changed.id: changed}), now=NOW)

    own = {changed.id, f"{changed.id}-api", f"-/{changed.id}"}
    tenants_of_it = {each.id for each in of.tenants.values() if each.cell == changed.id}
    held, now = everything(before), everything(after)
    graces = (f"{changed.id}/", f"-/{changed.id}/")
    others = {
        key for key in held.keys() | now.keys() if key[1] not in own | tenants_of_it and not key[1].startswith(graces)
    }
    assert all(held[key] is now[key] for key in others)


@given(topologies(), tenants())
@PROPERTY
def test_a_changed_tenant_touches_its_own_scope_and_nothing_else(of: Topology, changed: Tenant) -> None:
    before = full(of)
    after = retranslate(before, Changes(revision=Revision(2), tenants={changed.id: changed}), now=NOW)

    held, now = everything(before), everything(after)
    graces = before.graces.keys() ^ after.graces.keys()
    own: set[tuple[str, str]] = {(TypeUrl.SCOPE, changed.id)}
    own |= {(TypeUrl.ROUTE, name) for name in graces} | {(TypeUrl.SCOPE, f"-/{name}") for name in graces}
    others = (held.keys() | now.keys()) - own
    assert all(held[key] is now[key] for key in others)
    assert after.listeners is before.listeners


def test_a_full_translation_equals_one_from_nothing() -> None:
    of = topology(cell(), cell("cell-b", state=CellState.RETIRED), tenant(), tenant("b", "cell-b"))

    assert same(translate(of, OPTIONS), full(of))


def test_another_process_with_another_hash_seed_makes_equal_bytes() -> None:
    command = [sys.executable, "-W", "ignore", "-c", "from tests.golden.cases import digest; print(digest())"]
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    other = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, timeout=60)

    assert other.stdout.strip() == digest()


@pytest.mark.parametrize("case", CASES)
def test_nothing_dangles_in_a_golden_case(case: str) -> None:
    for snapshot in translated(case).snapshots(1).values():
        assert dangling(snapshot) == ()


# Examples


def test_a_grace_has_a_table_for_as_long_as_somebody_needs_it() -> None:
    old, new = cell("cell-old"), cell()
    arrived = [tenant(name, came_from="cell-old", at=at) for name, at in (("acme", 95.0), ("globex", 99.0))]
    of = topology(old, new, *arrived)
    both, name, anchor = full(of), ResourceName(f"{SHARED}/cell-old"), ResourceName(f"-/{SHARED}/cell-old")
    one = retranslate(both, Changes(revision=Revision(2), tenants={arrived[0].id: arrived[0]}), now=106.0)
    none = retranslate(one, Changes(revision=Revision(2), tenants={arrived[1].id: arrived[1]}), now=110.0)

    assert [dict(each.graces) for each in (both, one, none)] == [{name: 2}, {name: 1}, {}]
    for translation, held in ((both, True), (one, True), (none, False)):
        assert (name in translation.shared[TypeUrl.ROUTE]) is held
        assert (anchor in translation.shared[TypeUrl.SCOPE]) is held
    assert one.shared[TypeUrl.ROUTE] is both.shared[TypeUrl.ROUTE]


def test_a_graces_table_follows_its_cell() -> None:
    before = full(topology(cell("cell-old"), cell(), tenant(came_from="cell-old", at=95.0)))
    retired = cell(state=CellState.RETIRED)
    after = retranslate(before, Changes(revision=Revision(2), cells={SHARED: retired}), now=NOW)

    table = after.shared[TypeUrl.ROUTE].get(ResourceName(f"{SHARED}/cell-old"))
    assert table is not None
    assert b"not in service" in table.body
    assert table.needs == before.shared[TypeUrl.ROUTE].get(ResourceName("public")).needs  # type: ignore[union-attr]


def test_without_the_time_there_is_no_grace() -> None:
    of = topology(cell("cell-old"), cell(), tenant(came_from="cell-old", at=95.0))

    assert translate(of, OPTIONS).graces == {}
    assert translate(of, OPTIONS, now=NOW).graces.keys() == {f"{SHARED}/cell-old"}


def test_unchanged_is_the_very_same_translation_of_every_table() -> None:
    before = translate(topology(cell(), tenant()), OPTIONS)
    after = retranslate(before, Changes(revision=Revision(9), cells={SHARED: cell()}, tenants={tenant().id: tenant()}))

    assert all(after.shared[url] is before.shared[url] for url in before.shared)
    assert after.topology.revision == 9


def test_a_moved_tenant_costs_one_resource() -> None:
    before = translate(topology(cell(), cell("cell-b"), tenant()), OPTIONS)
    moved = tenant("acme", "cell-b")
    after = retranslate(before, Changes(revision=Revision(2), tenants={moved.id: moved}))

    changed = {url: after.shared[url].changed_since(before.shared[url]) for url in after.shared}
    assert changed == {
        TypeUrl.CLUSTER: set(),
        TypeUrl.ENDPOINT: set(),
        TypeUrl.EXTENSION: set(),
        TypeUrl.ROUTE: set(),
        TypeUrl.SCOPE: {"acme"},
    }


def test_other_keys_cost_one_resource_and_equal_a_translation_with_them() -> None:
    before = translate(topology(cell(), tenant()), OPTIONS)
    after = with_keys(before, {ISSUER: "other"})

    changed = {key for key, each in resources(after).items() if resources(before)[key] is not each}
    assert changed == {(TypeUrl.EXTENSION, "envoy.filters.http.jwt_authn")}
    assert after.listeners is before.listeners
    assert same(after, translate(topology(cell(), tenant()), replace(OPTIONS, auth=after.options.auth)))
    assert with_keys(after, {ISSUER: "other"}) is after


def test_a_listener_is_of_no_use_before_its_token_check_is_there() -> None:
    (listener,) = EMPTY.listeners[GROUP].values()

    assert listener.awaits == (Ref(TypeUrl.EXTENSION, ResourceName("envoy.filters.http.jwt_authn")),)


def test_with_no_token_looked_at_no_keys_are_pushed() -> None:
    auth = AuthOptions(issuers=(), mode=AuthMode.OFF, anonymous_tenant=tenant().id)
    translation = translate(topology(), replace(OPTIONS, auth=auth))

    assert len(translation.shared[TypeUrl.EXTENSION]) == 0
    assert [dangling(each) for each in translation.snapshots(1).values()] == [(), ()]


def test_without_its_keys_nothing_is_translated() -> None:
    auth = edge_options(jwks="").auth

    with pytest.raises(ValueError, match="its keys are not known"):
        translate(topology(), replace(OPTIONS, auth=auth))


def test_an_anonymous_tenant_that_is_not_there_or_goes_has_the_public_table() -> None:
    auth = replace(OPTIONS.auth, mode=AuthMode.OPTIONAL, anonymous_tenant=tenant().id)
    optional = replace(OPTIONS, auth=auth)
    nobody, acme = topology(cell()), topology(cell(), tenant(), revision=2)
    without, placed = translate(nobody, optional), translate(acme, optional)

    assert scope(without).needs == (Ref(TypeUrl.ROUTE, ResourceName("public")),)
    assert scope(placed).needs == (Ref(TypeUrl.ROUTE, ResourceName(SHARED)),)
    assert same(retranslate(without, nobody.changes_to(acme)), placed)
    gone = retranslate(placed, acme.changes_to(replace(nobody, revision=Revision(3))))
    assert contents(gone) == contents(without)


def scope(translation: Translation) -> Resource:
    """Acme's."""
    held = translation.shared[TypeUrl.SCOPE].get(ACME)
    assert held is not None
    return held


def test_an_endpoints_change_costs_one_assignment() -> None:
    before = translate(topology(cell(), cell("cell-b"), tenant()), OPTIONS)
    changed = cell(endpoints=(endpoint("10.0.0.9:8000"),))
    after = retranslate(before, Changes(revision=Revision(2), cells={changed.id: changed}))

    differing = {key for key, each in resources(after).items() if resources(before)[key] is not each}
    assert differing == {(TypeUrl.ENDPOINT, f"{SHARED}-api")}


def test_a_cell_that_comes_gives_its_waiting_tenants_their_route_table() -> None:
    before = translate(topology(tenant()), OPTIONS)
    after = retranslate(before, Changes(revision=Revision(2), cells={SHARED: cell()}))

    scope = after.shared[TypeUrl.SCOPE].get(ACME)
    assert scope is not None
    assert [ref.name for ref in scope.needs] == [ResourceName(SHARED)]


def test_a_cell_that_goes_leaves_its_tenants_a_table_that_says_so() -> None:
    before = translate(topology(cell(), tenant()), OPTIONS)
    after = retranslate(before, Changes(revision=Revision(2), cells={SHARED: None}))

    scope = after.shared[TypeUrl.SCOPE].get(ACME)
    assert scope is not None
    assert [ref.name for ref in scope.needs] == ["unavailable"]
    assert CellId(SHARED) not in after.cells


def test_a_problem_is_gone_with_what_had_it() -> None:
    wrong = topology(cell(endpoints=(endpoint("10.0.0.300:80"),)), cell("Wrong"), tenant("two words"))
    before = translate(wrong, OPTIONS)
    after = retranslate(before, wrong.changes_to(topology(revision=2)))

    assert [problem.kind for problem in before.problems] == ["cell", "endpoint", "tenant"]
    assert after.problems == ()


def test_a_row_with_the_name_of_a_resource_of_ours_neither_makes_nor_removes_it() -> None:
    before = translate(topology(cell(), tenant()), OPTIONS)
    rows = topology(cell(), tenant(), cell("public"), tenant("-"), tenant(f"-/{SHARED}"), revision=2)

    with_rows = retranslate(before, before.topology.changes_to(rows))
    without = retranslate(with_rows, rows.changes_to(topology(cell(), tenant(), revision=3)))

    assert [problem.id for problem in with_rows.problems] == ["public", "-", f"-/{SHARED}"]
    assert all(with_rows.shared[url] is before.shared[url] is without.shared[url] for url in before.shared)


def test_node_groups_differ_in_their_listeners_only() -> None:
    listeners = {GROUP: ("0.0.0.0", 10000), NodeGroup("canary"): ("0.0.0.0", 10001)}
    snapshots = translate(topology(cell(), tenant()), edge_options(listeners=listeners)).snapshots(7)

    edge, canary = snapshots[GROUP], snapshots[NodeGroup("canary")]
    assert {url for url in edge.tables if edge.tables[url] is not canary.tables[url]} == {TypeUrl.LISTENER}
    assert (edge.number, edge.revision, canary.group) == (7, 1, "canary")


def test_callers_inside_have_a_table_of_all_cells_that_follows_them_and_no_tenant() -> None:
    options = edge_options(internal=INTERNAL)
    empty = translate(topology(), options)
    before = retranslate(empty, Changes(revision=Revision(1), cells={SHARED: cell(), CellId("cell-b"): cell("cell-b")}))
    moved = retranslate(before, Changes(revision=Revision(2), tenants={tenant().id: tenant()}))
    retired = cell("cell-b", state=CellState.RETIRED)
    after = retranslate(moved, Changes(revision=Revision(3), cells={retired.id: retired}))

    tables = [each.shared[TypeUrl.ROUTE].get(ResourceName("internal")) for each in (empty, before, moved, after)]
    needs = [[ref.name for ref in table.needs] for table in tables if table is not None]
    assert needs == [[], ["cell-b-api", f"{SHARED}-api"], ["cell-b-api", f"{SHARED}-api"], [f"{SHARED}-api"]]
    assert tables[2] is tables[1]
    assert sorted(after.listeners[GROUP]) == ["edge", "internal"]
    assert all(dangling(snapshot) == () for snapshot in after.snapshots(1).values())


def test_grpc_clients_have_a_snapshot_of_their_own_and_envoys_none_of_it() -> None:
    of = topology(cell(protocol=UpstreamProtocol.HTTP2), tenant())
    snapshots = translate(of, OPTIONS).snapshots(7)

    assert snapshots.keys() == {GROUP, GRPC}
    assert {url: sorted(table) for url, table in snapshots[GRPC].tables.items()} == {
        TypeUrl.CLUSTER: [f"{SHARED}-api"],
        TypeUrl.ENDPOINT: [f"{SHARED}-api"],
        TypeUrl.LISTENER: [f"{SHARED}-api"],
        TypeUrl.EXTENSION: [],
        TypeUrl.ROUTE: [],
        TypeUrl.SCOPE: [],
    }
    assert contents(translate(of, OPTIONS)) == contents(translate(of, replace(OPTIONS, grpc_group=None)))


def test_a_cell_that_goes_leaves_grpc_clients_nothing() -> None:
    before = translate(topology(cell(protocol=UpstreamProtocol.HTTP2)), OPTIONS)
    after = retranslate(before, Changes(revision=Revision(2), cells={SHARED: None}))

    assert proxyless(before).keys()
    assert proxyless(after) == {}


def test_every_type_is_in_a_snapshot_even_if_there_is_nothing_of_it() -> None:
    (snapshot,) = translate(topology(), edge_options()).snapshots(1).values()

    assert snapshot.tables.keys() == set(TypeUrl)
    assert len(snapshot.table(TypeUrl.CLUSTER)) == 0
