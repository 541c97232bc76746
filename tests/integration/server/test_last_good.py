"""An Envoy that connects gets what its group has accepted, not what it has just rejected; over real streams."""

from dataclasses import replace
from typing import Any

import pytest

from tests.integration.server.ads import VARIANTS, Client, ControlPlane, Variant, client
from tests.support.edge import GROUP, SHARED, cell, tenant, topology
from xds.names import NodeGroup, ResourceName, TypeUrl
from xds.snapshot import encode_resource
from xds.translate import translate

BAD = "cell-new-api"


async def publish(plane: ControlPlane, number: int, *, bad: bool) -> None:
    """The usual topology, and maybe a cluster that clients will reject."""
    snapshots = translate(topology(cell(), tenant()), plane.options).snapshots(number)
    if bad:
        newest = snapshots[NodeGroup(GROUP)]
        clusters = newest.table(TypeUrl.CLUSTER).replace([encode_resource(ResourceName(BAD), b"\n\x0ccell-new-api")])
        tables = {**newest.tables, TypeUrl.CLUSTER: clusters}
        snapshots[NodeGroup(GROUP)] = replace(newest, tables=tables)
    await plane.feed.publish(snapshots)


def told(response: Any) -> set[str]:
    """Which clusters a response has, by what is said of them."""
    messages = [each.resource if hasattr(each, "resource") else each for each in response.resources]
    found = {BAD, f"{SHARED}-api"}
    return {name for name in found for message in messages if name.encode() in message.value}


async def accept(envoy: Client) -> set[str]:
    """Take the next response."""
    response = await envoy.read()
    await envoy.ack(response)
    return told(response)


@pytest.mark.parametrize("variant", VARIANTS)
async def test_who_comes_is_not_given_what_the_group_rejects(plane: ControlPlane, variant: Variant) -> None:
    async with (
        client(plane, variant, node_id="edge-1") as first,
        client(plane, variant, node_id="edge-2") as second,
        client(plane, variant, node_id="edge-3") as third,
    ):
        await first.open()
        await accept(first)
        await first.next_is_only(TypeUrl.LISTENER)  # what was acknowledged has been read

        await publish(plane, 2, bad=True)
        rejected = await first.read()
        assert BAD in told(rejected)
        await first.nack(rejected, "no")
        await first.next_is_only(TypeUrl.SCOPE)

        await second.open()
        assert await accept(second) == {f"{SHARED}-api"}

        await publish(plane, 3, bad=False)
        await third.open()
        assert await accept(third) == {f"{SHARED}-api"}
        await publish(plane, 4, bad=True)
        for envoy in (second, third):
            assert BAD in await accept(envoy), "content that comes anew is offered to all"


@pytest.mark.parametrize("variant", VARIANTS)
async def test_what_one_accepts_after_all_reaches_those_that_were_spared(plane: ControlPlane, variant: Variant) -> None:
    async with (
        client(plane, variant, node_id="edge-1") as first,
        client(plane, variant, node_id="edge-2") as other,
        client(plane, variant, node_id="edge-3") as late,
    ):
        for envoy in (first, other):
            await envoy.open()
            await accept(envoy)
            await envoy.next_is_only(TypeUrl.LISTENER)
        await publish(plane, 2, bad=True)
        await first.nack(await first.read(), "no")
        await first.next_is_only(TypeUrl.SCOPE)
        await late.open()
        assert await accept(late) == {f"{SHARED}-api"}

        assert BAD in await accept(other)

        assert BAD in told(await late.read())
