"""What is told of a resource on its way, read by Envoy's own messages."""

import time
from datetime import UTC, datetime

import pytest
from envoy_data_plane.envoy.admin.v3 import ClientResourceStatus
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.service.status.v3 import (
    ConfigStatus,
)

from tests.integration.server.ads import (
    VARIANTS,
    ControlPlane,
    Variant,
    client,
    until,
)
from tests.integration.server.csds import API, NEWER, acknowledged, cluster, open_and_accept, resources, told_as
from tests.support.edge import cell, tenant
from xds.names import TypeUrl


@pytest.mark.parametrize("variant", VARIANTS)
async def test_what_is_sent_is_stale_until_it_is_acknowledged_and_then_in_sync(
    plane: ControlPlane, variant: Variant
) -> None:
    async with client(plane, variant) as envoy:
        await envoy.open()
        response = await envoy.read()
        sent = await cluster(plane)
        assert (sent.config_status, sent.client_status) == (ConfigStatus.STALE, ClientResourceStatus.REQUESTED)
        assert sent.last_updated is None
        assert await acknowledged(plane) == ""

        before = time.time()
        await envoy.ack(response)
        await until(lambda: plane.fleet.nodes()[0].types[0].acked == 1, "it is acknowledged")
        synced = await cluster(plane)
        assert (synced.config_status, synced.client_status) == (ConfigStatus.SYNCED, ClientResourceStatus.ACKED)
        assert synced.version_info == sent.version_info == await acknowledged(plane) != ""
        assert synced.last_updated is not None
        assert synced.last_updated >= datetime.fromtimestamp(before - 0.001, UTC)
        assert (synced.error_state, synced.is_static_resource) == (None, False)


@pytest.mark.parametrize("variant", VARIANTS)
async def test_the_version_and_the_content_are_those_that_were_sent(plane: ControlPlane, variant: Variant) -> None:
    async with client(plane, variant) as envoy:
        response = await open_and_accept(envoy)
        told = await cluster(plane)

    assert told.xds_config is not None
    assert told.xds_config.type_url == TypeUrl.CLUSTER
    assert Cluster.parse(told.xds_config.value).name == API
    if variant == "delta":
        assert told.version_info == response.resources[0].version
        assert told.xds_config.value == response.resources[0].resource.value


@pytest.mark.parametrize("variant", VARIANTS)
async def test_a_rejection_is_told_in_envoys_words_until_it_is_healed(plane: ControlPlane, variant: Variant) -> None:
    async with client(plane, variant) as envoy:
        await open_and_accept(envoy)
        accepted = (await cluster(plane)).version_info
        before = time.time()
        await plane.publish(cell(protocol=NEWER), tenant())
        await envoy.nack(await envoy.read(), "http2: not today")
        await envoy.ack(await envoy.next_is_only(TypeUrl.LISTENER))

        refused = await cluster(plane)
        assert (refused.config_status, refused.client_status) == (ConfigStatus.ERROR, ClientResourceStatus.NACKED)
        assert refused.error_state is not None
        assert refused.error_state.details == "http2: not today"
        assert refused.error_state.version_info == refused.version_info != accepted
        assert refused.error_state.last_update_attempt is not None
        assert refused.error_state.last_update_attempt >= datetime.fromtimestamp(before - 0.001, UTC)
        assert await acknowledged(plane) == accepted
        assert (await resources(plane))[TypeUrl.LISTENER, "edge"].config_status is not ConfigStatus.ERROR

        await plane.publish(cell(), tenant())
        healed = await told_as(plane, API, ConfigStatus.SYNCED)
        assert (healed.version_info, healed.error_state) == (accepted, None)


@pytest.mark.parametrize("variant", VARIANTS)
async def test_what_must_wait_for_something_else_is_not_sent(plane: ControlPlane, variant: Variant) -> None:
    async with client(plane, variant) as envoy:
        await open_and_accept(envoy)
        # Nothing more of clusters may be sent while a response is in flight.
        await plane.publish(cell(), cell("cell-b"), tenant())
        await envoy.read()
        await plane.publish(cell(), cell("cell-b"), cell("cell-c"), tenant())
        await told_as(plane, "cell-b-api", ConfigStatus.STALE)
        later = await told_as(plane, "cell-c-api", ConfigStatus.NOT_SENT)

    assert (later.client_status, later.version_info, later.xds_config) == (ClientResourceStatus.REQUESTED, "", None)


async def test_what_does_not_exist_is_told_so_once_the_client_knows(plane: ControlPlane) -> None:
    async with client(plane, "delta") as envoy:
        await envoy.open(TypeUrl.ENDPOINT, resource_names_subscribe=["none"])
        await envoy.ack(await envoy.read())
        await until(lambda: plane.fleet.nodes()[0].types[0].acked == 1, "it is acknowledged")
        told = (await resources(plane))[TypeUrl.ENDPOINT, "none"]

    assert (told.config_status, told.client_status) == (ConfigStatus.SYNCED, ClientResourceStatus.DOES_NOT_EXIST)


async def test_what_a_client_brought_along_is_in_sync(plane: ControlPlane) -> None:
    async with client(plane, "delta") as envoy:
        (held,) = (await open_and_accept(envoy)).resources
    async with client(plane, "delta", node_id="again") as envoy:
        await envoy.open(initial_resource_versions={held.name: held.version})
        await envoy.next_is_only(TypeUrl.LISTENER)
        await until(lambda: len(plane.fleet.nodes()) == 1, "the former stream is gone")
        told = await cluster(plane)

    assert (told.config_status, told.version_info) == (ConfigStatus.SYNCED, held.version)
    assert told.xds_config is not None
