"""A snapshot as a bootstrap: which parts it has, in which order, and what stands where. What Envoy thinks of it is
held in tests/integration/publish/test_validating.py.
"""

from dataclasses import replace

from envoy_data_plane.envoy.config.bootstrap.v3 import Bootstrap, BootstrapStaticResources
from envoy_data_plane.envoy.config.cluster.v3 import ClusterDiscoveryType
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import DownstreamTlsContext

from tests.support.edge import GROUP, INTERNAL, SHARED, cell, edge_options, tenant, topology
from xds.names import TypeUrl
from xds.snapshot import Resource, ResourceTable, Snapshot
from xds.translate import translate
from xds.translate.static import Placeholder, StaticConfig

PLACEHOLDER = Placeholder(certificate="a certificate", key="a key")
SNAPSHOT = translate(topology(cell(), tenant("acme"), tenant("b")), edge_options(internal=INTERNAL)).snapshots(1)[GROUP]
CONFIG = StaticConfig(SNAPSHOT, PLACEHOLDER)


def static(config: StaticConfig, count: int | None = None) -> BootstrapStaticResources:
    """The bootstrap of the first parts."""
    found = Bootstrap.parse(config.bootstrap(config.parts[:count])).static_resources
    return found or BootstrapStaticResources()


def managers(found: BootstrapStaticResources) -> dict[str, HttpConnectionManager]:
    """The connection manager of each listener."""
    packed = {each.name: each.filter_chains[0].filters[0].typed_config for each in found.listeners}
    return {name: HttpConnectionManager.parse(each.value) for name, each in packed.items() if each is not None}


def tables(manager: HttpConnectionManager) -> list[str]:
    """The route tables of a listener's scopes."""
    assert manager.scoped_routes is not None
    held = manager.scoped_routes.scoped_route_configurations_list
    assert held is not None
    found = [each.route_configuration for each in held.scoped_route_configurations]
    assert all(each is not None and each.validate_clusters is False for each in found)
    return [each.name for each in found if each is not None]


def test_what_the_settings_make_comes_before_what_the_registrys_rows_make() -> None:
    kinds = [TypeUrl(part.type_url).label for part in CONFIG.parts]

    assert kinds == ["lds", "lds", "ecds", "rds", "rds", "rds", "rds", "cds", "rds", "eds"]
    assert [part.name for part in CONFIG.parts[-3:]] == [f"{SHARED}-api", SHARED, f"{SHARED}-api"]


def test_all_stands_in_place_and_a_tenants_scope_only_for_its_table() -> None:
    whole = static(CONFIG)
    edge, internal = managers(whole)["edge"], managers(whole)["internal"]

    assert sorted(tables(edge)) == [SHARED, "public", "suspended", "unavailable"]
    assert all(each.config_discovery is None and each.typed_config is not None for each in edge.http_filters)
    assert internal.route_config is not None
    assert (internal.rds, internal.route_config.name) == (None, "internal")
    (cluster,) = whole.clusters
    assert (cluster.type or ClusterDiscoveryType.STATIC, cluster.eds_cluster_config) == (
        ClusterDiscoveryType.STATIC,
        None,
    )
    assert cluster.load_assignment is not None
    assert cluster.load_assignment.endpoints


def test_parts_are_left_out_and_the_rest_holds_together() -> None:
    listeners = managers(static(CONFIG, 2))

    assert tables(listeners["edge"]) == ["-"]
    assert listeners["internal"].route_config is not None
    assert listeners["internal"].route_config.name == "-"
    assert "envoy.filters.http.jwt_authn" not in [each.name for each in listeners["edge"].http_filters]
    assert static(CONFIG, 0).listeners == []
    (cluster,) = static(CONFIG, len(CONFIG.parts) - 1).clusters
    assert cluster.load_assignment is not None
    assert (cluster.load_assignment.cluster_name, cluster.load_assignment.endpoints) == (cluster.name, [])


def test_a_certificate_stands_for_every_file() -> None:
    (internal,) = (each for each in static(CONFIG).listeners if each.name == "internal")
    socket = internal.filter_chains[0].transport_socket
    assert socket is not None
    assert socket.typed_config is not None
    context = DownstreamTlsContext.parse(socket.typed_config.value)

    assert "/etc/" not in repr(context)
    assert "a certificate" in repr(context)
    assert "a key" in repr(context)
    assert context.require_client_certificate


def test_a_scope_of_which_only_the_bytes_are_known_counts_too() -> None:
    scopes = [Resource(each.name, each.version, each.body) for each in SNAPSHOT.table(TypeUrl.SCOPE).values()]
    bare: Snapshot = replace(SNAPSHOT, tables={**SNAPSHOT.tables, TypeUrl.SCOPE: ResourceTable(TypeUrl.SCOPE, scopes)})

    assert StaticConfig(bare, PLACEHOLDER).bootstrap(CONFIG.parts) == CONFIG.bootstrap(CONFIG.parts)
