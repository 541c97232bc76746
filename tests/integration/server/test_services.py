"""Streams of one type: the same sessions, and no other type on them."""

from pathlib import Path
from typing import Any

import grpc
import pytest
from envoy_data_plane.envoy.admin.v3 import ClientResourceStatus
from envoy_data_plane.envoy.service.status.v3 import ConfigStatus

from tests.integration.server.ads import VARIANTS, ControlPlane, Variant, client, control_plane, names, until
from tests.integration.server.csds import fetch
from tests.support.edge import GROUP, SHARED, cell, edge_options, endpoint, tenant
from xds.bootstrap import BootstrapOptions, bootstrap
from xds.demo.envoy import EnvoyProcess
from xds.demo.ports import free_port
from xds.names import NodeId, TypeUrl
from xds.server.services import RUNTIME, SECRET, SERVICES

API = f"{SHARED}-api"
OF_ONE = SERVICES[1:]
WILD = (TypeUrl.CLUSTER, TypeUrl.LISTENER, TypeUrl.SCOPE)
LATER = (SECRET, RUNTIME)


def path(type_url: str, variant: Variant) -> str:
    (service,) = (each for each in OF_ONE if each.type_url == type_url)
    (method,) = (name for name, kind in service.methods() if kind == variant)
    return f"/{service.name}/{method}"


def naming(variant: Variant, *those: str) -> dict[str, list[str]]:
    return {"resource_names_subscribe" if variant == "delta" else "resource_names": [*those]}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("said", ["", "in full"])
@pytest.mark.parametrize("type_url", list(TypeUrl), ids=lambda each: TypeUrl(each).label)
async def test_a_stream_of_one_type_serves_it_whether_or_not_it_is_said(
    plane: ControlPlane, variant: Variant, said: str, type_url: TypeUrl
) -> None:
    held = plane.feed.latest(GROUP)
    assert held is not None
    wanted = sorted(held.snapshot.table(type_url))
    asked: Any = {} if type_url in WILD else naming(variant, *wanted)
    async with client(plane, variant, path=path(type_url, variant)) as envoy:
        await envoy.open(type_url if said else "", **asked)
        response = await envoy.read()

    assert response.type_url == type_url
    assert len(response.resources) == len(wanted) > 0
    if variant == "delta":
        assert names(response) == wanted


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("type_url", [service.type_url or "" for service in OF_ONE])
async def test_another_type_is_refused(plane: ControlPlane, variant: Variant, type_url: str) -> None:
    other = TypeUrl.LISTENER if type_url == TypeUrl.CLUSTER else TypeUrl.CLUSTER
    async with client(plane, variant, path=path(type_url, variant)) as envoy:
        await envoy.open(other)

        assert await envoy.ending() == (
            grpc.StatusCode.INVALID_ARGUMENT,
            f"this service speaks of {type_url} only, the request says {other}",
        )


@pytest.mark.parametrize("variant", VARIANTS)
async def test_another_type_is_refused_later_too(plane: ControlPlane, variant: Variant) -> None:
    async with client(plane, variant, path=path(TypeUrl.CLUSTER, variant)) as envoy:
        await envoy.open("")
        await envoy.read()
        await envoy.send(TypeUrl.ENDPOINT)

        assert (await envoy.ending())[0] is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("variant", VARIANTS)
async def test_a_change_follows_and_an_acknowledgement_without_a_type_counts(
    plane: ControlPlane, variant: Variant
) -> None:
    async with client(plane, variant, path=path(TypeUrl.ENDPOINT, variant)) as envoy:
        named: Any = naming(variant, API)
        await envoy.open("", **named)
        first = await envoy.read()
        await envoy.send("", response_nonce=first.nonce, **({} if variant == "delta" else named))

        await plane.publish(cell(endpoints=(endpoint("10.9.9.9:8000"),)), tenant())
        assert b"10.9.9.9" in (await envoy.read()).SerializeToString()


