"""Where everything is to listen."""

import socket

import pytest

from xds.demo.plan import Plan, Ports
from xds.demo.ports import LOOPBACK, free_port
from xds.errors import LocalFailure


def test_every_port_is_another() -> None:
    ports = Ports.choose(Plan())
    every = [ports.xds, ports.http, *ports.edges.values(), *ports.admins.values(), *ports.cells.values()]
    assert len(set(every)) == len(every) == 9


def test_ports_that_are_asked_for_are_used_and_the_rest_chosen() -> None:
    wanted, http = free_port(), free_port()
    ports = Ports.choose(Plan(edge_ports=(wanted,), http_port=http))
    assert (ports.edges["edge-a"], ports.http) == (wanted, http)
    assert ports.edges["edge-b"] not in (wanted, http)


def test_each_envoy_is_a_node_group_with_its_listener() -> None:
    ports = Ports.choose(Plan())
    assert ports.listeners() == f"edge-a=127.0.0.1:{ports.edges['edge-a']},edge-b=127.0.0.1:{ports.edges['edge-b']}"


@pytest.mark.parametrize("wish", ["edge_ports", "http_port"])
def test_a_taken_port_is_refused_by_the_name_of_its_user(wish: str) -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        taken = server.getsockname()[1]
        plan = Plan(edge_ports=(taken,)) if wish == "edge_ports" else Plan(http_port=taken)
        with pytest.raises(LocalFailure, match=f"^(Envoy edge-a|control plane, HTTP): port {taken} .* is taken"):
            Ports.choose(plan)
