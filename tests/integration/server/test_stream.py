"""One stream: who may open it, what ends it, and that its end leaves nothing behind."""

import asyncio
import gc
import itertools
from contextlib import AsyncExitStack
from dataclasses import replace

import grpc
import psutil
import pytest

from tests.integration.server.ads import (
    METHODS,
    SECONDS,
    SERVICE,
    VARIANTS,
    Client,
    ControlPlane,
    Variant,
    client,
    connection,
    control_plane,
    heavy,
    names,
    until,
)
from tests.support.edge import GROUP, SHARED, cell, edge_options, endpoint, many_tenants, tenant, topology
from xds.names import NodeGroup, Revision, TypeUrl
from xds.proto import discovery_pb2 as pb
from xds.publish import Rollout, Waves
from xds.publish.lanes import with_lanes
from xds.translate import TenantOptions, translate

NOT_READING = (("grpc.http2.lookahead_bytes", 1024), ("grpc.http2.bdp_probe", 0))
"""Has a client's connection take no more than it reads."""

INVALID = grpc.StatusCode.INVALID_ARGUMENT


def handlers() -> int:
    """How many handlers grpc runs; each stream has one, for as long as it costs anything."""
    coroutines = (task.get_coro() for task in asyncio.all_tasks())
    return sum(getattr(each, "__qualname__", "").startswith(("_handle", "_schedule_rpc")) for each in coroutines)


async def is_gone(plane: ControlPlane, before: int = 0) -> None:
    """Wait until no stream is left, in the fleet, the server, the feed, the metrics or grpc."""
    await until(lambda: plane.streams == 0 and handlers() <= before, "every handler has ended")
    assert plane.fleet.nodes() == ()
    assert not any(plane.feed._wakes.values())
    assert plane.metric("streams", variant="delta") == plane.metric("streams", variant="sotw") == 0


# Who the client is


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("node", [None, pb.Node(), pb.Node(cluster=GROUP)])
async def test_a_first_request_without_a_node_id_is_refused(
    plane: ControlPlane, variant: Variant, node: pb.Node | None
) -> None:
    async with client(plane, variant) as envoy:
        await envoy.send(TypeUrl.CLUSTER, node=node)

        assert await envoy.ending() == (INVALID, "the first request of a stream must carry a node with an id")
    await is_gone(plane)
    assert plane.metric("streams_ended_total", reason="refused") == 1


@pytest.mark.parametrize("variant", VARIANTS)
async def test_another_node_on_the_same_stream_is_refused(plane: ControlPlane, variant: Variant) -> None:
    async with client(plane, variant) as envoy:
        await envoy.open()
        await envoy.read()
        await envoy.send(TypeUrl.LISTENER, node=pb.Node(id="edge-2", cluster=GROUP))

        assert await envoy.ending() == (INVALID, "node is 'edge-1' on this stream, a later request says 'edge-2'")
    await is_gone(plane)


@pytest.mark.parametrize("variant", VARIANTS)
async def test_the_same_node_may_say_so_again(plane: ControlPlane, variant: Variant) -> None:
    async with client(plane, variant) as envoy:
        await envoy.open()
        await envoy.read()
        await envoy.open(TypeUrl.LISTENER)

        assert (await envoy.read()).type_url == TypeUrl.LISTENER


@pytest.mark.parametrize("variant", VARIANTS)
async def test_an_unknown_node_group_is_told_those_that_are_known(variant: Variant) -> None:
    options = edge_options(listeners={GROUP: ("127.0.0.1", 1), NodeGroup("canary"): ("127.0.0.1", 2)})
    async with control_plane(options=options) as plane, client(plane, variant) as envoy:
        await envoy.open(cluster="other")

        code, text = await envoy.ending()
        assert code is grpc.StatusCode.FAILED_PRECONDITION
        assert "'other' is not configured; configured: alphaswarm-edge, canary" in text


