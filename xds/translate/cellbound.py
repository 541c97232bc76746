"""Cell-bound tokens: one that names a cell must not be used in another.

A cell's route table has, before each route to the cell, one with the same path for tokens that are bound
elsewhere. A claim of another form than a string is bound to no cell that there is, and so elsewhere.
"""

from collections.abc import Sequence

from envoy_data_plane.envoy.config.route.v3 import Route, RouteMatch
from envoy_data_plane.envoy.type.matcher.v3 import MetadataMatcher

from xds.names import CellId
from xds.translate.authentication import overwrite
from xds.translate.claims import is_not, is_present
from xds.translate.options import AuthOptions, CellBound
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
    match auth.cell_bound:
        case CellBound.OFF:
            return [route]
        case CellBound.MONITOR:
            return [_counting(route, _elsewhere(cells, auth)), route]
        case CellBound.ENFORCE:
            return [_refusing(route, _elsewhere(cells, auth)), route]


def _elsewhere(cells: Sequence[CellId], auth: AuthOptions) -> list[MetadataMatcher]:
    return [is_present(auth.cell_claim), *(is_not(auth.cell_claim, cell) for cell in cells)]


def _counting(route: Route, elsewhere: list[MetadataMatcher]) -> Route:
    return Route(match=_with(route, elsewhere), route=route.route, stat_prefix=STAT_PREFIX)


def _refusing(route: Route, elsewhere: list[MetadataMatcher]) -> Route:
    return Route(
        match=_with(route, elsewhere),
        direct_response=direct(401, _TEXT),
        response_headers_to_add=[overwrite("www-authenticate", _CHALLENGE)],
        typed_per_filter_config=telling(REASON_HEADER, REASON),
    )


def _with(route: Route, elsewhere: list[MetadataMatcher]) -> RouteMatch:
    """The very paths that `route` has: none of them gets past."""
    assert route.match is not None, "of_cell gives every route a match"
    return RouteMatch(path_separated_prefix=route.match.path_separated_prefix, dynamic_metadata=elsewhere)
