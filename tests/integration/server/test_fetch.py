"""Unary fetches: the present snapshot, for one type."""

from typing import Any

import grpc
import pytest

from tests.integration.server.ads import SECONDS, ControlPlane, connection, control_plane
from tests.support.edge import GROUP, cell, tenant
from xds.names import TypeUrl
from xds.proto import discovery_pb2 as pb
from xds.server import ServerOptions
from xds.server.services import SECRET, SERVICES, Service

FETCHED = {
    service.type_url: f"/{service.name}/{method}"
    for service in SERVICES
    for method, kind in service.methods()
    if kind == "fetch"
}


async def fetch(plane: ControlPlane, of: str, **fields: Any) -> pb.DiscoveryResponse:
    request = pb.DiscoveryRequest(**{"node": pb.Node(id="edge-1", cluster=GROUP), **fields})
    return await fetch_bytes(plane, of, request.SerializeToString())


async def fetch_bytes(plane: ControlPlane, of: str, data: bytes) -> pb.DiscoveryResponse:
    async with connection(plane) as channel:
        call: Any = channel.unary_unary(FETCHED[of])
        return pb.DiscoveryResponse.FromString(await call(data, timeout=SECONDS))


@pytest.mark.parametrize("service", SERVICES[1:], ids=lambda each: each.short_name)
async def test_a_fetch_answers_with_the_present_snapshot(plane: ControlPlane, service: Service) -> None:
    type_url = service.type_url or ""
    held = plane.feed.latest(GROUP)
    assert held is not None
    table = list(held.snapshot.tables.get(type_url, ()))
    names = [] if type_url in (TypeUrl.CLUSTER, TypeUrl.LISTENER, TypeUrl.SCOPE) else table

    response = await fetch(plane, type_url, resource_names=names)

    assert response.type_url == type_url
    assert len(response.resources) == len(table)
    assert {each.type_url for each in response.resources} <= {type_url}


async def test_a_fetch_follows_what_is_published(plane: ControlPlane) -> None:
    before = await fetch(plane, TypeUrl.CLUSTER)
    await plane.publish(cell(), cell("cell-b"), tenant())
    after = await fetch(plane, TypeUrl.CLUSTER, version_info=before.version_info, response_nonce=before.nonce)

    assert (len(before.resources), len(after.resources)) == (1, 2)
    assert before.version_info != after.version_info


async def test_a_fetch_is_answered_whole_whatever_the_client_claims_to_hold(plane: ControlPlane) -> None:
    first = await fetch(plane, TypeUrl.CLUSTER)

    assert await fetch(plane, TypeUrl.CLUSTER, version_info=first.version_info) == first


async def test_endpoints_that_do_not_exist_are_said_to_be_none(plane: ControlPlane) -> None:
    response = await fetch(plane, TypeUrl.ENDPOINT, resource_names=["none"])

    (assignment,) = response.resources
    assert assignment.value == b"\n\x04none", "a ClusterLoadAssignment of that name and nothing else"


@pytest.mark.parametrize("type_url", [TypeUrl.ROUTE, SECRET])
async def test_where_there_is_nothing_the_answer_has_no_resources(plane: ControlPlane, type_url: str) -> None:
    response = await fetch(plane, type_url, resource_names=["none"])

    assert (response.type_url, len(response.resources)) == (type_url, 0)


async def test_a_fetch_with_no_names_of_a_type_that_must_be_named_has_no_resources(plane: ControlPlane) -> None:
    response = await fetch(plane, TypeUrl.ENDPOINT)

    assert len(response.resources) == 0
    assert response.version_info


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (b"\xff", grpc.StatusCode.INVALID_ARGUMENT, "1 bytes that are no DiscoveryRequest"),
        (b"", grpc.StatusCode.INVALID_ARGUMENT, "must carry a node with an id"),
        (
            pb.DiscoveryRequest(node=pb.Node(id="a", cluster=GROUP), type_url=SECRET).SerializeToString(),
            grpc.StatusCode.INVALID_ARGUMENT,
            f"this service speaks of {TypeUrl.CLUSTER} only",
        ),
        (
            pb.DiscoveryRequest(node=pb.Node(id="a", cluster="none")).SerializeToString(),
            grpc.StatusCode.FAILED_PRECONDITION,
            "'none' is not configured",
        ),
    ],
)
async def test_a_fetch_that_makes_no_sense_is_refused(
    plane: ControlPlane, data: bytes, code: grpc.StatusCode, words: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await fetch_bytes(plane, TypeUrl.CLUSTER, data)

    assert refused.value.code() is code
    assert words in (refused.value.details() or "")


async def test_a_fetch_before_the_first_snapshot_is_told_to_come_back(empty_plane: ControlPlane) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await fetch(empty_plane, TypeUrl.CLUSTER)

    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_fetches_wait_their_turn_as_streams_do() -> None:
    async with control_plane(server=ServerOptions(streams_per_second=10, stream_burst=1)) as plane:
        assert len((await fetch(plane, TypeUrl.CLUSTER)).resources) == 1
        assert len((await fetch(plane, TypeUrl.CLUSTER)).resources) == 1
    async with control_plane(server=ServerOptions(streams_per_second=0.01, stream_burst=1)) as plane:
        await fetch(plane, TypeUrl.CLUSTER)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await fetch(plane, TypeUrl.CLUSTER)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
