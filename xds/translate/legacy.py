"""The route table of the tenants that are still the legacy proxy's.

The legacy proxy checks the token and finds the cell itself, so it gets both token and path as they came. What is not
behind a token is not split: it goes where every other table has it go.
"""

from datetime import timedelta

from envoy_data_plane.envoy.config.route.v3 import Route, RouteConfiguration, RouteMatch
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import LuaPerRoute

from xds.translate import routes
from xds.translate.authentication import for_routes_alone, name_anonymous
from xds.translate.messages import pack, unlimited
from xds.translate.naming import LEGACY_CLUSTER, LEGACY_ROUTES
from xds.translate.options import EdgeOptions

_HIDING_FILTER = "envoy.filters.http.lua"


def table(options: EdgeOptions) -> RouteConfiguration:
    """The table: the tenants' paths to the legacy proxy, and the rest as elsewhere."""
    limits = options.connection
    to_legacy = [
        _route("/api", limits.silence_timeout, options),
        _route("/ws", limits.connection_idle_timeout, options),
    ]
    made = routes.of_tenants(LEGACY_ROUTES, to_legacy, options)
    made.request_headers_to_remove = for_routes_alone(options.auth)
    if options.auth.admits_anonymous:
        made.typed_per_filter_config = name_anonymous(options.auth)
    return made


def _route(path: str, silence: timedelta, options: EdgeOptions) -> Route:
    route = Route(match=RouteMatch(path_separated_prefix=path), route=unlimited(LEGACY_CLUSTER, silence))
    if options.auth.websocket_query or options.auth.websocket_cookie:
        # Cells must not see a token there; the legacy proxy has to.
        route.typed_per_filter_config = {_HIDING_FILTER: pack(LuaPerRoute(disabled=True))}
    return route
