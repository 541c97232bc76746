from datetime import timedelta

import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType, ClusterDnsLookupFamily
from envoy_data_plane.envoy.config.core.v3 import HealthCheck
from envoy_data_plane.envoy.extensions.upstreams.http.v3 import HttpProtocolOptions
from envoy_data_plane.envoy.type.v3 import CodecClientType

from tests.support.edge import cell, endpoint
from xds.model import Cell, UpstreamProtocol
from xds.names import ResourceName
from xds.translate import ClusterOptions
from xds.translate.clusters import by_grpc, cell_api, single
from xds.translate.endpoints import load_assignment
from xds.translate.naming import CALLOUT_CLUSTER

BY_NAME = cell(endpoints=(endpoint("api.example:80"),))


def made(given: Cell | None = None, options: ClusterOptions | None = None) -> Cluster:
    """A cell's cluster, as Envoy would read it."""
    return Cluster.parse(bytes(cell_api(given or cell(), None, options or ClusterOptions())))


def health_check(cluster: Cluster) -> HealthCheck:
    (check,) = cluster.health_checks
    return check


def protocol(cluster: Cluster) -> HttpProtocolOptions:
    (packed,) = cluster.typed_extension_protocol_options.values()
    return HttpProtocolOptions.parse(packed.value)


def test_endpoints_come_over_ads_and_are_waited_for() -> None:
    cluster = made()

    assert cluster.type is ClusterDiscoveryType.EDS
    assert cluster.eds_cluster_config is not None
    source = cluster.eds_cluster_config.eds_config
    assert source is not None
    assert source.ads is not None
    assert source.initial_fetch_timeout == timedelta(0)


def test_endpoints_with_names_stand_in_the_cluster_and_are_resolved_by_envoy() -> None:
    inline = load_assignment(BY_NAME, BY_NAME.endpoints)
    cluster = Cluster.parse(bytes(cell_api(BY_NAME, inline, ClusterOptions())))

    assert cluster.type is ClusterDiscoveryType.STRICT_DNS
    assert cluster.dns_lookup_family is ClusterDnsLookupFamily.V4_PREFERRED
    assert cluster.eds_cluster_config is None
    assert cluster.load_assignment == inline


def test_a_cell_is_spoken_to_in_its_protocol() -> None:
    one = protocol(made()).explicit_http_config
    two = protocol(made(cell(protocol=UpstreamProtocol.HTTP2))).explicit_http_config

    assert one is not None
    assert two is not None
    assert one.http_protocol_options is not None
    assert one.http2_protocol_options is None
    assert two.http2_protocol_options is not None
    assert two.http2_protocol_options.allow_connect


@pytest.mark.parametrize(
    ("speaks", "codec"),
    [(UpstreamProtocol.HTTP1, CodecClientType.HTTP1), (UpstreamProtocol.HTTP2, CodecClientType.HTTP2)],
)
def test_health_is_checked_in_the_cells_protocol(speaks: UpstreamProtocol, codec: CodecClientType) -> None:
    http = health_check(made(cell(protocol=speaks))).http_health_check

    assert http is not None
    assert (http.path, http.codec_client_type) == ("/healthz", codec)


def test_health_is_checked_as_often_before_the_first_request_as_after() -> None:
    # Envoy's default for a cluster without traffic is 60 s, which a moved tenant's first request would wait for.
    check = health_check(made(options=ClusterOptions(health_interval=timedelta(seconds=2))))

    assert (check.interval, check.no_traffic_interval) == (timedelta(seconds=2), timedelta(seconds=2))
    assert (check.timeout, check.unhealthy_threshold, check.healthy_threshold) == (timedelta(seconds=1), 3, 1)


def test_an_endpoint_that_is_removed_goes_at_once() -> None:
    assert made().ignore_health_on_host_removal


def test_changes_of_endpoints_are_not_held_back() -> None:
    # Left out, Envoy gathers them for a second.
    lb = made().common_lb_config

    assert lb is not None
    assert lb.update_merge_window == timedelta(0)


def test_gateway_errors_eject_and_a_cells_own_500s_do_not() -> None:
    detection = made().outlier_detection

    assert detection is not None
    # Zero must be on the wire: left out it would be Envoy's default of 100 %.
    assert (detection.enforcing_consecutive_5xx, detection.enforcing_success_rate) == (0, 0)
    assert (detection.consecutive_gateway_failure, detection.enforcing_consecutive_gateway_failure) == (5, 100)
    assert detection.split_external_local_origin_errors
    assert detection.max_ejection_percent == 50


def test_a_cell_can_use_up_no_more_than_its_share() -> None:
    breakers = made(options=ClusterOptions(max_connections=7, max_requests=9)).circuit_breakers

    assert breakers is not None
    (threshold,) = breakers.thresholds
    assert (threshold.max_connections, threshold.max_requests) == (7, 9)
    assert threshold.retry_budget is not None
    assert threshold.retry_budget.budget_percent is not None
    assert threshold.retry_budget.budget_percent.value == 20.0


def test_an_upstream_that_is_no_cell_is_one_address_without_health_checks() -> None:
    cluster = Cluster.parse(
        bytes(single(ResourceName("alphaswarm-client"), ("client.example", 3000), ClusterOptions()))
    )

    assert (cluster.name, cluster.type) == ("alphaswarm-client", ClusterDiscoveryType.STRICT_DNS)
    assert cluster.health_checks == []
    # By all families, half of a name's addresses would be dead where the client listens on one, and none would know.
    assert cluster.dns_lookup_family is ClusterDnsLookupFamily.V4_PREFERRED
    assert b"client.example" in bytes(cluster)


def test_what_speaks_grpc_has_http2_and_a_dead_connection_to_it_is_noticed() -> None:
    cluster = Cluster.parse(bytes(by_grpc(CALLOUT_CLUSTER, ("router.example", 18000), ClusterOptions())))

    assert (cluster.name, cluster.type) == ("alphaswarm-tenant-router", ClusterDiscoveryType.STRICT_DNS)
    assert b"router.example" in bytes(cluster)
    explicit = protocol(cluster).explicit_http_config
    assert explicit is not None
    assert explicit.http2_protocol_options is not None
    keepalive = explicit.http2_protocol_options.connection_keepalive
    assert keepalive is not None
    assert (keepalive.interval, keepalive.timeout) == (timedelta(seconds=10), timedelta(seconds=2))
    assert protocol(cluster).common_http_protocol_options is None  # it is not closed for being idle
