"""Route tables: one a cell, one for requests without a tenant, and those that only refuse.

A cell's table exists in every state of the cell, so that a change of state is one small resource and touches
no tenant's scope. Answers of Envoy's own are short texts here; the listener makes JSON of them.
"""

from datetime import timedelta

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.config.route.v3 import (
    DirectResponseAction,
    RetryPolicy,
    Route,
    RouteAction,
    RouteConfiguration,
    RouteMatch,
    VirtualHost,
)

from xds.model import Cell
from xds.names import ResourceName
from xds.translate.authentication import CELL_HEADER, overwrite
from xds.translate.cellbound import RBAC_FILTER, only_in
from xds.translate.messages import pack
from xds.translate.naming import (
    CLIENT_CLUSTER,
    PUBLIC_ROUTES,
    SUSPENDED_ROUTES,
    UNAVAILABLE_ROUTES,
    cell_cluster,
    cell_routes,
)
from xds.translate.options import EdgeOptions

RETRY_AFTER_SECONDS = 30

_RETRY_ON = "connect-failure,refused-stream"


def of_cell(cell: Cell, options: EdgeOptions) -> RouteConfiguration:
    """The routes of a cell's tenants: its API and websockets, or a 503 while it takes no traffic."""
    if not cell.state.takes_traffic:
        return refusing(cell_routes(cell.id), 503, "the tenant's cell is not in service", options)
    cluster = cell_cluster(cell.id)
    api = Route(
        match=RouteMatch(path_separated_prefix="/api"),
        route=_unlimited(cluster, options.connection.silence_timeout),
    )
    websocket = Route(
        match=RouteMatch(path_separated_prefix="/ws"),
        route=_unlimited(cluster, options.connection.connection_idle_timeout),
    )
    table = _table(cell_routes(cell.id), [api, websocket], options)
    table.request_headers_to_add = [overwrite(CELL_HEADER, cell.id)]
    bound = only_in(cell.id, options.auth)
    if bound is not None:
        table.virtual_hosts[0].typed_per_filter_config = {RBAC_FILTER: pack(bound)}
    return table


def shared(options: EdgeOptions) -> tuple[RouteConfiguration, ...]:
    """The tables that belong to no cell."""
    return (
        refusing(PUBLIC_ROUTES, 401, "a token is required", options),
        refusing(SUSPENDED_ROUTES, 403, "the tenant is suspended", options),
        refusing(UNAVAILABLE_ROUTES, 503, "the tenant's cell is not in service", options),
    )


def refusing(name: ResourceName, status: int, text: str, options: EdgeOptions) -> RouteConfiguration:
    """A table that answers everything behind a token with one refusal."""
    routes = [_answer(path, status, text) for path in ("/api", "/ws")]
    return _table(name, routes, options)


def _table(name: ResourceName, routes: list[Route], options: EdgeOptions) -> RouteConfiguration:
    # Nothing may reach the controller until operators' tokens are told from tenants'.
    manage = _answer("/manage", 403, "operators only")
    everything_else = RouteMatch(prefix="/")
    if options.client is None:
        rest = Route(match=everything_else, direct_response=_direct(404, "not found"))
    else:
        rest = Route(match=everything_else, route=_unlimited(CLIENT_CLUSTER, options.connection.silence_timeout))
    health = Route(match=RouteMatch(path="/healthz"), direct_response=_direct(200, "ok"))
    host = VirtualHost(name=name, domains=["*"], routes=[*routes, manage, health, rest])
    host.retry_policy = RetryPolicy(retry_on=_RETRY_ON, num_retries=options.cluster.retries)
    return RouteConfiguration(name=name, virtual_hosts=[host])


def _unlimited(cluster: ResourceName, silence: timedelta) -> RouteAction:
    """To the cluster, for as long as there is anything to hand on."""
    return RouteAction(cluster=cluster, timeout=timedelta(0), idle_timeout=silence)


def _answer(path: str, status: int, text: str) -> Route:
    route = Route(match=RouteMatch(path_separated_prefix=path), direct_response=_direct(status, text))
    if status == 503:
        route.response_headers_to_add = [overwrite("retry-after", str(RETRY_AFTER_SECONDS))]
    return route


def _direct(status: int, text: str) -> DirectResponseAction:
    return DirectResponseAction(status=status, body=DataSource(inline_string=text))