@pytest.mark.parametrize("variant", VARIANTS)
async def test_no_order_across_types_holds_back_a_stream_of_one(plane: ControlPlane, variant: Variant) -> None:
    async with (
        client(plane, variant, path=path(TypeUrl.CLUSTER, variant)) as clusters,
        client(plane, variant, path=path(TypeUrl.SCOPE, variant)) as scopes,
    ):
        for envoy in (clusters, scopes):
            await envoy.open("")
            await envoy.ack(await envoy.read())

        await plane.publish(cell(), cell("cell-b"), tenant(), tenant("b", "cell-b"))

        # The scopes come, although the clusters are not acknowledged.
        assert (await scopes.read()).type_url == TypeUrl.SCOPE
        assert (await clusters.read()).type_url == TypeUrl.CLUSTER


@pytest.mark.parametrize("type_url", [SECRET, RUNTIME])
async def test_in_delta_what_there_is_none_of_is_said_not_to_exist(plane: ControlPlane, type_url: str) -> None:
    async with client(plane, "delta", path=path(type_url, "delta")) as envoy:
        await envoy.open("", resource_names_subscribe=["a"])
        response = await envoy.read()

    assert (response.type_url, list(response.removed_resources), list(response.resources)) == (type_url, ["a"], [])


async def test_rule_41_of_a_filters_config_nothing_is_said_while_there_is_none(plane: ControlPlane) -> None:
    async with client(plane, "delta", path=path(TypeUrl.EXTENSION, "delta")) as envoy:
        await envoy.open("", resource_names_subscribe=["a"])
        await envoy.close()

        assert await envoy.ending() == (grpc.StatusCode.OK, "")
    assert plane.metric("responses_total", type="other", variant="delta") == 0


@pytest.mark.parametrize("type_url", LATER)
async def test_in_sotw_what_there_is_none_of_is_not_answered(plane: ControlPlane, type_url: str) -> None:
    async with client(plane, "sotw", path=path(type_url, "sotw")) as envoy:
        await envoy.open("", resource_names=["a"])
        await envoy.send("", resource_names=["a", "b"])
        await envoy.close()

        assert await envoy.ending() == (grpc.StatusCode.OK, "")
    assert plane.metric("responses_total", type="other", variant="sotw") == 0
    assert plane.metric("requests_total", type="other", variant="sotw", kind="subscribe") == 2


# The real thing


@pytest.mark.parametrize("variant", VARIANTS)
async def test_a_real_envoy_uses_services_of_one_type_beside_ads(variant: Variant, tmp_path: Path) -> None:
    admin = free_port()
    async with control_plane(options=edge_options(listeners={GROUP: ("127.0.0.1", free_port())})) as plane:
        config = apart(plane, variant, admin)
        async with EnvoyProcess("real", config, admin_port=admin, folder=tmp_path) as envoy:
            await envoy.ready()
            await until(lambda: in_flight(plane) == 0, "it has acknowledged all that it was sent")
            configs = (await fetch(plane)).config

    told = {each.type_url: each for config in configs for each in config.generic_xds_configs}
    assert len(configs) == 4, "ADS, CDS, LDS and RTDS"
    assert told.keys() == {RUNTIME, *TypeUrl}
    assert {each.config_status for each in told.values()} == {ConfigStatus.SYNCED}
    assert told[RUNTIME].client_status is ClientResourceStatus.DOES_NOT_EXIST


def in_flight(plane: ControlPlane) -> int:
    return sum(of.sent - of.acked for node in plane.fleet.nodes() for of in node.types)


def apart(plane: ControlPlane, variant: Variant, admin_port: int) -> Any:
    """The bootstrap of an Envoy that asks for clusters, listeners and a runtime layer on streams of their own."""
    host, _, port = plane.address.rpartition(":")
    options = BootstrapOptions(
        node_id=NodeId("real"), node_group=GROUP, server=(host, int(port)), admin_port=admin_port, variant=variant
    )
    config: Any = bootstrap(options)
    source = {
        "resource_api_version": "V3",
        "initial_fetch_timeout": "1s",  # in sotw there is no answer for a layer that does not exist
        "api_config_source": config["dynamic_resources"]["ads_config"],
    }
    config["dynamic_resources"] |= {"cds_config": source, "lds_config": source}
    config["layered_runtime"] = {"layers": [{"name": "none", "rtds_layer": {"name": "none", "rtds_config": source}}]}
    return config
