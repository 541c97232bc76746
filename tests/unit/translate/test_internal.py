from datetime import timedelta

import pytest
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import Route, RouteConfiguration
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    DownstreamTlsContext,
    SubjectAltNameMatcherSanType,
)

from tests.support.edge import GROUP, INTERNAL, cell, edge_options
from xds.model import CellState
from xds.translate.internal import cell_routes, listener, table
from xds.translate.refusals import no_trace

OPTIONS = edge_options(internal=INTERNAL)


def made() -> Listener:
    """The listener, as Envoy would read it."""
    return Listener.parse(bytes(listener(GROUP, INTERNAL, OPTIONS)))


def tls() -> DownstreamTlsContext:
    socket = made().filter_chains[0].transport_socket
    assert socket is not None
    assert socket.typed_config is not None
    return DownstreamTlsContext.parse(socket.typed_config.value)


def manager() -> HttpConnectionManager:
    config = made().filter_chains[0].filters[0].typed_config
    assert config is not None
    return HttpConnectionManager.parse(config.value)


def routes(*states: CellState) -> list[Route]:
    """The table's routes, as Envoy would read them, with a cell in each of these states."""
    parts = [cell_routes(cell(f"cell-{number}", state=state), OPTIONS) for number, state in enumerate(states)]
    held = RouteConfiguration.parse(table(parts, OPTIONS))
    (host,) = held.virtual_hosts
    assert (held.name, host.name, host.domains) == ("internal", "internal", ["*"])
    assert host.retry_policy is not None
    assert host.routes[0] == no_trace(), "before all else"
    return host.routes[1:]


def named(route: Route) -> str | None:
    """The cell that a route asks for."""
    assert route.match is not None
    exact = [each.string_match.exact for each in route.match.headers if each.string_match]
    assert all(each.name == "x-alphaswarm-cell" for each in route.match.headers)
    return exact[0] if exact else None


def test_a_caller_must_have_a_certificate_with_an_allowed_name() -> None:
    context = tls()
    assert context.require_client_certificate
    assert context.common_tls_context is not None
    callers = context.common_tls_context.validation_context
    assert callers is not None
    assert callers.trusted_ca is not None
    assert callers.trusted_ca.filename == INTERNAL.ca_file
    allowed = [
        (each.san_type, each.matcher.exact)
        for each in callers.match_typed_subject_alt_names
        if each.matcher is not None
    ]
    assert allowed == [
        (SubjectAltNameMatcherSanType.URI, "spiffe://alpha-swarm/billing"),
        (SubjectAltNameMatcherSanType.DNS, "worker.internal"),
    ]


def test_the_edge_shows_its_own_certificate() -> None:
    common = tls().common_tls_context

    assert common is not None
    (certificate,) = common.tls_certificates
    assert certificate.certificate_chain is not None
    assert certificate.private_key is not None
    assert (certificate.certificate_chain.filename, certificate.private_key.filename) == (
        INTERNAL.certificate_file,
        INTERNAL.key_file,
    )


def test_its_routes_come_over_ads_and_are_waited_for() -> None:
    rds = manager().rds

    assert rds is not None
    assert rds.route_config_name == "internal"
    assert rds.config_source is not None
    assert rds.config_source.ads is not None
    assert rds.config_source.initial_fetch_timeout == timedelta(0)


def test_a_header_that_a_cell_may_take_for_ours_is_refused_here_too() -> None:
    common = manager().common_http_protocol_options

    assert common is not None
    assert common.headers_with_underscores_action.name == "REJECT_REQUEST"


@pytest.mark.parametrize("state", [CellState.ACTIVE, CellState.DRAINING, CellState.CORDONED])
def test_a_cell_in_service_is_reached_by_its_exact_name(state: CellState) -> None:
    websocket, request = routes(state)[:2]

    assert named(websocket) == named(request) == "cell-0"
    assert websocket.route is not None
    assert request.route is not None
    assert websocket.route.cluster == request.route.cluster == "cell-0-api"
    assert (websocket.route.timeout, request.route.timeout) == (timedelta(0), timedelta(0)), "long answers may live"


@pytest.mark.parametrize("state", [CellState.PROVISIONING, CellState.RETIRED])
def test_one_that_is_not_says_so(state: CellState) -> None:
    refusal = routes(state)[0]

    assert named(refusal) == "cell-0"
    assert refusal.direct_response is not None
    assert refusal.direct_response.status == 503


def test_another_name_and_no_name_are_refused_after_all_cells() -> None:
    held = routes(CellState.ACTIVE, CellState.ACTIVE)

    assert [named(route) for route in held] == ["cell-0", "cell-0", "cell-1", "cell-1", None, None, None]
    assert [each.direct_response.status for each in held if each.direct_response] == [404, 200, 400]
    assert held[4].match is not None
    assert held[4].match.headers[0].present_match