@pytest.mark.parametrize("variant", VARIANTS)
async def test_before_the_first_snapshot_a_client_is_told_to_come_back(
    empty_plane: ControlPlane, variant: Variant
) -> None:
    async with client(empty_plane, variant) as envoy:
        await envoy.open()
        assert await envoy.ending() == (grpc.StatusCode.UNAVAILABLE, "no snapshot is published yet")

    await empty_plane.publish(cell())
    async with client(empty_plane, variant) as envoy:
        await envoy.open()
        assert len((await envoy.read()).resources) == 1


# What is said


@pytest.mark.parametrize("variant", VARIANTS)
async def test_a_request_without_a_type_is_refused(plane: ControlPlane, variant: Variant) -> None:
    async with client(plane, variant) as envoy:
        await envoy.open("")

        assert await envoy.ending() == (INVALID, "a request on an aggregated stream must carry a type_url")
    await is_gone(plane)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("is_first", [True, False])
async def test_garbage_is_refused_in_plain_words(plane: ControlPlane, variant: Variant, is_first: bool) -> None:
    async with client(plane, variant) as envoy:
        if not is_first:
            await envoy.open()
            await envoy.read()
        await envoy.send_bytes(b"\xffnothing")

        kind = "DeltaDiscoveryRequest" if variant == "delta" else "DiscoveryRequest"
        assert await envoy.ending() == (INVALID, f"8 bytes that are no {kind}")
    await is_gone(plane)


@pytest.mark.parametrize("variant", VARIANTS)
async def test_an_old_nonce_acknowledges_nothing(plane: ControlPlane, variant: Variant) -> None:
    async with client(plane, variant) as envoy:
        await envoy.open()
        first = await envoy.read()
        await envoy.ack(first)
        await plane.publish(cell(), cell("cell-b"), tenant())
        second = await envoy.read()
        await envoy.ack(first)
        await plane.publish(cell(), cell("cell-b"), cell("cell-c"), tenant())
        # The second is still in flight, so nothing more of its type may be said.
        await envoy.next_is_only(TypeUrl.LISTENER)
        (clusters,) = (each for each in plane.fleet.nodes()[0].types if each.label == "cds")
        assert (clusters.sent, clusters.acked) == (2, 1)

        await envoy.ack(second)
        third = await envoy.read()
        assert "cell-c-api" in third.SerializeToString().decode(errors="replace")


async def test_a_slow_reader_skips_to_the_newest(plane: ControlPlane) -> None:
    async with client(plane, "delta") as envoy:
        await envoy.open()
        first = await envoy.read()
        for number in range(20):
            await plane.publish(cell(), cell(f"cell-{number}"), tenant())
        await envoy.ack(first)
        second = await envoy.read()
        await envoy.ack(second)

        assert names(second) == ["cell-19-api"]
        await envoy.next_is_only(TypeUrl.LISTENER)


# Ends


@pytest.mark.parametrize("variant", VARIANTS)
async def test_a_client_that_closes_is_let_go_with_ok(plane: ControlPlane, variant: Variant) -> None:
    async with client(plane, variant) as envoy:
        await envoy.open()
        await envoy.read()
        await envoy.close()

        assert (await envoy.ending())[0] is grpc.StatusCode.OK
    await is_gone(plane)
    assert plane.metric("streams_ended_total", reason="closed") == 1


@pytest.mark.parametrize("variant", VARIANTS)
async def test_a_client_that_says_nothing_is_let_go(variant: Variant) -> None:
    async with control_plane(first_request_seconds=0.05) as plane, client(plane, variant) as envoy:
        await envoy.call.wait_for_connection()

        assert await envoy.ending() == (grpc.StatusCode.DEADLINE_EXCEEDED, "no request came on the stream")
        await is_gone(plane)


