"""The server: where it listens, what it says of itself, how it stops."""

import asyncio
import gc

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.integration.server.ads import (
    SECONDS,
    SERVICE,
    VARIANTS,
    Client,
    ControlPlane,
    Variant,
    client,
    connection,
    control_plane,
    until,
)
from xds.errors import LocalFailure
from xds.names import TypeUrl
from xds.server import ServerOptions

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def health(plane: ControlPlane, service: str) -> int:
    async with connection(plane) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(service=service), timeout=SECONDS
        )
        return int(answer.status)


async def reflect(plane: ControlPlane, **request: str) -> reflection_pb2.ServerReflectionResponse:
    async with connection(plane) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(**request)]), timeout=SECONDS)
        answer: reflection_pb2.ServerReflectionResponse = await call.read()
        return answer


# Listening


async def test_port_0_is_a_free_port_and_is_told(plane: ControlPlane) -> None:
    host, _, port = plane.address.rpartition(":")

    assert host == "127.0.0.1"
    assert int(port) > 0


async def test_a_taken_port_is_one_line_that_says_so(plane: ControlPlane) -> None:
    taken = int(plane.address.rpartition(":")[2])
    second = ControlPlane(listen=taken)

    with pytest.raises(LocalFailure) as failure:
        await second.server.start()

    assert str(failure.value) == f"XDS_LISTEN: cannot listen on 127.0.0.1:{taken}; is the port taken?"
    del second, failure
    gc.collect()
    assert await health(plane, "") == NOT_SERVING  # and the first is still there


# Health and reflection


@pytest.mark.parametrize("service", ["", SERVICE])
async def test_health_follows_what_is_served(plane: ControlPlane, service: str) -> None:
    assert await health(plane, service) == NOT_SERVING
    await plane.server.set_serving(serving=True)
    assert await health(plane, service) == SERVING


async def test_whoever_watches_health_is_told_of_the_change(plane: ControlPlane) -> None:
    async with connection(plane) as channel:
        call = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=SECONDS)
        before = await call.read()
        await plane.server.set_serving(serving=True)
        after = await call.read()
        call.cancel()

    assert (before.status, after.status) == (NOT_SERVING, SERVING)


async def test_reflection_lists_the_services(plane: ControlPlane) -> None:
    answer = await reflect(plane, list_services="")

    assert {each.name for each in answer.list_services_response.service} == {
        SERVICE,
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


async def test_reflection_describes_the_discovery_service(plane: ControlPlane) -> None:
    answer = await reflect(plane, file_containing_symbol=SERVICE)

    (data, *_) = answer.file_descriptor_response.file_descriptor_proto
    file = descriptor_pb2.FileDescriptorProto.FromString(data)
    (service,) = (each for each in file.service if each.name == "AggregatedDiscoveryService")
    assert {method.name for method in service.method} == {"StreamAggregatedResources", "DeltaAggregatedResources"}


# Stopping


@pytest.mark.parametrize("variant", VARIANTS)
async def test_a_stop_ends_every_stream_well_within_its_window(
    variant: Variant, grpc_complaints: pytest.LogCaptureFixture
) -> None:
    async with control_plane() as plane, connection(plane) as channel:
        envoys = [Client(channel, variant, node_id=f"edge-{number}") for number in range(20)]
        for envoy in envoys:
            await envoy.open()
            await envoy.ack(await envoy.read())
        started = asyncio.get_running_loop().time()

        await plane.server.stop(0.5)

        assert asyncio.get_running_loop().time() - started < 1.5
        assert {(await envoy.ending())[0] for envoy in envoys} == {grpc.StatusCode.OK}
        assert plane.metric("streams_ended_total", reason="drained") == 20
        assert plane.fleet.nodes() == ()
    assert grpc_complaints.records == []


async def test_a_single_stream_is_not_kept_waiting_for_the_window(plane: ControlPlane) -> None:
    async with client(plane, "delta") as envoy:
        await envoy.open()
        await envoy.ack(await envoy.read())

        async with asyncio.timeout(SECONDS):
            await plane.server.stop(600)

        assert (await envoy.ending())[0] is grpc.StatusCode.OK


async def test_a_stream_that_is_stuck_does_not_hold_up_a_stop() -> None:
    async with control_plane() as plane, client(plane, "delta") as silent:
        await silent.call.wait_for_connection()
        await until(lambda: plane.streams == 1, "the stream is there, though it has said nothing")

        async with asyncio.timeout(SECONDS):
            await plane.server.stop(0.1)

        assert (await silent.ending())[0] in (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE)
        assert plane.streams == 0


async def test_while_it_stops_no_new_stream_is_served(plane: ControlPlane) -> None:
    async with connection(plane) as channel, connection(plane) as late, asyncio.TaskGroup() as tasks:
        envoys = [Client(channel, "delta", node_id=f"edge-{number}") for number in range(8)]
        for envoy in envoys:
            await envoy.open()
            await envoy.read()
        stopping = tasks.create_task(plane.server.stop(1))
        await until(lambda: plane.server._is_draining, "it stops")

        newcomer = Client(late, "delta", node_id="late")
        assert await newcomer.read_bytes() is grpc.aio.EOF
        assert (await newcomer.ending())[0] in (grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE)
        assert "late" not in {node.node_id for node in plane.fleet.nodes()}
        await stopping


async def test_health_says_not_serving_from_the_moment_it_stops(plane: ControlPlane) -> None:
    await plane.server.set_serving(serving=True)
    async with connection(plane) as channel, asyncio.TaskGroup() as tasks:
        call = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=SECONDS)
        assert (await call.read()).status == SERVING
        tasks.create_task(plane.server.stop(0))
        assert (await call.read()).status == NOT_SERVING


# Connections


def test_a_reconnecting_envoys_first_message_is_let_in() -> None:
    arguments = dict(ServerOptions().channel_arguments())

    assert arguments["grpc.max_receive_message_length"] >= 64 << 20
    assert arguments["grpc.max_send_message_length"] == -1
    assert arguments["grpc.so_reuseport"] == 0


async def test_a_request_above_grpcs_default_limit_is_served(plane: ControlPlane) -> None:
    versions = {f"tenant-{number:09}": "v" * 40 for number in range(100_000)}
    async with client(plane, "delta") as envoy:
        await envoy.open(TypeUrl.SCOPE, initial_resource_versions=versions)
        response = await envoy.read()

    assert len(response.removed_resources) == len(versions)
