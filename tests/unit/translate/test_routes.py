from dataclasses import replace
from datetime import timedelta

import pytest
from envoy_data_plane.envoy.config.route.v3 import Route, RouteConfiguration
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutationPerRoute

from tests.support.edge import SHARED, cell, edge_options
from xds.model import CellState
from xds.names import CellId, TenantId
from xds.translate import AuthMode, CellBound, OperatorOptions, TenantOptions
from xds.translate.naming import SUSPENDED_ROUTES
from xds.translate.operators import OPERATORS_FILTER
from xds.translate.refusals import no_trace
from xds.translate.routes import of_cell, shared

OPTIONS = edge_options()
WITH_CLIENT = edge_options(client=("client", 3000))


def routes(table: RouteConfiguration) -> dict[str, Route]:
    """A table's routes by their path, in their order, as Envoy would read them; those for certain tokens apart."""
    return {_path(route): route for route in _all(table) if not _asks(route)}


def guards(table: RouteConfiguration) -> dict[str, Route]:
    """A table's routes for certain tokens, by their path; each stands before the one for all others."""
    held = _all(table)
    paths = [_path(route) for route in held]
    asking = {_path(route): route for route in held if _asks(route)}
    assert all(paths.index(path) == held.index(route) for path, route in asking.items())
    return asking


def _all(table: RouteConfiguration) -> list[Route]:
    (host,) = RouteConfiguration.parse(bytes(table)).virtual_hosts
    assert host.domains == ["*"]
    assert host.routes[0] == no_trace(), "of every table, before all else"
    return host.routes[1:]


def _asks(route: Route) -> bool:
    return route.match is not None and bool(route.match.dynamic_metadata or route.match.headers)


def _path(route: Route) -> str:
    assert route.match is not None
    return route.match.path_separated_prefix or route.match.path or route.match.prefix or ""


def answers(table: RouteConfiguration) -> dict[str, int]:
    """What a table itself answers, by path."""
    return {
        path: route.direct_response.status for path, route in routes(table).items() if route.direct_response is not None
    }


def test_a_cells_requests_and_websockets_go_to_its_cluster() -> None:
    held = routes(of_cell(cell(), OPTIONS))

    assert list(held) == ["/api", "/ws", "/manage", "/healthz", "/"]
    for path in ("/api", "/ws"):
        action = held[path].route
        assert action is not None
        assert action.cluster == f"{SHARED}-api"


def test_neither_an_answer_nor_a_websocket_has_a_deadline_but_for_silence() -> None:
    held = routes(of_cell(cell(), OPTIONS))
    api, websocket = held["/api"].route, held["/ws"].route

    assert api is not None
    assert websocket is not None
    # Zero must be on the wire: left out it would be Envoy's default of 15 s.
    assert (api.timeout, websocket.timeout) == (timedelta(0), timedelta(0))
    assert (api.idle_timeout, websocket.idle_timeout) == (timedelta(minutes=1), timedelta(hours=1))


def test_the_cell_is_told_in_a_header_that_replaces_any_other() -> None:
    (header,) = RouteConfiguration.parse(bytes(of_cell(cell(), OPTIONS))).request_headers_to_add

    assert header.header is not None
    assert (header.header.key, header.header.value) == ("x-alphaswarm-cell", SHARED)
    assert header.append_action.name == "OVERWRITE_IF_EXISTS_OR_ADD"


def test_the_claim_that_binds_a_token_reaches_no_cell() -> None:
    for previous in (None, CellId("cell-old")):
        assert of_cell(cell(), OPTIONS, previous=previous).request_headers_to_remove == ["x-alphaswarm-cell-claim"]
    assert of_cell(cell(), edge_options(cell_bound=CellBound.OFF)).request_headers_to_remove == []


def test_only_a_cells_routes_name_the_anonymous_tenant() -> None:
    anonymous = replace(OPTIONS.auth, mode=AuthMode.OPTIONAL, anonymous_tenant=TenantId("acme"))
    config = of_cell(cell(), replace(OPTIONS, auth=anonymous)).typed_per_filter_config["alphaswarm.anonymous"]

    mutations = HeaderMutationPerRoute.parse(config.value).mutations
    assert mutations is not None
    (name,) = mutations.request_mutations
    assert name.append is not None
    assert name.append.header is not None
    assert (name.append.header.key, name.append.header.value) == ("x-alphaswarm-tenant", "acme")
    assert name.append.append_action.name == "ADD_IF_ABSENT"
    assert of_cell(cell(), OPTIONS).typed_per_filter_config == {}


