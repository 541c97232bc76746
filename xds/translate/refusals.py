"""Answers of the edge's own: short texts and statuses, of which the listener makes JSON.

Knows nothing about who is refused, but for the words that a tenant is refused with.
"""

from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.config.route.v3 import DirectResponseAction, HeaderMatcher, Route, RouteMatch
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

from xds.translate.authentication import overwrite
from xds.translate.options import EdgeOptions

RETRY_AFTER_SECONDS = 30

UNAVAILABLE = "the tenant's cell is not in service"
OPERATORS_ONLY = "operators only"
_UNKNOWN = "the tenant is unknown"
_SUSPENDED = "the tenant is suspended"
_EITHER = "the tenant is unknown or suspended"


def answer(path: str, status: int, text: str) -> Route:
    """A route that answers everything below `path` itself; a 503 says when to come back."""
    route = Route(match=RouteMatch(path_separated_prefix=path), direct_response=direct(status, text))
    if status == 503:
        route.response_headers_to_add = [overwrite("retry-after", str(RETRY_AFTER_SECONDS))]
    return route


def no_trace() -> Route:
    """A route that refuses TRACE, by which a cell would tell a script what its browser sends: cookies, tokens, ours."""
    trace = HeaderMatcher(name=":method", string_match=StringMatcher(exact="TRACE", ignore_case=True))
    return Route(match=RouteMatch(prefix="/", headers=[trace]), direct_response=direct(405, "TRACE is not allowed"))


def direct(status: int, text: str) -> DirectResponseAction:
    """An answer without an upstream."""
    return DirectResponseAction(status=status, body=DataSource(inline_string=text))


def unknown_tenant(options: EdgeOptions) -> str:
    """What the token of a tenant that we don't know is told."""
    return _EITHER if options.tenants.hides_suspended else _UNKNOWN


def suspended_tenant(options: EdgeOptions) -> str:
    """What a suspended tenant is told."""
    return _EITHER if options.tenants.hides_suspended else _SUSPENDED
