"""The server: where it listens, what it says of itself, how it stops."""

import asyncio
import gc
import importlib

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.integration.server.ads import (
    SECONDS,
    VARIANTS,
    Client,
    ControlPlane,
    Variant,
    client,
    connection,
    control_plane,
    until,
)
from tests.support.edge import cell, tenant
from xds.configured import server_options
from xds.errors import LocalFailure
from xds.model import UpstreamProtocol
from xds.names import TypeUrl
from xds.server import ServerOptions
from xds.server.services import SERVICES
from xds.settings import Settings

SERVING = health_pb2.HealthCheckResponse.SERVING
CSDS = "envoy.service.status.v3.ClientStatusDiscoveryService"
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

LAYERS = [
    *(f"google/protobuf/{name}.proto" for name in ("any", "struct", "timestamp")),
    *(f"xds/proto/{name}.proto" for name in ("semver", "core", "admin", "matcher", "discovery")),
]
"""Files that others need, in the order in which they need each other."""


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


@pytest.mark.parametrize("service", ["", CSDS, *(service.name for service in SERVICES)])
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
        *(service.name for service in SERVICES),
        "envoy.service.status.v3.ClientStatusDiscoveryService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }


@pytest.mark.parametrize("name", [*(service.name for service in SERVICES), CSDS])
async def test_reflection_describes_each_service_as_envoy_has_it(plane: ControlPlane, name: str) -> None:
    answer = await reflect(plane, file_containing_symbol=name)
    pool = descriptor_pool.DescriptorPool()  # every file that is needed is in the answer, or this fails
    files = [
        descriptor_pb2.FileDescriptorProto.FromString(data)
        for data in answer.file_descriptor_response.file_descriptor_proto
    ]
    for file in sorted(files, key=lambda each: [*LAYERS, each.name].index(each.name)):
        pool.Add(file)

    service = pool.FindServiceByName(name)
    package, short_name = name.rsplit(".", 1)
    ours = {f"/{name}/{each.name}": (each.input_type.full_name, each.output_type.full_name) for each in service.methods}
    stubs = importlib.import_module(f"envoy_data_plane.{package}")
    theirs = getattr(stubs, f"{short_name}Base")().__mapping__()
    assert ours.keys() == theirs.keys()
    for path, (request, response) in ours.items():
        assert request.rpartition(".")[2] == theirs[path].request_type.__name__
        assert response.rpartition(".")[2] == theirs[path].reply_type.__name__


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


# Admission


def test_the_settings_reach_the_server() -> None:
    options = server_options(Settings(xds_streams_per_second=7, xds_stream_burst=3, xds_stream_max_age_seconds=60))

    assert (options.streams_per_second, options.stream_burst, options.stream_max_age_seconds) == (7, 3, 60)


@pytest.mark.parametrize("variant", VARIANTS)
async def test_streams_above_the_burst_wait_their_turn_and_are_served_in_order(variant: Variant) -> None:
    server = ServerOptions(streams_per_second=20, stream_burst=2)
    served: list[str] = []
    async with control_plane(server=server) as plane, connection(plane) as channel:

        async def begin(envoy: Client) -> None:
            await envoy.read()
            served.append(envoy.node_id)

        started = asyncio.get_running_loop().time()
        envoys: list[Client] = []
        async with asyncio.TaskGroup() as tasks:
            for number in range(8):
                envoys.append(Client(channel, variant, node_id=f"edge-{number}"))
                await envoys[-1].open()
                await until(lambda: plane.streams == len(envoys), "it has come, after those before it")
                tasks.create_task(begin(envoys[-1]))
        waited = asyncio.get_running_loop().time() - started
        for envoy in envoys:
            envoy.cancel()

    assert served == [f"edge-{number}" for number in range(8)]
    assert waited > 0.25


async def test_streams_that_would_wait_too_long_are_refused_and_told_so() -> None:
    server = ServerOptions(streams_per_second=0.01, stream_burst=1)
    async with control_plane(server=server) as plane, client(plane, "delta") as first:
        await first.open()
        await first.read()
        async with client(plane, "sotw") as late:
            assert await late.ending() == (
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "more streams wait than can be served in time",
            )
        assert plane.metric("streams_ended_total", reason="refused") == 1
        assert [node.node_id for node in plane.fleet.nodes()] == ["edge-1"]


async def test_a_stream_that_waits_for_its_turn_is_ended_by_a_stop(
    grpc_complaints: pytest.LogCaptureFixture,
) -> None:
    server = ServerOptions(streams_per_second=0.11, stream_burst=1)
    async with control_plane(server=server) as plane, connection(plane) as channel:
        first = Client(channel, "delta")
        await first.open()
        await first.read()
        waiting = Client(channel, "delta", node_id="waiting")
        await waiting.open()
        await until(lambda: plane.streams == 2, "the second stream waits")

        async with asyncio.timeout(5):
            await plane.server.stop(0)

        assert (await waiting.ending())[0] is grpc.StatusCode.OK
        assert plane.metric("streams_ended_total", reason="drained") == 2
    assert grpc_complaints.records == []


async def test_a_client_that_leaves_while_it_waits_leaves_nothing(grpc_complaints: pytest.LogCaptureFixture) -> None:
    server = ServerOptions(streams_per_second=0.11, stream_burst=1)
    async with control_plane(server=server) as plane, client(plane, "delta") as first:
        await first.open()
        await first.read()
        async with client(plane, "delta", node_id="waiting") as waiting:
            await waiting.open()
            await until(lambda: plane.streams == 2, "the second stream waits")
        await until(lambda: plane.streams == 1, "it is gone")
        assert plane.metric("streams_ended_total", reason="reset") == 1
    assert grpc_complaints.records == []


# Age


@pytest.mark.parametrize("variant", VARIANTS)
async def test_a_stream_of_its_age_is_ended_and_the_client_may_come_back(variant: Variant) -> None:
    async with control_plane(server=ServerOptions(stream_max_age_seconds=0.2)) as plane:
        started = asyncio.get_running_loop().time()
        async with client(plane, variant) as envoy:
            await envoy.open()
            await envoy.ack(await envoy.read())
            assert await envoy.ending() == (grpc.StatusCode.OK, "")
        assert asyncio.get_running_loop().time() - started > 0.17
        assert plane.metric("streams_ended_total", reason="drained") == 1

        async with client(plane, variant) as envoy:
            await envoy.open()
            assert len((await envoy.read()).resources) == 1


@pytest.mark.parametrize("variant", VARIANTS)
async def test_no_stream_is_ended_by_age_while_a_nack_stands_on_it(variant: Variant) -> None:
    server = ServerOptions(stream_max_age_seconds=0.1)
    async with control_plane(server=server) as plane, client(plane, variant) as envoy:
        await envoy.open()
        await envoy.nack(await envoy.read(), "no")
        await asyncio.sleep(0.3)
        await envoy.ack(await envoy.next_is_only(TypeUrl.LISTENER))
        assert plane.streams == 1

        # It heals: other content goes out, and with that the stream ends.
        await plane.publish(cell(protocol=UpstreamProtocol.HTTP2), tenant())
        healed = await envoy.read()
        assert healed.type_url == TypeUrl.CLUSTER
        assert (await envoy.ending())[0] is grpc.StatusCode.OK


async def test_streams_are_not_ended_by_age_unless_told_to() -> None:
    assert ServerOptions().stream_max_age_seconds == 0
