"""Who is told of, and how much at once; read by Envoy's own messages, as envoy-data-plane has them."""

import asyncio
import time
from typing import Any

import grpc
import pytest
from envoy_data_plane.envoy.service.status.v3 import (
    ClientStatusRequest,
    ClientStatusResponse,
)
from envoy_data_plane.envoy.type.matcher.v3 import NodeMatcher, RegexMatcher, StringMatcher, StructMatcher

from tests.integration.server.ads import (
    SECONDS,
    ControlPlane,
    client,
    connection,
    control_plane,
    heavy,
)
from tests.integration.server.csds import API, fetch, fetch_bytes, open_and_accept
from tests.support.edge import GROUP, cell, many_tenants
from xds.names import TypeUrl
from xds.proto import status_pb2
from xds.server.clientstatus import NAME, ClientStatus

# Who is told of


async def test_each_stream_is_told_of_by_node_id_with_its_node(plane: ControlPlane) -> None:
    async with client(plane, "delta", node_id="b") as second, client(plane, "sotw", node_id="a") as first:
        for envoy in (second, first):
            await open_and_accept(envoy)
        configs = (await fetch(plane)).config

    nodes = [config.node for config in configs if config.node]
    assert [(node.id, node.cluster) for node in nodes] == [("a", GROUP), ("b", GROUP)]


async def test_with_no_client_the_answer_is_empty(plane: ControlPlane) -> None:
    assert (await fetch(plane)).config == []


@pytest.mark.parametrize(
    ("matchers", "taken"),
    [
        ([StringMatcher(exact="edge-1")], ["edge-1"]),
        ([StringMatcher(prefix="EDGE-", ignore_case=True)], ["edge-1", "edge-2"]),
        ([StringMatcher(suffix="-2")], ["edge-2"]),
        ([StringMatcher(contains="the")], ["other"]),
        ([StringMatcher(safe_regex=RegexMatcher(regex="edge-[0-9]|o.*"))], ["edge-1", "edge-2", "other"]),
        ([StringMatcher(exact="edge-2"), StringMatcher(exact="other")], ["edge-2", "other"]),
        ([StringMatcher(exact="nobody")], []),
    ],
)
async def test_matchers_choose_the_nodes(plane: ControlPlane, matchers: list[StringMatcher], taken: list[str]) -> None:
    request = ClientStatusRequest(node_matchers=[NodeMatcher(node_id=each) for each in matchers])
    async with (
        client(plane, "delta", node_id="edge-1") as one,
        client(plane, "delta", node_id="edge-2") as two,
        client(plane, "sotw", node_id="other") as other,
    ):
        for envoy in (one, two, other):
            await open_and_accept(envoy)
        configs = (await fetch(plane, request)).config

    assert [config.node.id for config in configs if config.node] == taken


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"\xff", grpc.StatusCode.INVALID_ARGUMENT, "1 bytes that are no ClientStatusRequest"),
        (
            bytes(
                ClientStatusRequest(
                    node_matchers=[NodeMatcher(node_id=StringMatcher(safe_regex=RegexMatcher(regex="(")))]
                )
            ),
            grpc.StatusCode.INVALID_ARGUMENT,
            "safe_regex '(' is no regular expression",
        ),
        (
            bytes(ClientStatusRequest(node_matchers=[NodeMatcher(node_metadatas=[StructMatcher()])])),
            grpc.StatusCode.UNIMPLEMENTED,
            "node_metadatas: nodes can be matched by their id only, their metadata is not kept",
        ),
    ],
)
async def test_a_request_that_makes_no_sense_is_refused_in_plain_words(
    plane: ControlPlane, data: bytes, code: grpc.StatusCode, words: str, grpc_complaints: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await fetch_bytes(plane, data)

    assert refused.value.code() is code
    assert words in (refused.value.details() or "")
    assert grpc_complaints.records == []


# How it is told


async def test_contents_are_left_out_on_request(plane: ControlPlane) -> None:
    async with client(plane, "delta") as envoy:
        await open_and_accept(envoy)
        (config,) = (await fetch(plane, ClientStatusRequest(exclude_resource_contents=True))).config

    (told,) = config.generic_xds_configs
    assert (told.name, told.xds_config) == (API, None)
    assert told.version_info


async def test_a_stream_answers_each_request(plane: ControlPlane, grpc_complaints: pytest.LogCaptureFixture) -> None:
    async with client(plane, "delta") as envoy, connection(plane) as channel:
        call: Any = channel.stream_stream(f"/{NAME}/StreamClientStatus")(timeout=SECONDS)
        await call.write(b"")
        before = ClientStatusResponse.parse(await call.read())
        await open_and_accept(envoy)
        await call.write(b"")
        after = ClientStatusResponse.parse(await call.read())
        await call.done_writing()

        assert (len(before.config), len(after.config)) == (0, 1)
        assert await call.read() is grpc.aio.EOF
        assert await call.code() is grpc.StatusCode.OK
    assert grpc_complaints.records == []


async def test_a_stream_ends_with_what_was_wrong(
    plane: ControlPlane, grpc_complaints: pytest.LogCaptureFixture
) -> None:
    async with connection(plane) as channel:
        call: Any = channel.stream_stream(f"/{NAME}/StreamClientStatus")(timeout=SECONDS)
        await call.write(b"\xff")
        with pytest.raises(grpc.aio.AioRpcError):
            await call.read()

        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert grpc_complaints.records == []


async def test_thousands_of_scopes_do_not_stop_the_event_loop() -> None:
    async with control_plane(*heavy()) as plane, client(plane, "delta") as envoy:
        await envoy.open(TypeUrl.SCOPE)
        response = await envoy.read()
        await envoy.ack(response)
        longest, over = 0.0, asyncio.Event()

        async def watch() -> None:
            nonlocal longest
            while not over.is_set():
                at = time.thread_time()  # what else runs on the machine is not ours
                await asyncio.sleep(0)
                longest = max(longest, time.thread_time() - at)

        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch())
            data = await ClientStatus(plane.fleet).answer(
                status_pb2.ClientStatusRequest(exclude_resource_contents=True).SerializeToString()
            )
            over.set()
            await watching

    (config,) = status_pb2.ClientStatusResponse.FromString(data).config
    assert len(config.generic_xds_configs) > 20_000
    assert longest < 0.25, f"the loop stood still for {longest:.3f} s"


