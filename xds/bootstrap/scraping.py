"""The port at which an Envoy is scraped, in its bootstrap: its metrics and its readiness, for others than itself.

The admin interface, on loopback only, has both, and much that nobody else must reach.
"""

ADMIN_CLUSTER = "alphaswarm-admin"

PATHS = ("/stats/prometheus", "/ready")

_HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


def metrics_listener(port: int) -> dict[str, object]:
    """The listener: GET of two paths of the admin interface, and nothing else."""
    is_get = {"name": ":method", "string_match": {"exact": "GET"}}
    routes = [{"match": {"path": path, "headers": [is_get]}, "route": {"cluster": ADMIN_CLUSTER}} for path in PATHS]
    manager = {
        "@type": _HCM,
        "stat_prefix": "metrics",
        "route_config": {"virtual_hosts": [{"name": "metrics", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}],
    }
    connection_manager = {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}
    return {
        "name": "metrics",
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": port}},  # noqa: S104 -- for others
        # It is scraped although clients hold every connection there may be.
        "ignore_global_conn_limit": True,
        "filter_chains": [{"filters": [connection_manager]}],
    }


def admin_cluster(port: int) -> dict[str, object]:
    """The admin interface as an upstream."""
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {
        "name": ADMIN_CLUSTER,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {
            "cluster_name": ADMIN_CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }
