"""The bootstrap of an Envoy that subscribes here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from xds.bootstrap.channel import ChannelTls, transport_socket
from xds.bootstrap.overload import overload_manager
from xds.bootstrap.scraping import admin_cluster, metrics_listener
from xds.names import NodeGroup, NodeId

XDS_CLUSTER = "alphaswarm-xds"

_RECONNECT = {"retry_back_off": {"base_interval": "0.5s", "max_interval": "5s"}}
"""Jittered by Envoy. Its own limit is 30 s, half a minute in which a restarted control plane misses its fleet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootstrapOptions:
    """What differs from one Envoy to the next; without `tls` it subscribes in plain text."""

    node_id: NodeId
    node_group: NodeGroup
    server: tuple[str, int]
    admin_port: int = 9901
    metrics_port: int | None = None
    """Where metrics and readiness can be had from other machines; None: nowhere."""

    variant: Literal["delta", "sotw"] = "delta"
    region: str = ""
    zone: str = ""
    max_connections: int = 50_000
    """Of all clients together: less than half of the file descriptors that the process may have."""

    max_heap_bytes: int = 2 * 1024**3
    """Below what the machine, or the container, gives it: Envoy's scopes of a million tenants take 1.4 GB."""
    tls: ChannelTls | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    """What a rollout's waves may choose by."""


def bootstrap(options: BootstrapOptions) -> dict[str, object]:
    """The bootstrap as a JSON object. The admin interface is on loopback only."""
    return {
        "node": {
            "id": options.node_id,
            "cluster": options.node_group,
            "locality": {"region": options.region, "zone": options.zone},
            **({"metadata": dict(options.labels)} if options.labels else {}),
        },
        # It answers, and so the Envoy is seen to be alive, although clients hold every connection there may be.
        "admin": {"address": _address("127.0.0.1", options.admin_port), "ignore_global_conn_limit": True},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC" if options.variant == "delta" else "GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [{"envoy_grpc": {"cluster_name": XDS_CLUSTER, "retry_policy": _RECONNECT}}],
            },
            "cds_config": _over_ads(),
            "lds_config": _over_ads(),
        },
        "static_resources": _static_resources(options),
        "overload_manager": overload_manager(
            max_connections=options.max_connections, max_heap_bytes=options.max_heap_bytes
        ),
    }


def _static_resources(options: BootstrapOptions) -> dict[str, object]:
    if options.metrics_port is None:
        return {"clusters": [_xds_cluster(options)]}
    return {
        "listeners": [metrics_listener(options.metrics_port)],
        "clusters": [_xds_cluster(options), admin_cluster(options.admin_port)],
    }


def _xds_cluster(options: BootstrapOptions) -> dict[str, object]:
    host, port = options.server
    http2 = {
        # A connection that died without a word is noticed, and made again, within a minute.
        "connection_keepalive": {"interval": "30s", "timeout": "10s"},
    }
    return {
        "name": XDS_CLUSTER,
        "type": "STRICT_DNS",
        "connect_timeout": "2s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": http2},
            }
        },
        "upstream_connection_options": {"tcp_keepalive": {"keepalive_time": 60}},
        "load_assignment": {
            "cluster_name": XDS_CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(host, port)}}]}],
        },
        **({"transport_socket": transport_socket(options.tls)} if options.tls else {}),
    }


def _over_ads() -> dict[str, object]:
    # No time-out: an Envoy without config stays unready instead of serving nothing.
    return {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}


def _address(host: str, port: int) -> dict[str, object]:
    return {"socket_address": {"address": host, "port_value": port}}
