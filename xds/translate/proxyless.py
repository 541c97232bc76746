"""A cell's API for gRPC's own xDS client, which a program has built in and calls the cell with, by no proxy.

What it reads of Envoy's messages is gRPC's to say (its proposals A27, A32, A37, A57), and C-core, under Python,
takes less than other gRPCs: no LEAST_REQUEST, no STRICT_DNS, and one resource that it can't use is a NACK. So its
resources are its own, in tables of its own, and Envoys' can't change for it. Knows nothing about tenants: who
calls a cell here is not asked for a token, and is trusted by the cell itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from envoy_data_plane.envoy.config.cluster.v3 import (
    CircuitBreakers,
    CircuitBreakersThresholds,
    Cluster,
    ClusterDiscoveryType,
    ClusterEdsClusterConfig,
    ClusterLbPolicy,
)
from envoy_data_plane.envoy.config.core.v3 import DataSource, Locality
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment, LocalityLbEndpoints
from envoy_data_plane.envoy.config.listener.v3 import ApiListener, Listener
from envoy_data_plane.envoy.config.route.v3 import DirectResponseAction
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter
from envoy_data_plane.google.protobuf import Any

from xds.model import Cell, Endpoint, UpstreamProtocol
from xds.names import ResourceName, TypeUrl
from xds.snapshot import Ref, Resource, encode_resource, field
from xds.translate import endpoints
from xds.translate.messages import over_ads, pack
from xds.translate.naming import cell_cluster, cell_target
from xds.translate.options import ClusterOptions, EdgeOptions
from xds.translate.problems import Problem

_MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = bytes(HttpFilter(name="envoy.filters.http.router", typed_config=pack(Router())))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxylessResources:
    """What a cell becomes for gRPC clients; with a listener alone it refuses them."""

    listener: Resource | None = None
    cluster: Resource | None = None
    assignment: Resource | None = None
    problems: tuple[Problem, ...] = ()


NOTHING = ProxylessResources()


def translate_proxyless(cell: Cell, sound: Sequence[Endpoint], options: EdgeOptions) -> ProxylessResources:
    """The resources of a cell with these sound endpoints; nothing if there are no gRPC clients.

    A cell's listener is there in every state of the cell. It could be left out while the cell is not in service,
    but a client takes 15 s to believe that what it asks for is not there, and its calls hang meanwhile.
    """
    if options.grpc_group is None:
        return NOTHING
    target = cell_target(cell.id)
    if not cell.state.takes_traffic:
        return ProxylessResources(listener=_refusing(target, "the cell is not in service"))
    if cell.protocol is not UpstreamProtocol.HTTP2:
        return ProxylessResources(listener=_refusing(target, "the cell does not speak HTTP/2"))
    by_name = [endpoint for endpoint in sound if not endpoints.is_ip(endpoint)]
    if by_name and len(sound) > 1:
        reason = "gRPC clients take IP addresses, or one host name alone"
        problem = Problem("grpc", cell.id, f"{reason}; they are refused")
        return ProxylessResources(listener=_refusing(target, reason), problems=(problem,))
    return _serving(cell, sound, options.cluster, is_resolved=bool(by_name))


def _serving(
    cell: Cell, sound: Sequence[Endpoint], options: ClusterOptions, *, is_resolved: bool
) -> ProxylessResources:
    # All references are of the kind that comes after: gRPC's client asks for a cluster, by name, once it has a
    # listener that names it, and for endpoints once it has the cluster.
    target, name = cell_target(cell.id), cell_cluster(cell.id)
    forward = field(2, field(1, name.encode()))
    listener = encode_resource(target, bytes(_listener(target, forward)), awaits=(Ref(TypeUrl.CLUSTER, name),))
    cluster = _cluster(name, options)
    if is_resolved:
        cluster.type = ClusterDiscoveryType.LOGICAL_DNS
        cluster.load_assignment = endpoints.load_assignment(cell, sound)
        return ProxylessResources(listener=listener, cluster=encode_resource(name, bytes(cluster)))
    cluster.type = ClusterDiscoveryType.EDS
    cluster.eds_cluster_config = ClusterEdsClusterConfig(eds_config=over_ads())
    return ProxylessResources(
        listener=listener,
        cluster=encode_resource(name, bytes(cluster), awaits=(Ref(TypeUrl.ENDPOINT, name),)),
        assignment=encode_resource(name, bytes(weighed_assignment(cell, sound))),
    )


def weighed_assignment(cell: Cell, members: Sequence[Endpoint]) -> ClusterLoadAssignment:
    """The assignment of a cell's cluster, in localities of one zone and one weight each.

    gRPC's client passes over a locality that has no weight, and within one it goes round, whatever its endpoints'
    weights: so localities carry them.
    """
    ordered = sorted(members, key=lambda each: (each.zone, each.weight, each))
    return ClusterLoadAssignment(
        cluster_name=cell_cluster(cell.id),
        endpoints=[
            _locality(cell.region, zone, weight, list(alike))
            for (zone, weight), alike in groupby(ordered, key=lambda each: (each.zone, each.weight))
        ],
    )


def _locality(region: str, zone: str, weight: int, alike: list[Endpoint]) -> LocalityLbEndpoints:
    return LocalityLbEndpoints(
        locality=Locality(region=region, zone=zone, sub_zone=f"weight-{weight}"),
        lb_endpoints=[endpoints.lb_endpoint(endpoint) for endpoint in alike],
        load_balancing_weight=weight * len(alike),
    )


def _refusing(target: ResourceName, text: str) -> Resource:
    # gRPC's client has no direct responses: a route with one fails a call at once, as UNAVAILABLE.
    answer = DirectResponseAction(status=503, body=DataSource(inline_string=text))
    return encode_resource(target, bytes(_listener(target, field(7, bytes(answer)))))


def _listener(target: ResourceName, action: bytes) -> Listener:
    """The listener whose one route does this; `action` is its field of the Route, encoded.

    The route stands inline: it seldom changes, and each resource by name costs a resolving client a round trip.
    Every cell has a listener, whether anybody calls it or not, so its connection manager is joined from bytes, as
    scopes are: microseconds, not milliseconds. Field numbers: route_components.proto and route.proto in
    envoy/config/route/v3, and http_connection_manager.proto.
    """
    name = field(1, target.encode())
    every_call = field(1, field(1, b""))
    host = name + field(2, b"*") + field(3, every_call + action)
    manager = field(2, target.encode()) + field(4, name + field(2, host)) + field(5, _ROUTER)
    return Listener(name=target, api_listener=ApiListener(api_listener=Any(type_url=_MANAGER, value=manager)))


def _cluster(name: ResourceName, options: ClusterOptions) -> Cluster:
    # With no threshold a client holds more than 1,024 requests at once back.
    thresholds = CircuitBreakersThresholds(max_requests=options.max_requests)
    return Cluster(
        name=name,
        lb_policy=ClusterLbPolicy.ROUND_ROBIN,
        circuit_breakers=CircuitBreakers(thresholds=[thresholds]),
    )
