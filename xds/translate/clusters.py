"""Cells to clusters.

A cell whose endpoints are all IP addresses becomes an EDS cluster, so that they change without it; one with
host names among them is resolved by Envoy, with its endpoints inline.
"""

from datetime import timedelta

from envoy_data_plane.envoy.config.cluster.v3 import (
    CircuitBreakers,
    CircuitBreakersThresholds,
    CircuitBreakersThresholdsRetryBudget,
    Cluster,
    ClusterCommonLbConfig,
    ClusterDiscoveryType,
    ClusterDnsLookupFamily,
    ClusterEdsClusterConfig,
    ClusterLbPolicy,
    OutlierDetection,
)
from envoy_data_plane.envoy.config.core.v3 import (
    HealthCheck,
    HealthCheckHttpHealthCheck,
    Http1ProtocolOptions,
    Http2ProtocolOptions,
    KeepaliveSettings,
)
from envoy_data_plane.envoy.config.core.v3 import HttpProtocolOptions as CommonHttpProtocolOptions
from envoy_data_plane.envoy.config.endpoint.v3 import (
    ClusterLoadAssignment,
    Endpoint,
    LbEndpoint,
    LocalityLbEndpoints,
)
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import (
    HttpProtocolOptions,
    HttpProtocolOptionsExplicitHttpConfig,
)
from envoy_data_plane.envoy.type.v3 import CodecClientType, Percent

from xds.model import Cell, UpstreamProtocol
from xds.names import ResourceName
from xds.translate.messages import over_ads, pack, socket_address
from xds.translate.naming import cell_cluster
from xds.translate.options import ClusterOptions

_LOOKUP = ClusterDnsLookupFamily.V4_PREFERRED
"""With all families a server that listens on one of them has as many endpoints that are dead as live ones."""

_GRPC_KEEPALIVE = KeepaliveSettings(interval=timedelta(seconds=10), timeout=timedelta(seconds=2))
_PROTOCOL_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def cell_api(cell: Cell, inline: ClusterLoadAssignment | None, options: ClusterOptions) -> Cluster:
    """The cluster of a cell's API; `inline` are its endpoints if Envoy is to resolve their names."""
    cluster = _cluster(cell_cluster(cell.id), cell.protocol, options)
    cluster.health_checks = [_health_check(cell.protocol, options)]
    cluster.outlier_detection = _outlier_detection(options)
    if inline is None:
        cluster.type = ClusterDiscoveryType.EDS
        cluster.eds_cluster_config = ClusterEdsClusterConfig(eds_config=over_ads())
    else:
        cluster.type = ClusterDiscoveryType.STRICT_DNS
        cluster.dns_lookup_family = _LOOKUP
        cluster.load_assignment = inline
    return cluster


def by_grpc(name: ResourceName, address: tuple[str, int], options: ClusterOptions) -> Cluster:
    """The cluster of an upstream of one address that speaks gRPC."""
    cluster = single(name, address, options)
    # A gRPC server closes no idle connection; but one may die without a word, and each callout on it be too late.
    grpc = HttpProtocolOptionsExplicitHttpConfig(
        http2_protocol_options=Http2ProtocolOptions(connection_keepalive=_GRPC_KEEPALIVE)
    )
    cluster.typed_extension_protocol_options = {_PROTOCOL_OPTIONS: pack(HttpProtocolOptions(explicit_http_config=grpc))}
    return cluster


def single(name: ResourceName, address: tuple[str, int], options: ClusterOptions) -> Cluster:
    """The cluster of an upstream that is no cell and has one address: the web client, the controller."""
    cluster = _cluster(name, UpstreamProtocol.HTTP1, options)
    cluster.type = ClusterDiscoveryType.STRICT_DNS
    cluster.dns_lookup_family = _LOOKUP
    endpoint = LbEndpoint(endpoint=Endpoint(address=socket_address(*address)))
    cluster.load_assignment = ClusterLoadAssignment(
        cluster_name=name, endpoints=[LocalityLbEndpoints(lb_endpoints=[endpoint])]
    )
    return cluster


def _cluster(name: ResourceName, protocol: UpstreamProtocol, options: ClusterOptions) -> Cluster:
    return Cluster(
        name=name,
        connect_timeout=options.connect_timeout,
        lb_policy=ClusterLbPolicy.LEAST_REQUEST,
        circuit_breakers=_circuit_breakers(options),
        per_connection_buffer_limit_bytes=options.buffer_bytes,
        common_lb_config=ClusterCommonLbConfig(update_merge_window=timedelta(0)),
        ignore_health_on_host_removal=True,
        typed_extension_protocol_options={_PROTOCOL_OPTIONS: pack(_protocol_options(protocol, options))},
    )


def _protocol_options(protocol: UpstreamProtocol, options: ClusterOptions) -> HttpProtocolOptions:
    if protocol is UpstreamProtocol.HTTP2:
        # Extended CONNECT carries websockets over HTTP/2.
        explicit = HttpProtocolOptionsExplicitHttpConfig(
            http2_protocol_options=Http2ProtocolOptions(
                allow_connect=True,
                initial_stream_window_size=options.stream_window_bytes,
                initial_connection_window_size=options.connection_window_bytes,
            )
        )
    else:
        explicit = HttpProtocolOptionsExplicitHttpConfig(http_protocol_options=Http1ProtocolOptions())
    common = CommonHttpProtocolOptions(idle_timeout=options.idle_timeout)
    return HttpProtocolOptions(explicit_http_config=explicit, common_http_protocol_options=common)


def _circuit_breakers(options: ClusterOptions) -> CircuitBreakers:
    """So that a sick cell can't use up the edge that all others share."""
    return CircuitBreakers(
        thresholds=[
            CircuitBreakersThresholds(
                max_connections=options.max_connections,
                max_pending_requests=options.max_pending_requests,
                max_requests=options.max_requests,
                retry_budget=CircuitBreakersThresholdsRetryBudget(
                    budget_percent=Percent(value=options.retry_budget_percent)
                ),
            )
        ]
    )


def _health_check(protocol: UpstreamProtocol, options: ClusterOptions) -> HealthCheck:
    codec = CodecClientType.HTTP2 if protocol is UpstreamProtocol.HTTP2 else CodecClientType.HTTP1
    return HealthCheck(
        timeout=options.health_timeout,
        interval=options.health_interval,
        no_traffic_interval=options.health_interval,
        interval_jitter_percent=options.health_jitter_percent,
        unhealthy_threshold=options.unhealthy_threshold,
        healthy_threshold=options.healthy_threshold,
        http_health_check=HealthCheckHttpHealthCheck(path=options.health_path, codec_client_type=codec),
    )


def _outlier_detection(options: ClusterOptions) -> OutlierDetection:
    """Ejects for gateway errors and failed connections only: a 500 is an answer, not a sign of a sick endpoint."""
    return OutlierDetection(
        enforcing_consecutive_5xx=0,
        enforcing_success_rate=0,
        consecutive_gateway_failure=options.consecutive_gateway_failures,
        enforcing_consecutive_gateway_failure=100,
        split_external_local_origin_errors=True,
        base_ejection_time=options.base_ejection_time,
        max_ejection_percent=options.max_ejection_percent,
    )