async def test_a_stream_that_is_cut_at_any_moment_leaves_nothing(grpc_complaints: pytest.LogCaptureFixture) -> None:
    async with control_plane(*heavy()) as plane:
        for how, variant in itertools.product(range(12), VARIANTS):
            # A connection that takes little at once: most are cut in the middle of a response.
            async with connection(plane, *NOT_READING) as channel:
                envoy = Client(channel, variant)
                if how % 4 > 0:
                    await envoy.open(TypeUrl.SCOPE)
                if how % 4 > 1:
                    await until(lambda: plane.fleet.nodes() != (), "the stream is open")
                if how % 4 > 2:
                    await envoy.read()
                if how < 6:
                    envoy.cancel()
        await is_gone(plane)

        assert plane.metric("streams_ended_total", reason="failed") == 0
    assert grpc_complaints.records == []


async def test_two_hundred_cut_streams_cost_no_memory(grpc_complaints: pytest.LogCaptureFixture) -> None:
    process = psutil.Process()

    async def cut(plane: ControlPlane, times: int) -> None:
        for number in range(times):
            async with connection(plane) as channel:
                envoy = Client(channel, VARIANTS[number % 2])
                await envoy.open(TypeUrl.SCOPE)
                await until(lambda: plane.fleet.nodes() != (), "the stream is open")
        await is_gone(plane)
        gc.collect()

    async with control_plane(*heavy(2_000)) as plane:
        await cut(plane, 50)
        before = process.memory_info().rss
        await cut(plane, 200)
        grown = process.memory_info().rss - before

    # A response is 240 KB here: 48 MB if each were kept.
    assert grown < 16 << 20, f"{grown >> 20} MB more after 200 streams"
    assert grpc_complaints.records == []


@pytest.mark.parametrize("variant", VARIANTS)
async def test_a_client_that_does_not_read_is_given_up_while_others_go_on(
    variant: Variant, grpc_complaints: pytest.LogCaptureFixture
) -> None:
    async with control_plane(*heavy(), write_seconds=0.2) as plane, connection(plane, *NOT_READING) as channel:
        stuck = Client(channel, variant, node_id="stuck")
        await stuck.open(TypeUrl.SCOPE)
        async with client(plane, variant) as envoy:
            await envoy.open()
            await envoy.ack(await envoy.read())
            await until(lambda: [node.node_id for node in plane.fleet.nodes()] == ["edge-1"], "the other is given up")

            await plane.publish(cell(), cell("cell-b"), tenant())
            assert (await envoy.read()).type_url == TypeUrl.CLUSTER
        assert plane.metric("streams_ended_total", reason="failed") == 1

        # As soon as it reads, it is told: what was on its way, then the end.
        await stuck.read_bytes()
        assert await stuck.read_bytes() is grpc.aio.EOF
        assert await stuck.ending() == (
            grpc.StatusCode.DEADLINE_EXCEEDED,
            "the client took too long to read a response",
        )
        await is_gone(plane)
    assert grpc_complaints.records == []


async def test_a_failure_of_ours_ends_one_stream_and_leaves_nothing(plane: ControlPlane) -> None:
    class Broken(dict[str, object]):
        def get(self, *_: object) -> object:
            raise RuntimeError("on purpose")

    snapshot = plane.feed.latest(GROUP)
    assert snapshot is not None
    async with client(plane, "delta") as fine, client(plane, "sotw") as failing:
        await fine.open()
        await fine.ack(await fine.read())
        object.__setattr__(snapshot.snapshot, "tables", Broken())
        await failing.open()
        assert (await failing.ending())[0] is grpc.StatusCode.UNKNOWN

        await plane.publish(cell(), cell("cell-b"), tenant())
        assert names(await fine.read()) == ["cell-b-api"]
    await is_gone(plane)
    assert plane.metric("streams_ended_total", reason="failed") == 1


