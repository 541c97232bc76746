"""Cell-bound tokens: one that names a cell must not be used in another.

A cell's route table has, before each route to the cell, one with the same path for tokens that are bound
elsewhere. The claim is looked at in a header that the check of tokens writes, which costs Envoy a fraction of what
metadata does. There a number or a truth value is a text and a list or an object is base64: no cell's name, and so
bound elsewhere. A claim that is null or an empty text makes no header, and binds to nothing.
"""

from collections.abc import Sequence

from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher, Route, RouteMatch
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

from xds.names import CellId
from xds.translate.authentication import CELL_CLAIM_HEADER, overwrite
from xds.translate.options import AuthMode, AuthOptions, CellBound
from xds.translate.privacy import telling
from xds.translate.refusals import direct

STAT_PREFIX = "bound_elsewhere"
"""Envoy counts what is monitored under `vhost.<cell>.route.bound_elsewhere.`."""

REASON_HEADER = "x-alphaswarm-reason"
REASON = "cell-moved"
_TEXT = "cell moved, get a new token"
_CHALLENGE = f'Bearer error="invalid_token", error_description="{_TEXT}"'


def guarded(route: Route, cells: Sequence[CellId], auth: AuthOptions) -> list[Route]:
    """The route, led by the one that takes tokens bound to none of `cells`."""
    if auth.mode is AuthMode.OFF:
        return [route]
    match auth.cell_bound:
        case CellBound.OFF:
            return [route]
        case CellBound.MONITOR:
            return [_counting(route, _elsewhere(cells)), route]
        case CellBound.ENFORCE:
            return [_refusing(route, _elsewhere(cells)), route]


def _elsewhere(cells: Sequence[CellId]) -> list[HeaderMatcher]:
    is_bound = HeaderMatcher(name=CELL_CLAIM_HEADER, present_match=True)
    return [is_bound, *(_is_not(cell) for cell in cells)]


def _is_not(cell: CellId) -> HeaderMatcher:
    return HeaderMatcher(name=CELL_CLAIM_HEADER, string_match=StringMatcher(exact=cell), invert_match=True)


def _counting(route: Route, elsewhere: list[HeaderMatcher]) -> Route:
    return Route(match=_with(route, elsewhere), route=route.route, stat_prefix=STAT_PREFIX)


def _refusing(route: Route, elsewhere: list[HeaderMatcher]) -> Route:
    return Route(
        match=_with(route, elsewhere),
        direct_response=direct(401, _TEXT),
        response_headers_to_add=[overwrite("www-authenticate", _CHALLENGE)],
        typed_per_filter_config=telling(REASON_HEADER, REASON),
    )


def _with(route: Route, elsewhere: list[HeaderMatcher]) -> RouteMatch:
    """The very paths that `route` has: none of them gets past."""
    assert route.match is not None, "of_cell gives every route a match"
    return RouteMatch(path_separated_prefix=route.match.path_separated_prefix, headers=elsewhere)
