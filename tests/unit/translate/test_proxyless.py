"""What gRPC's own client is told, by the rules of its client: that it obeys them is the end-to-end test's to prove."""

from dataclasses import replace

import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster, ClusterDiscoveryType, ClusterLbPolicy
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.listener.v3 import ApiListener, Listener
from envoy_data_plane.envoy.config.route.v3 import Route
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.google.protobuf import Any

from tests.support.edge import SHARED, cell, edge_options, endpoint
from xds.model import Cell, CellState, Endpoint, UpstreamProtocol
from xds.names import NodeGroup, TypeUrl
from xds.snapshot import Ref, Resource
from xds.translate import ClusterOptions, EdgeOptions
from xds.translate.proxyless import NOTHING, ProxylessResources, translate_proxyless, weighed_assignment

OPTIONS = replace(edge_options(), grpc_group=NodeGroup("alphaswarm-grpc"))
API = f"{SHARED}-api"


def made(
    *members: Endpoint,
    state: CellState = CellState.ACTIVE,
    protocol: UpstreamProtocol = UpstreamProtocol.HTTP2,
    options: EdgeOptions = OPTIONS,
) -> ProxylessResources:
    """What a cell with these endpoints becomes."""
    given = cell(state=state, protocol=protocol, endpoints=members or None)
    return translate_proxyless(given, given.endpoints, options)


def manager(resource: Resource | None) -> HttpConnectionManager:
    """A listener's connection manager, as the client would read it."""
    assert resource is not None
    listener = Listener.parse(resource.body)
    assert listener.name == resource.name
    assert listener.api_listener is not None
    assert listener.api_listener.api_listener is not None
    return HttpConnectionManager.parse(listener.api_listener.api_listener.value)


def only_route(resource: Resource | None) -> Route:
    """The one route of a listener, which takes every call."""
    routes = manager(resource).route_config
    assert routes is not None
    (host,) = routes.virtual_hosts
    (route,) = host.routes
    assert host.domains == ["*"]
    assert route.match is not None
    assert route.match.prefix == ""
    return route


def upstream(outcome: ProxylessResources) -> Cluster:
    assert outcome.cluster is not None
    return Cluster.parse(outcome.cluster.body)


def refusal(outcome: ProxylessResources) -> tuple[int, str | None]:
    """How a cell's calls are refused; the client needs nothing but the listener for it."""
    answer = only_route(outcome.listener).direct_response
    assert (outcome.cluster, outcome.assignment) == (None, None)
    assert outcome.listener is not None
    assert outcome.listener.refs == ()
    assert answer is not None
    assert answer.body is not None
    return answer.status, answer.body.inline_string


def localities(assignment: ClusterLoadAssignment) -> list[tuple[str, str, int, list[str]]]:
    """Each locality's zone, sub-zone, weight and addresses, as the client would read them."""
    shown = []
    for each in ClusterLoadAssignment.parse(bytes(assignment)).endpoints:
        assert each.locality is not None
        addresses = []
        for held in each.lb_endpoints:
            assert held.endpoint is not None
            assert held.endpoint.address is not None
            assert held.endpoint.address.socket_address is not None
            addresses.append(held.endpoint.address.socket_address.address)
        shown.append((each.locality.zone, each.locality.sub_zone, each.load_balancing_weight or 0, addresses))
    return shown


def weighed(*members: Endpoint) -> list[tuple[str, str, int, list[str]]]:
    return localities(weighed_assignment(cell(), members))


def test_a_target_is_a_listener_that_sends_every_call_to_its_cells_cluster() -> None:
    outcome = made()
    route = only_route(outcome.listener).route

    assert outcome.listener is not None
    assert outcome.listener.name == API
    assert route is not None
    assert route.cluster == API
    assert [each.name for each in manager(outcome.listener).http_filters] == ["envoy.filters.http.router"]


@pytest.mark.parametrize("state", CellState)
def test_a_listener_that_is_joined_from_bytes_equals_the_messages_own_encoding(state: CellState) -> None:
    resource = made(state=state).listener

    assert resource is not None
    assert bytes(Listener.parse(resource.body)) == resource.body
    assert bytes(Listener(name=API, api_listener=ApiListener(api_listener=Any.pack(manager(resource))))) == (
        resource.body
    )


def test_each_resource_leads_to_the_next() -> None:
    # Nothing is needed beforehand: the client asks for a name once something that it holds has it.
    outcome = made()

    assert outcome.listener is not None
    assert outcome.cluster is not None
    assert outcome.assignment is not None
    assert (outcome.listener.needs, outcome.cluster.needs) == ((), ())
    assert outcome.listener.awaits == (Ref(TypeUrl.CLUSTER, outcome.cluster.name),)
    assert outcome.cluster.awaits == (Ref(TypeUrl.ENDPOINT, outcome.assignment.name),)


