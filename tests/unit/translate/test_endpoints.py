import pytest
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment

from tests.support.edge import cell, endpoint
from xds.model import Endpoint
from xds.translate.endpoints import fault, is_ip, load_assignment


def shown(*members: Endpoint) -> list[tuple[str, list[tuple[str, int, int]]]]:
    """An assignment as zones of (address, port, weight)."""
    assignment = ClusterLoadAssignment.parse(bytes(load_assignment(cell(), members)))
    zones = []
    for locality in assignment.endpoints:
        inside = []
        for each in locality.lb_endpoints:
            assert each.endpoint is not None
            assert each.endpoint.address is not None
            socket = each.endpoint.address.socket_address
            assert socket is not None
            inside.append((socket.address, socket.port_value or 0, each.load_balancing_weight or 0))
        assert locality.locality is not None
        zones.append((locality.locality.zone, inside))
    return zones


@pytest.mark.parametrize(
    "address",
    ["10.0.0.1", "2001:db8::1", "::1", "localhost", "api.example", "API.Example.", "alphaswarm-cell-a-api", "a" * 63],
)
def test_an_ip_address_or_host_name_is_sound(address: str) -> None:
    assert fault(Endpoint(address=address, port=8000)) == ""


@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        "10.0.0.300",
        "10.0.0",
        "1",
        "api.1",
        "no host",
        "-a",
        "a-",
        "a..b",
        ".a",
        "a_b",
        "http://a",
        "a:80",
        "[::1]",
        "ü.example",
        "a\n",
        "a" * 64,
        ".".join(["a" * 60] * 5),
    ],
)
def test_anything_else_is_named_as_the_fault(address: str) -> None:
    assert (
        fault(Endpoint(address=address, port=8000)) == f"address {address!r} is neither an IP address nor a host name"
    )


@pytest.mark.parametrize("port", [-1, 0, 65536])
def test_a_port_out_of_range_is_a_fault(port: int) -> None:
    assert fault(Endpoint(address="10.0.0.1", port=port)) == f"port {port} is not in 1 to 65535"


@pytest.mark.parametrize("weight", [-1, 0, 1001, 2**32, 2**70])
def test_a_weight_out_of_range_is_a_fault(weight: int) -> None:
    assert fault(endpoint(weight=weight)) == f"weight {weight} is not in 1 to 1000"


@pytest.mark.parametrize("at", ["10.0.0.1:1", "10.0.0.1:65535", "2001:db8::1:80"])
def test_only_an_address_of_numbers_needs_no_resolving(at: str) -> None:
    assert is_ip(endpoint(at))
    assert not is_ip(endpoint("localhost:80"))


def test_endpoints_are_grouped_by_zone_with_their_weights() -> None:
    assert shown(
        endpoint("10.0.0.2:80", zone="b", weight=3),
        endpoint("10.0.0.3:80", zone="a", weight=1000),
        endpoint("10.0.0.1:80", zone="b"),
        endpoint("10.0.0.4:80"),
    ) == [
        ("", [("10.0.0.4", 80, 1)]),
        ("a", [("10.0.0.3", 80, 1000)]),
        ("b", [("10.0.0.1", 80, 1), ("10.0.0.2", 80, 3)]),
    ]


def test_the_order_of_endpoints_makes_no_difference() -> None:
    members = [endpoint(f"10.0.0.{number}:80", zone=zone) for number in (3, 1, 2) for zone in "ba"]

    assert bytes(load_assignment(cell(), members)) == bytes(load_assignment(cell(), sorted(members)))


def test_no_endpoints_are_an_assignment_that_says_so() -> None:
    assignment = ClusterLoadAssignment.parse(bytes(load_assignment(cell(), ())))

    assert (assignment.cluster_name, assignment.endpoints) == ("cell-shared-std-local-api", [])