@pytest.mark.parametrize("state", [CellState.PROVISIONING, CellState.RETIRED])
def test_a_cell_without_traffic_answers_503_and_when_to_come_back(state: CellState) -> None:
    table = of_cell(cell(state=state), OPTIONS)

    assert answers(table) == {"/api": 503, "/ws": 503, "/manage": 403, "/healthz": 200, "/": 404}
    (retry,) = routes(table)["/api"].response_headers_to_add
    assert retry.header is not None
    assert (retry.header.key, retry.header.value) == ("retry-after", "30")


@pytest.mark.parametrize("state", [CellState.ACTIVE, CellState.DRAINING, CellState.CORDONED])
def test_a_cell_with_traffic_has_the_same_routes_in_every_state(state: CellState) -> None:
    assert bytes(of_cell(cell(state=state), OPTIONS)) == bytes(of_cell(cell(), OPTIONS))


def test_the_shared_tables_refuse_each_with_its_own_status() -> None:
    statuses = {table.name: answers(table)["/api"] for table in shared(OPTIONS)}

    assert statuses == {"public": 401, "suspended": 403, "unavailable": 503}


def test_only_the_public_table_leads_to_the_controller() -> None:
    options = edge_options(operators=OperatorOptions(controller=("controller", 8000)))
    public, *others = shared(options)

    assert "alphaswarm-controller" in str(guards(public)["/manage"])
    for table in (of_cell(cell(), options), public, *others):
        assert answers(table)["/manage"] == 403
        assert (OPERATORS_FILTER in routes(table)["/manage"].typed_per_filter_config) is (table is public)
        assert table is public or "alphaswarm-controller" not in str(table)


def test_a_token_of_the_public_tenant_is_one_of_an_unknown_tenant() -> None:
    public = shared(OPTIONS)[0]

    for path in ("/api", "/ws"):
        refusal = guards(public)[path]
        assert refusal.match is not None
        (bearer,) = refusal.match.headers
        assert bearer.string_match is not None
        assert (bearer.name, bearer.string_match.prefix) == ("authorization", "Bearer ")
        assert text(refusal) == (403, "the tenant is unknown")
        assert text(routes(public)[path]) == (401, "a token is required")


def test_a_suspended_tenant_is_told_so() -> None:
    assert text(routes(shared(OPTIONS)[1])["/api"]) == (403, "the tenant is suspended")


@pytest.mark.parametrize("mode", [AuthMode.REQUIRED, AuthMode.OPTIONAL])
def test_a_hidden_suspended_tenant_has_no_route_as_an_unknown_one_has_none(mode: AuthMode) -> None:
    hiding = edge_options(tenants=TenantOptions(hides_suspended=True))
    auth = replace(hiding.auth, mode=mode, anonymous_tenant=TenantId("acme"))
    assert shared(replace(hiding, auth=auth))[1] == RouteConfiguration(name=SUSPENDED_ROUTES)


def test_unless_it_is_the_one_whose_every_request_is() -> None:
    options = edge_options(tenants=TenantOptions(hides_suspended=True))
    off = replace(options, auth=replace(options.auth, mode=AuthMode.OFF, anonymous_tenant=TenantId("acme")))
    suspended = shared(off)[1]

    assert text(routes(suspended)["/api"]) == (403, "the tenant is unknown or suspended")
    assert text(routes(suspended)["/healthz"]) == (200, "ok")


def test_everything_else_goes_to_the_web_client_if_there_is_one() -> None:
    for table in (of_cell(cell(), WITH_CLIENT), *shared(WITH_CLIENT)):
        action = routes(table)["/"].route
        assert action is not None
        assert action.cluster == "alphaswarm-client"
    assert answers(of_cell(cell(), OPTIONS))["/"] == 404


@pytest.mark.parametrize(
    ("mode", "looked_at"), [(CellBound.ENFORCE, True), (CellBound.MONITOR, True), (CellBound.OFF, False)]
)
def test_tokens_cells_are_looked_at_unless_that_is_off(mode: CellBound, looked_at: bool) -> None:
    held = guards(of_cell(cell(), edge_options(cell_bound=mode)))

    assert list(held) == (["/api", "/ws"] if looked_at else [])


def test_a_grace_has_a_table_of_its_own_that_knows_both_cells() -> None:
    table = of_cell(cell(), OPTIONS, previous=CellId("cell-old"))

    assert (table.name, table.virtual_hosts[0].name) == (f"{SHARED}/cell-old", SHARED)
    for guard in guards(table).values():
        assert guard.match is not None
        named = [each.string_match.exact for each in guard.match.headers if each.string_match]
        assert named == [SHARED, "cell-old"]
    assert routes(table) == routes(of_cell(cell(), OPTIONS))


def text(route: Route) -> tuple[int, str | None]:
    """What a route itself answers."""
    assert route.direct_response is not None
    assert route.direct_response.body is not None
    return route.direct_response.status, route.direct_response.body.inline_string
