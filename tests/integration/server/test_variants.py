"""Both variants, from the first request to a change, with a real client."""

import pytest

from tests.integration.server.ads import VARIANTS, ControlPlane, Variant, client
from tests.support.edge import SHARED, cell, endpoint, tenant
from xds.names import TypeUrl
from xds.server.variants import DELTA, SOTW

API = f"{SHARED}-api"


def test_each_variant_has_its_name() -> None:
    assert (DELTA.name, SOTW.name) == ("delta", "sotw")


@pytest.mark.parametrize("variant", VARIANTS)
async def test_what_is_asked_for_is_sent_and_a_change_of_it_follows(plane: ControlPlane, variant: Variant) -> None:
    named = {"resource_names_subscribe": [API]} if variant == "delta" else {"resource_names": [API]}
    async with client(plane, variant) as envoy:
        await envoy.open()
        clusters = await envoy.read()
        await envoy.ack(clusters)
        await envoy.send(TypeUrl.ENDPOINT, **named)
        first = await envoy.read()
        if variant == "delta":
            await envoy.ack(first)
        else:
            await envoy.send(TypeUrl.ENDPOINT, response_nonce=first.nonce, version_info=first.version_info, **named)

        await plane.publish(cell(endpoints=(endpoint("10.9.9.9:8000"),)), tenant())
        second = await envoy.read()

    assert [each.type_url for each in (clusters, first, second)] == [TypeUrl.CLUSTER, *[TypeUrl.ENDPOINT] * 2]
    assert b"10.0.0.1" in first.SerializeToString()
    assert b"10.9.9.9" in second.SerializeToString()
    assert len(second.resources) == 1
    assert len({clusters.nonce, first.nonce, second.nonce}) == 3


@pytest.mark.parametrize("variant", VARIANTS)
async def test_a_change_of_what_was_not_asked_for_is_not_sent(plane: ControlPlane, variant: Variant) -> None:
    async with client(plane, variant) as envoy:
        await envoy.open()
        await envoy.ack(await envoy.read())

        await plane.publish(cell(endpoints=(endpoint("10.9.9.9:8000"),)), tenant(), tenant("b"))

        await envoy.next_is_only(TypeUrl.LISTENER)


async def test_an_unknown_type_is_answered_with_nothing_there(plane: ControlPlane) -> None:
    async with client(plane, "delta") as envoy:
        await envoy.open("type.googleapis.com/no.such.Type", resource_names_subscribe=["a"])
        response = await envoy.read()
        assert (list(response.resources), list(response.removed_resources)) == ([], ["a"])
        await envoy.ack(response)

        await envoy.next_is_only(TypeUrl.CLUSTER)


async def test_an_unknown_type_in_sotw_has_nothing_and_keeps_the_stream(plane: ControlPlane) -> None:
    async with client(plane, "sotw") as envoy:
        await envoy.open("type.googleapis.com/no.such.Type", resource_names=["a"])

        await envoy.next_is_only(TypeUrl.CLUSTER)
