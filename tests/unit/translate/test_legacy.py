"""The tenants that the canary leaves to the legacy proxy: one shared table, and nobody else touched."""

from dataclasses import replace

from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration

from tests.support.edge import cell, contents, edge_options, tenant, topology
from xds.model import CellState, Changes
from xds.names import CellId, Revision, TenantId, TypeUrl
from xds.snapshot import Ref, ResourceTable
from xds.translate import CanaryOptions, EdgeOptions, Translation, retranslate, translate
from xds.translate.naming import LEGACY_CLUSTER, LEGACY_ROUTES

LEGACY = CanaryOptions(legacy=("legacy.internal", 8080), weight=100, tenants={TenantId("acme"): False})


def options(canary: CanaryOptions | None = LEGACY) -> EdgeOptions:
    return replace(edge_options(), canary=canary)


def table_of(translation: Translation, name: str) -> str:
    scope = translation.shared[TypeUrl.SCOPE].get(name)  # type: ignore[arg-type]
    assert scope is not None
    return scope.needs[0].name


def made(canary: CanaryOptions = LEGACY, state: CellState = CellState.ACTIVE) -> Translation:
    held = (cell("cell-a", state=state), tenant("acme", "cell-a"), tenant("globex", "cell-a"))
    suspended = tenant("initech", "cell-a", suspended=True)
    return translate(topology(*held, suspended, tenant("hooli", "cell-gone")), options(canary))


def test_a_tenant_is_at_one_side_whatever_its_cells_state() -> None:
    for state in (CellState.ACTIVE, CellState.RETIRED):
        translation = made(state=state)
        assert table_of(translation, "acme") == LEGACY_ROUTES
        assert table_of(translation, "globex") == "cell-a"


def test_with_no_share_all_are_legacys_but_who_is_refused_stays_so() -> None:
    translation = made(CanaryOptions(legacy=("legacy.internal", 8080), weight=0))

    assert {name: table_of(translation, name) for name in ("acme", "globex", "hooli")} == dict.fromkeys(
        ("acme", "globex", "hooli"), LEGACY_ROUTES
    )
    assert table_of(translation, "initech") == "suspended"


def test_the_legacy_table_needs_its_cluster_and_sends_it_what_is_behind_a_token() -> None:
    shared = made().shared
    resource = shared[TypeUrl.ROUTE].get(LEGACY_ROUTES)
    assert resource is not None
    assert resource.needs == (Ref(TypeUrl.CLUSTER, LEGACY_CLUSTER),)
    assert LEGACY_CLUSTER in shared[TypeUrl.CLUSTER]

    [host] = RouteConfiguration.parse(resource.body).virtual_hosts
    upstreams = {
        route.match.path_separated_prefix: route.route.cluster for route in host.routes if route.match and route.route
    }
    assert upstreams == {"/api": LEGACY_CLUSTER, "/ws": LEGACY_CLUSTER}


def test_without_a_legacy_proxy_nothing_is_there_for_it() -> None:
    held = (cell("cell-a"), tenant("acme", "cell-a"))
    without = translate(topology(*held), options(None)).shared
    at_cells = translate(topology(*held), options(replace(LEGACY, tenants={}))).shared

    assert LEGACY_ROUTES not in without[TypeUrl.ROUTE]
    assert LEGACY_CLUSTER not in without[TypeUrl.CLUSTER]
    assert _body(without[TypeUrl.SCOPE]) == _body(at_cells[TypeUrl.SCOPE])


def _body(scopes: ResourceTable) -> bytes:
    found = scopes.get("acme")  # type: ignore[arg-type]
    assert found is not None
    return found.body


def test_a_difference_makes_what_everything_makes() -> None:
    """A tenant that moves to a cell of another share changes sides, and so does one that comes."""
    canary = CanaryOptions(legacy=("legacy.internal", 8080), weight=0, cells={CellId("cell-b"): 100})
    held = (cell("cell-a"), cell("cell-b"), tenant("acme", "cell-a"), tenant("globex", "cell-b"))
    moved = (tenant("acme", "cell-b"), tenant("globex", "cell-a"), tenant("initech", "cell-b"))
    before = translate(topology(*held), options(canary))
    changes = Changes(revision=Revision(2), cells={}, tenants={each.id: each for each in moved})
    after = retranslate(before, changes)

    assert contents(after) == contents(translate(topology(*held[:2], *moved, revision=2), options(canary)))
    assert [table_of(after, name) for name in ("acme", "globex", "initech")] == ["cell-b", LEGACY_ROUTES, "cell-b"]


def test_a_cells_own_share_counts_for_its_tenants() -> None:
    canary = CanaryOptions(legacy=("legacy.internal", 8080), weight=0, cells={CellId("cell-a"): 100})
    translation = made(canary)

    assert table_of(translation, "globex") == "cell-a"
    assert table_of(translation, "hooli") == LEGACY_ROUTES
