"""Route tables: one a cell, one for requests without a tenant, and those that only refuse.

A cell's table exists in every state of the cell, so that a change of state is one small resource and touches
no tenant's scope. Answers of Envoy's own are short texts here; the listener makes JSON of them.
"""

from envoy_data_plane.envoy.config.route.v3 import (
    HeaderMatcher,
    RetryPolicy,
    Route,
    RouteConfiguration,
    RouteMatch,
    VirtualHost,
)
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

from xds.model import Cell
from xds.names import CellId, ResourceName
from xds.translate.authentication import CELL_HEADER, for_routes_alone, name_anonymous, overwrite
from xds.translate.cellbound import guarded
from xds.translate.messages import unlimited
from xds.translate.naming import (
    CLIENT_CLUSTER,
    HELD,
    PUBLIC_ROUTES,
    SUSPENDED_ROUTES,
    UNAVAILABLE_ROUTES,
    cell_cluster,
    cell_routes,
    grace_routes,
)
from xds.translate.observation import mark
from xds.translate.operators import manage, refused
from xds.translate.options import AuthMode, EdgeOptions
from xds.translate.refusals import (
    UNAVAILABLE,
    answer,
    direct,
    held_writes,
    no_trace,
    suspended_tenant,
    unknown_tenant,
)

_RETRY_ON = "connect-failure,refused-stream"
_TENANTS_PATHS = ("/api", "/ws")


def of_cell(cell: Cell, options: EdgeOptions, *, previous: CellId | None = None) -> RouteConfiguration:
    """The routes of a cell's tenants: its API and websockets, or a 503 while it takes no traffic.

    `previous` is the cell from which they have just come, whose tokens are still good; or HELD: their writes are held.
    """
    name = cell_routes(cell.id) if previous is None else grace_routes(cell.id, previous)
    if not cell.state.takes_traffic:
        return mark(refusing(name, 503, UNAVAILABLE, options), cell.id, options.observation)
    known = (cell.id,) if previous in (None, HELD) else (cell.id, previous)
    routes = [each for route in _to_cell(cell, options) for each in guarded(route, known, options.auth)]
    held = held_writes() if previous == HELD else ()
    table = _table(name, [*held, *routes, refused(options)], options)
    table.virtual_hosts[0].name = cell.id  # what Envoy counts is a cell's, in grace or not
    table.request_headers_to_add = [overwrite(CELL_HEADER, cell.id)]
    table.request_headers_to_remove = for_routes_alone(options.auth)
    if options.auth.admits_anonymous:
        table.typed_per_filter_config = name_anonymous(options.auth)
    return mark(table, cell.id, options.observation)


def shared(options: EdgeOptions) -> tuple[RouteConfiguration, ...]:
    """The tables that belong to no cell."""
    return (
        _public(options),
        _suspended(options),
        refusing(UNAVAILABLE_ROUTES, 503, UNAVAILABLE, options),
    )


def of_tenants(name: ResourceName, to_upstream: list[Route], options: EdgeOptions) -> RouteConfiguration:
    """A table with these routes for what is behind a token, and the rest as in every other table."""
    return _table(name, [*to_upstream, refused(options)], options)


def refusing(name: ResourceName, status: int, text: str, options: EdgeOptions) -> RouteConfiguration:
    """A table that answers everything behind a token with one refusal."""
    routes = [answer(path, status, text) for path in _TENANTS_PATHS]
    return _table(name, [*routes, refused(options)], options)


def _suspended(options: EdgeOptions) -> RouteConfiguration:
    """The table of suspended tenants. Hidden, they have no route, as unknown ones: the same work, so the same time.

    Unless no token is looked at: then every request is one tenant's, and what is public would have no route either.
    """
    if options.tenants.hides_suspended and options.auth.mode is not AuthMode.OFF:
        return RouteConfiguration(name=SUSPENDED_ROUTES)
    return refusing(SUSPENDED_ROUTES, 403, suspended_tenant(options), options)


def _public(options: EdgeOptions) -> RouteConfiguration:
    """The table of requests without a tenant. A token that claims to be of the public tenant is of an unknown one."""
    pretending = [answer(path, 403, unknown_tenant(options)) for path in _TENANTS_PATHS]
    for route in pretending:
        assert route.match is not None, "answer gives every route a match"
        route.match.headers = [HeaderMatcher(name="authorization", string_match=StringMatcher(prefix="Bearer "))]
    without = [answer(path, 401, "a token is required") for path in _TENANTS_PATHS]
    return _table(PUBLIC_ROUTES, [*pretending, *without, *manage(options)], options)


def _to_cell(cell: Cell, options: EdgeOptions) -> list[Route]:
    cluster = cell_cluster(cell.id)
    api = Route(
        match=RouteMatch(path_separated_prefix="/api"),
        route=unlimited(cluster, options.connection.silence_timeout),
    )
    websocket = Route(
        match=RouteMatch(path_separated_prefix="/ws"),
        route=unlimited(cluster, options.connection.connection_idle_timeout),
    )
    return [api, websocket]


def _table(name: ResourceName, routes: list[Route], options: EdgeOptions) -> RouteConfiguration:
    everything_else = RouteMatch(prefix="/")
    if options.client is None:
        rest = Route(match=everything_else, direct_response=direct(404, "not found"))
    else:
        rest = Route(match=everything_else, route=unlimited(CLIENT_CLUSTER, options.connection.silence_timeout))
    health = Route(match=RouteMatch(path="/healthz"), direct_response=direct(200, "ok"))
    host = VirtualHost(name=name, domains=["*"], routes=[no_trace(), *routes, health, rest])
    host.retry_policy = RetryPolicy(retry_on=_RETRY_ON, num_retries=options.cluster.retries)
    return RouteConfiguration(name=name, virtual_hosts=[host])
