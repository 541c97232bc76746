from dataclasses import replace
from datetime import timedelta

from envoy_data_plane.envoy.config.route.v3 import Route, RouteAction, RouteMatch

from tests.support.edge import SHARED, edge_options
from xds.names import CellId
from xds.translate import CellBound
from xds.translate.cellbound import guarded
from xds.translate.claims import is_not, is_present
from xds.translate.privacy import PRIVACY_FILTER

AUTH = edge_options().auth
ROUTE = Route(
    match=RouteMatch(path_separated_prefix="/api"), route=RouteAction(cluster="c", timeout=timedelta(seconds=1))
)


def guard(mode: CellBound, *cells: str) -> Route:
    """The route that is put before the one to the cell, as Envoy would read it."""
    first, second = guarded(ROUTE, tuple(map(CellId, cells or (SHARED,))), replace(AUTH, cell_bound=mode))
    assert second is ROUTE
    return Route.parse(bytes(first))


def test_a_token_may_name_no_cell_or_exactly_this_one() -> None:
    for mode in (CellBound.ENFORCE, CellBound.MONITOR):
        match = guard(mode).match

        assert match is not None
        assert match.dynamic_metadata == [is_present("cell"), is_not("cell", SHARED)]


def test_in_a_grace_it_may_name_either_cell() -> None:
    match = guard(CellBound.ENFORCE, "cell-a", "cell-b").match

    assert match is not None
    assert match.dynamic_metadata == [is_present("cell"), is_not("cell", "cell-a"), is_not("cell", "cell-b")]


def test_the_guard_has_the_very_paths_of_what_it_guards() -> None:
    for mode in (CellBound.ENFORCE, CellBound.MONITOR):
        match = guard(mode).match

        assert match is not None
        assert ROUTE.match is not None
        assert replace(match, dynamic_metadata=[]) == ROUTE.match


def test_enforced_another_cells_token_is_told_to_get_a_new_one() -> None:
    refusal = guard(CellBound.ENFORCE)

    assert refusal.route is None
    assert refusal.direct_response is not None
    assert refusal.direct_response.status == 401
    assert refusal.direct_response.body is not None
    assert refusal.direct_response.body.inline_string == "cell moved, get a new token"
    (challenge,) = refusal.response_headers_to_add
    assert challenge.header is not None
    assert challenge.header.key == "www-authenticate"
    assert challenge.header.value == 'Bearer error="invalid_token", error_description="cell moved, get a new token"'
    assert list(refusal.typed_per_filter_config) == [PRIVACY_FILTER]


def test_monitored_it_goes_to_the_cell_all_the_same_and_is_counted() -> None:
    counted = guard(CellBound.MONITOR)

    assert counted.route == ROUTE.route
    assert counted.stat_prefix == "bound_elsewhere"


def test_off_nothing_is_put_before() -> None:
    assert guarded(ROUTE, (SHARED,), replace(AUTH, cell_bound=CellBound.OFF)) == [ROUTE]


def test_the_claims_name_is_the_operators() -> None:
    first, _ = guarded(ROUTE, (SHARED,), replace(AUTH, cell_claim="alphaswarm.cell"))

    assert first.match is not None
    assert first.match.dynamic_metadata[0] == is_present("alphaswarm.cell")