async def test_three_hundred_streams_are_all_sent_one_push(plane: ControlPlane) -> None:
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(connection(plane)) for _ in range(6)]
        envoys = [Client(channels[number % 6], VARIANTS[number % 2], node_id=f"edge-{number}") for number in range(300)]

        async def begin(envoy: Client) -> None:
            await envoy.open()
            await envoy.ack(await envoy.read())

        async with asyncio.timeout(6 * SECONDS), asyncio.TaskGroup() as tasks:
            for envoy in envoys:
                tasks.create_task(begin(envoy))
        assert len(plane.fleet.nodes()) == 300

        await plane.publish(cell(), cell("cell-new", endpoints=(endpoint(),)), tenant())
        async with asyncio.timeout(6 * SECONDS), asyncio.TaskGroup() as tasks:
            pushed = [tasks.create_task(envoy.read()) for envoy in envoys]
        assert all(b"cell-new-api" in task.result().SerializeToString() for task in pushed)
        assert {len(task.result().resources) for task in pushed} == {1, 2}
        for envoy in envoys:
            envoy.cancel()
        await is_gone(plane)


async def test_a_snapshot_published_while_a_stream_opens_is_not_missed(plane: ControlPlane) -> None:
    # A publish at every step of the opening, so that one falls between any two of them.
    async with client(plane, "delta") as envoy:
        opening = envoy.open(TypeUrl.SCOPE)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(opening)
            for number in range(30):
                await plane.publish(cell(), *many_tenants(number))
                await asyncio.sleep(0)
        held: set[str] = set()
        async with asyncio.timeout(SECONDS):
            while "tenant-000028" not in held:
                response = await envoy.read()
                held |= set(names(response))
                await envoy.ack(response)

    assert f"-/{SHARED}" in held


# Two structures side by side


@pytest.mark.parametrize("variant", VARIANTS)
async def test_a_node_of_a_wave_is_sent_what_differs_in_the_new_structure_and_goes_back_when_it_is_stopped(
    plane: ControlPlane, variant: Variant
) -> None:
    things = topology(cell(), tenant())
    hiding = replace(plane.options, tenants=TenantOptions(hides_suspended=True))
    both = with_lanes(translate(things, plane.options).content, translate(things, hiding).content)
    await plane.feed.publish(both.snapshots(1, Revision(1)))
    running = Rollout(id=1, structure="", waves=Waves("node=canary"), soak_seconds=0).started(0.0, by="")
    async with client(plane, variant, node_id="canary") as canary, client(plane, variant, node_id="edge-1") as other:
        wanted = {"resource_names_subscribe" if variant == "delta" else "resource_names": [f"{SHARED}-api"]}
        held = {}
        for envoy in (canary, other):
            await envoy.open(TypeUrl.CLUSTER)
            await envoy.ack(await envoy.read())
            await envoy.send(TypeUrl.LISTENER)
            held[envoy.node_id] = await envoy.read()
            await envoy.ack(held[envoy.node_id])

        await plane.feed.steer(running)
        given = await canary.read()
        assert given.type_url == TypeUrl.LISTENER
        assert given.resources != held["canary"].resources
        await canary.ack(given)
        await canary.next_is_only(TypeUrl.SCOPE)  # the clusters are the same in both, and not sent again
        await other.next_is_only(TypeUrl.SCOPE)  # whose wave has not begun
        lanes = {each.node.id: each.lane for each in plane.fleet.records()}
        assert lanes == {"canary": f"{GROUP}~next", "edge-1": GROUP}

        await plane.feed.steer(running.stopped("no"))
        back = await canary.read()
        assert (back.type_url, list(back.resources)) == (TypeUrl.LISTENER, list(held["canary"].resources))
        await other.send(TypeUrl.ENDPOINT, **wanted)
        assert (await other.read()).type_url == TypeUrl.ENDPOINT, "and nothing before it"
        assert {each.lane for each in plane.fleet.records()} == {GROUP}


def test_the_methods_are_those_that_envoy_calls() -> None:
    service = pb.DESCRIPTOR.services_by_name["AggregatedDiscoveryService"]

    assert service.full_name == SERVICE
    assert {method.name for method in service.methods} == set(METHODS.values())
