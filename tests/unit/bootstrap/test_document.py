import json
from typing import Any, Literal

import pytest

from xds.bootstrap import XDS_CLUSTER, BootstrapOptions, bootstrap
from xds.names import NodeGroup, NodeId


def made(variant: Literal["delta", "sotw"] = "delta") -> dict[str, Any]:
    """A bootstrap, as the file has it."""
    options = BootstrapOptions(
        node_id=NodeId("edge-1"),
        node_group=NodeGroup("alphaswarm-edge"),
        server=("xds.example", 18000),
        variant=variant,
        region="eu",
        zone="eu-1a",
        max_connections=7,
    )
    read: dict[str, Any] = json.loads(json.dumps(bootstrap(options)))
    return read


def test_the_node_says_who_it_is_and_where() -> None:
    assert made()["node"] == {
        "id": "edge-1",
        "cluster": "alphaswarm-edge",
        "locality": {"region": "eu", "zone": "eu-1a"},
    }


@pytest.mark.parametrize(("variant", "api"), [("delta", "DELTA_GRPC"), ("sotw", "GRPC")])
def test_the_variant_is_the_operators(variant: Literal["delta", "sotw"], api: str) -> None:
    assert made(variant)["dynamic_resources"]["ads_config"]["api_type"] == api


def test_an_envoy_without_config_stays_unready_for_as_long_as_it_takes() -> None:
    for source in ("cds_config", "lds_config"):
        assert made()["dynamic_resources"][source]["initial_fetch_timeout"] == "0s"


def test_the_control_planes_cluster_is_the_only_static_one_and_speaks_http2() -> None:
    (cluster,) = made()["static_resources"]["clusters"]
    (endpoint,) = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    (options,) = cluster["typed_extension_protocol_options"].values()

    assert cluster["name"] == XDS_CLUSTER
    assert endpoint["endpoint"]["address"]["socket_address"] == {"address": "xds.example", "port_value": 18000}
    assert "http2_protocol_options" in options["explicit_http_config"]


def test_the_admin_interface_is_on_loopback_only() -> None:
    assert made()["admin"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": 9901}


def test_the_admin_interface_answers_although_clients_hold_every_connection() -> None:
    assert made()["admin"]["ignore_global_conn_limit"] is True


def test_the_clients_of_one_envoy_and_its_memory_are_limited() -> None:
    heap, connections = made()["overload_manager"]["resource_monitors"]

    assert heap["typed_config"]["max_heap_size_bytes"] == 2 * 1024**3
    assert connections["typed_config"]["max_active_downstream_connections"] == 7


def test_nobody_else_is_told_anything_unless_asked_for() -> None:
    assert "listeners" not in made()["static_resources"]