async def test_an_answer_that_gets_too_long_is_refused_with_the_way_out() -> None:
    async with control_plane(cell(), *many_tenants(200)) as plane, client(plane, "sotw") as envoy:
        await envoy.open(TypeUrl.SCOPE)
        await envoy.ack(await envoy.read())

        with pytest.raises(OverflowError, match="name fewer nodes, or set exclude_resource_contents"):
            await ClientStatus(plane.fleet, longest=10_000).answer(b"")


async def test_streams_may_come_and_go_while_they_are_told_of(plane: ControlPlane) -> None:
    status = ClientStatus(plane.fleet)
    async with client(plane, "delta", node_id="stays") as stays:
        await open_and_accept(stays)
        for number in range(5):
            async with client(plane, "delta", node_id=f"goes-{number}") as goes, asyncio.TaskGroup() as tasks:
                await open_and_accept(goes)
                told = tasks.create_task(status.answer(b""))
                goes.cancel()
            ids = [each.node.id for each in status_pb2.ClientStatusResponse.FromString(told.result()).config]
            assert "stays" in ids


async def test_a_stop_does_not_wait_for_whoever_watches(grpc_complaints: pytest.LogCaptureFixture) -> None:
    async with control_plane() as plane, connection(plane) as channel:
        call: Any = channel.stream_stream(f"/{NAME}/StreamClientStatus")(timeout=SECONDS)
        await call.write(b"")
        await call.read()

        async with asyncio.timeout(SECONDS):
            await plane.server.stop(0)
    assert grpc_complaints.records == []