def test_a_cluster_has_nothing_that_the_client_would_reject() -> None:
    cluster = upstream(made())

    assert cluster.type is ClusterDiscoveryType.EDS
    assert cluster.eds_cluster_config is not None
    assert cluster.eds_cluster_config.eds_config is not None
    assert cluster.eds_cluster_config.eds_config.ads is not None
    assert cluster.lb_policy is ClusterLbPolicy.ROUND_ROBIN


def test_a_client_may_have_as_many_requests_at_once_as_an_envoy() -> None:
    options = replace(OPTIONS, cluster=ClusterOptions(max_requests=7))
    breakers = upstream(made(options=options)).circuit_breakers

    assert breakers is not None
    assert [each.max_requests for each in breakers.thresholds] == [7]


def test_one_host_name_alone_is_resolved_by_the_client() -> None:
    outcome = made(endpoint("api.example:80"))
    cluster = upstream(outcome)

    assert cluster.type is ClusterDiscoveryType.LOGICAL_DNS
    assert cluster.load_assignment is not None
    assert [len(each.lb_endpoints) for each in cluster.load_assignment.endpoints] == [1]
    assert outcome.assignment is None
    assert outcome.cluster is not None
    assert outcome.cluster.refs == ()


@pytest.mark.parametrize("other", ["other.example:80", "10.0.0.1:80"])
def test_a_host_name_among_others_is_a_problem_and_refused(other: str) -> None:
    outcome = made(endpoint("api.example:80"), endpoint(other))

    assert refusal(outcome) == (503, "gRPC clients take IP addresses, or one host name alone")
    assert [(each.kind, each.id) for each in outcome.problems] == [("grpc", SHARED)]


@pytest.mark.parametrize("state", CellState)
def test_a_cell_is_called_while_it_takes_traffic_and_refused_at_once_otherwise(state: CellState) -> None:
    outcome = made(state=state)

    if state.takes_traffic:
        assert outcome.cluster is not None
    else:
        assert refusal(outcome) == (503, "the cell is not in service")
    assert outcome.problems == ()


def test_a_cell_that_does_not_speak_http2_is_refused() -> None:
    outcome = made(protocol=UpstreamProtocol.HTTP1)

    assert refusal(outcome) == (503, "the cell does not speak HTTP/2")
    assert outcome.problems == ()


@pytest.mark.parametrize("state", CellState)
def test_with_no_group_for_them_there_is_nothing(state: CellState) -> None:
    assert made(state=state, options=edge_options()) is NOTHING


def test_a_locality_has_one_zone_and_one_weight_and_weighs_as_much_as_its_endpoints() -> None:
    assert weighed(
        endpoint("10.0.0.5:80", zone="b", weight=3),
        endpoint("10.0.0.4:80", zone="a", weight=3),
        endpoint("10.0.0.3:80", zone="a", weight=1000),
        endpoint("10.0.0.2:80", zone="a", weight=3),
        endpoint("10.0.0.1:80"),
    ) == [
        ("", "weight-1", 1, ["10.0.0.1"]),
        ("a", "weight-3", 6, ["10.0.0.2", "10.0.0.4"]),
        ("a", "weight-1000", 1000, ["10.0.0.3"]),
        ("b", "weight-3", 3, ["10.0.0.5"]),
    ]


def test_the_order_of_endpoints_makes_no_difference() -> None:
    members = [endpoint(f"10.0.0.{number}:80", zone=zone, weight=number) for number in (3, 1, 2) for zone in "ba"]

    assert bytes(weighed_assignment(cell(), members)) == bytes(weighed_assignment(cell(), sorted(members)))


def test_a_cell_without_endpoints_has_an_assignment_that_says_so() -> None:
    without: Cell = cell(protocol=UpstreamProtocol.HTTP2, endpoints=())
    outcome = translate_proxyless(without, (), OPTIONS)

    assert outcome.assignment is not None
    assert localities(ClusterLoadAssignment.parse(outcome.assignment.body)) == []
    assert upstream(outcome).type is ClusterDiscoveryType.EDS


def test_a_changed_endpoint_changes_nothing_but_the_assignment() -> None:
    before, after = made(endpoint("10.0.0.1:80")), made(endpoint("10.0.0.2:80"))

    for one, other in ((before.listener, after.listener), (before.cluster, after.cluster)):
        assert one is not None
        assert other is not None
        assert one.version == other.version
    assert before.assignment is not None
    assert after.assignment is not None
    assert before.assignment.version != after.assignment.version
