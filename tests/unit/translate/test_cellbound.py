from dataclasses import replace
from datetime import timedelta

from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher, Route, RouteAction, RouteMatch

from tests.support.edge import SHARED, edge_options
from xds.names import CellId, TenantId
from xds.translate import AuthMode, CellBound
from xds.translate.cellbound import guarded
from xds.translate.privacy import PRIVACY_FILTER

AUTH = edge_options().auth
ROUTE = Route(
    match=RouteMatch(path_separated_prefix="/api"), route=RouteAction(cluster="c", timeout=timedelta(seconds=1))
)


PRESENT = (True, None, False)


def told(matcher: HeaderMatcher) -> tuple[bool, str | None, bool]:
    """What is asked of the claim's header: whether it is there, which text it is, and whether that is inverted."""
    assert matcher.name == "x-alphaswarm-cell-claim"
    exact = matcher.string_match.exact if matcher.string_match else None
    return bool(matcher.present_match), exact, matcher.invert_match


def guard(mode: CellBound, *cells: str) -> Route:
    """The route that is put before the one to the cell, as Envoy would read it."""
    first, second = guarded(ROUTE, tuple(map(CellId, cells or (SHARED,))), replace(AUTH, cell_bound=mode))
    assert second is ROUTE
    return Route.parse(bytes(first))


def test_a_token_may_name_no_cell_or_exactly_this_one() -> None:
    for mode in (CellBound.ENFORCE, CellBound.MONITOR):
        match = guard(mode).match

        assert match is not None
        assert [*map(told, match.headers)] == [PRESENT, (False, SHARED, True)]
        assert match.dynamic_metadata == []


def test_in_a_grace_it_may_name_either_cell() -> None:
    match = guard(CellBound.ENFORCE, "cell-a", "cell-b").match

    assert match is not None
    assert [*map(told, match.headers)] == [PRESENT, (False, "cell-a", True), (False, "cell-b", True)]


def test_the_guard_has_the_very_paths_of_what_it_guards() -> None:
    for mode in (CellBound.ENFORCE, CellBound.MONITOR):
        match = guard(mode).match

        assert match is not None
        assert ROUTE.match is not None
        assert replace(match, headers=[]) == ROUTE.match


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


def test_where_no_token_is_looked_at_nothing_is_bound() -> None:
    nobody = replace(AUTH, mode=AuthMode.OFF, anonymous_tenant=TenantId("acme"))

    assert guarded(ROUTE, (SHARED,), nobody) == [ROUTE]
