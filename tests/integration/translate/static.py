"""A translation as the bootstrap of an Envoy that needs no control plane.

Every message keeps the very bytes of its resource wherever Envoy takes it as it is; only what comes by name
over ADS (scopes, route tables, assignments) is put in place.
"""

from collections.abc import Iterable

from envoy_data_plane.envoy.config.bootstrap.v3 import (
    Admin,
    Bootstrap,
    BootstrapDynamicResources,
)
from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType
from envoy_data_plane.envoy.config.core.v3 import (
    ApiConfigSource,
    ApiConfigSourceApiType,
    ApiVersion,
    GrpcService,
    GrpcServiceEnvoyGrpc,
    Node,
    TypedExtensionConfig,
)
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration, ScopedRouteConfiguration
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    ScopedRouteConfigurationsList,
)
from envoy_data_plane.google.protobuf import Any

from tests.support.edge import GROUP
from xds.names import ResourceName, TypeUrl
from xds.snapshot import Resource, field
from xds.translate import Translation
from xds.translate.messages import socket_address
from xds.translate.naming import EDGE_LISTENER

_XDS = "alphaswarm-xds"


def as_pushed(translation: Translation, *, admin_port: int) -> bytes:
    """The listener and the clusters byte for byte, which name an ADS server that does not answer."""
    xds = bytes(Cluster(name=_XDS, type=ClusterDiscoveryType.STATIC))
    listeners = [_listener(translation).body]
    clusters = [xds, *(each.body for each in _of(translation, TypeUrl.CLUSTER))]
    return _bootstrap(admin_port, over_ads=True) + _static(listeners, clusters)


def in_place(translation: Translation, *, admin_port: int, listen: int) -> bytes:
    """The same with scopes, route tables and assignments in place, so that the Envoy serves at `listen`."""
    clusters = [bytes(_with_endpoints(translation, each)) for each in _of(translation, TypeUrl.CLUSTER)]
    return _bootstrap(admin_port, over_ads=False) + _static([bytes(_with_scopes(translation, listen))], clusters)


def _with_endpoints(translation: Translation, resource: Resource) -> Cluster:
    cluster = Cluster.parse(resource.body)
    assignment = translation.shared[TypeUrl.ENDPOINT].get(resource.name)
    if assignment is not None:
        cluster.type = ClusterDiscoveryType.STATIC
        cluster.eds_cluster_config = None
        cluster.load_assignment = ClusterLoadAssignment.parse(assignment.body)
    return cluster


def _with_scopes(translation: Translation, listen: int) -> Listener:
    listener = Listener.parse(_listener(translation).body)
    listener.address = socket_address("127.0.0.1", listen)
    (hcm,) = listener.filter_chains[0].filters
    assert hcm.typed_config is not None
    manager = HttpConnectionManager.parse(hcm.typed_config.value)
    assert manager.scoped_routes is not None
    for each in manager.http_filters:
        if each.config_discovery is not None:
            each.config_discovery, each.typed_config = None, _extension(translation, each.name)
    manager.scoped_routes.scoped_rds = None
    manager.scoped_routes.scoped_route_configurations_list = ScopedRouteConfigurationsList(
        scoped_route_configurations=[_with_routes(translation, each) for each in _of(translation, TypeUrl.SCOPE)]
    )
    hcm.typed_config = Any.pack(manager)
    return listener


def _extension(translation: Translation, name: str) -> Any | None:
    resource = translation.shared[TypeUrl.EXTENSION].get(ResourceName(name))
    assert resource is not None
    return TypedExtensionConfig.parse(resource.body).typed_config


def _with_routes(translation: Translation, resource: Resource) -> ScopedRouteConfiguration:
    scope = ScopedRouteConfiguration.parse(resource.body)
    (needed,) = resource.refs
    table = translation.shared[TypeUrl.ROUTE].get(needed.name)
    assert table is not None
    scope.route_configuration_name = ""
    scope.route_configuration = RouteConfiguration.parse(table.body)
    return scope


def _of(translation: Translation, type_url: TypeUrl) -> list[Resource]:
    return sorted(translation.shared[type_url].values(), key=lambda each: each.name)


def _listener(translation: Translation) -> Resource:
    listener = translation.listeners[GROUP].get(EDGE_LISTENER)
    assert listener is not None
    return listener


def _bootstrap(admin_port: int, *, over_ads: bool) -> bytes:
    ads = ApiConfigSource(
        api_type=ApiConfigSourceApiType.DELTA_GRPC,
        transport_api_version=ApiVersion.V3,
        grpc_services=[GrpcService(envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=_XDS))],
    )
    return bytes(
        Bootstrap(
            node=Node(id="test", cluster=GROUP),
            admin=Admin(address=socket_address("127.0.0.1", admin_port)),
            dynamic_resources=BootstrapDynamicResources(ads_config=ads) if over_ads else None,
        )
    )


def _static(listeners: Iterable[bytes], clusters: Iterable[bytes]) -> bytes:
    """The field `static_resources`; field numbers: envoy/config/bootstrap/v3/bootstrap.proto."""
    inside = [*(field(1, each) for each in listeners), *(field(2, each) for each in clusters)]
    return field(2, b"".join(inside))
