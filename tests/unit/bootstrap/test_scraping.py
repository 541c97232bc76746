import json
from typing import Any

from xds.bootstrap import BootstrapOptions, bootstrap
from xds.bootstrap.scraping import ADMIN_CLUSTER
from xds.names import NodeGroup, NodeId


def static_resources() -> dict[str, Any]:
    options = BootstrapOptions(
        node_id=NodeId("edge-1"),
        node_group=NodeGroup("alphaswarm-edge"),
        server=("xds.example", 18000),
        admin_port=9911,
        metrics_port=9912,
    )
    read: dict[str, Any] = json.loads(json.dumps(bootstrap(options)))["static_resources"]
    return read


def test_two_paths_of_the_admin_interface_are_to_be_had_and_to_be_read_only() -> None:
    (listener,) = static_resources()["listeners"]
    (chain,) = listener["filter_chains"]
    (host,) = chain["filters"][0]["typed_config"]["route_config"]["virtual_hosts"]

    assert listener["address"]["socket_address"]["port_value"] == 9912
    assert [route["match"]["path"] for route in host["routes"]] == ["/stats/prometheus", "/ready"]
    for route in host["routes"]:
        assert route["match"]["headers"] == [{"name": ":method", "string_match": {"exact": "GET"}}]
        assert route["route"] == {"cluster": ADMIN_CLUSTER}


def test_they_are_asked_of_this_very_envoy() -> None:
    admin = {cluster["name"]: cluster for cluster in static_resources()["clusters"]}[ADMIN_CLUSTER]
    (endpoint,) = admin["load_assignment"]["endpoints"][0]["lb_endpoints"]

    assert endpoint["endpoint"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 9911}


def test_it_is_scraped_although_clients_hold_every_connection() -> None:
    assert static_resources()["listeners"][0]["ignore_global_conn_limit"] is True
