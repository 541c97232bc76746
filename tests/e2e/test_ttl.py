"""A real Envoy keeps what has a TTL for as long as it hears of it, and lets go of it when the server is gone.

In state of the world Envoy 1.40 takes a heartbeat without content and lets go all the same: there it is sent whole.
"""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from envoy_data_plane.envoy.service.runtime.v3 import Runtime
from envoy_data_plane.google.protobuf import Struct

from tests.e2e.bootstraps import bare, envoy, over_ads
from tests.e2e.watching import until
from tests.integration.server.ads import VARIANTS, ControlPlane, Variant, control_plane
from tests.support.edge import GROUP, cell, topology
from xds.demo.envoy import EnvoyProcess
from xds.names import ResourceName
from xds.server.services import RUNTIME
from xds.session.identity import TTL_FEATURE, WRAPPER_FEATURE
from xds.snapshot import ResourceTable, encode_resource
from xds.translate import translate

LAYER = ResourceName("layer")
TTL_SECONDS = 2


async def publish(plane: ControlPlane, *, ttl: int | None) -> None:
    """A runtime layer of one key."""
    layer = Runtime(name=LAYER, layer=Struct.from_dict({"alphaswarm.tests.key": 1}))
    table = ResourceTable(RUNTIME, [encode_resource(LAYER, bytes(layer), ttl=ttl)])
    snapshot = translate(topology(cell()), plane.options).snapshots(1)[GROUP]
    await plane.feed.publish({GROUP: replace(snapshot, tables={**snapshot.tables, RUNTIME: table})})


async def keys(running: EnvoyProcess) -> int:
    return (await running.stats("runtime."))["runtime.num_keys"]


@pytest.mark.parametrize("variant", VARIANTS)
async def test_rule_43_an_envoy_that_hears_of_a_resource_keeps_it_and_else_lets_go(
    variant: Variant, tmp_path: Path
) -> None:
    async with control_plane(published=False) as plane:
        await publish(plane, ttl=TTL_SECONDS)
        config = bare(plane, variant)
        config["node"]["client_features"] = [TTL_FEATURE, WRAPPER_FEATURE]
        layer = {"name": LAYER, "rtds_layer": {"name": LAYER, "rtds_config": over_ads(config)}}
        config["layered_runtime"] = {"layers": [layer]}
        async with envoy(config, tmp_path) as running:
            assert await keys(running) == 1
            (record,) = plane.fleet.records()
            before = record.of_type(RUNTIME).acked

            async with asyncio.timeout(10 * TTL_SECONDS):
                while record.of_type(RUNTIME).acked < before + 6:
                    assert await keys(running) == 1
                    await asyncio.sleep(0.1)
            assert record.of_type(RUNTIME).nacked == 0
            if variant == "delta":
                assert (await running.stats("runtime."))["runtime.load_success"] <= 3, "a heartbeat is no update"

            await plane.server.stop(0)

            async def is_gone() -> bool:
                return await keys(running) == 0

            await until(is_gone, "the layer's time has run out")


async def test_rule_42_an_envoy_that_announces_nothing_keeps_it_for_ever(tmp_path: Path) -> None:
    async with control_plane(published=False) as plane:
        await publish(plane, ttl=1)
        config = bare(plane, "delta")
        layer = {"name": LAYER, "rtds_layer": {"name": LAYER, "rtds_config": over_ads(config)}}
        config["layered_runtime"] = {"layers": [layer]}
        async with envoy(config, tmp_path) as running:
            await plane.server.stop(0)
            await asyncio.sleep(2.5)
            assert await keys(running) == 1
