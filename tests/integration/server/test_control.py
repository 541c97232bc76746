"""The control service, called as grpcurl calls it: by what reflection tells, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.integration.server.ads import Client
from tests.support.controlled import ACME, IDP, READER, B, Controlled, controlled, plain_channel
from xds.control import OPERATIONS
from xds.operations import move_tenant
from xds.server.control import NAME, WATCHES

SECONDS = 10.0


class Reflected:
    """A client that knows no message but those that the server describes."""

    def __init__(self, channel: grpc.aio.Channel, pool: descriptor_pool.DescriptorPool, token: str) -> None:
        self._channel = channel
        self._service: Any = pool.FindServiceByName(NAME)
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()

    @property
    def methods(self) -> set[str]:
        return {method.name for method in self._service.methods}

    async def call(self, name: str, /, **fields: Any) -> Any:
        """What is answered, as JSON."""
        answer = await self.call_bytes(name, self._encode(name, fields))
        return json_format.MessageToDict(self._kind(name).FromString(answer), preserving_proto_field_name=True)

    async def call_bytes(self, name: str, data: bytes) -> bytes:
        method: Any = self._channel.unary_unary(f"/{NAME}/{name}")
        answer: bytes = await method(data, metadata=self._metadata, timeout=SECONDS)
        return answer

    async def refused(self, name: str, /, **fields: Any) -> tuple[grpc.StatusCode, str]:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await self.call(name, **fields)
        return refused.value.code(), refused.value.details() or ""

    async def watch(self, name: str) -> AsyncIterator[Any]:
        method: Any = self._channel.unary_stream(f"/{NAME}/{name}")
        async for data in method(b"", metadata=self._metadata, timeout=SECONDS):
            yield json_format.MessageToDict(self._kind(name).FromString(data), preserving_proto_field_name=True)

    def _encode(self, name: str, fields: dict[str, Any]) -> bytes:
        kind = message_factory.GetMessageClass(self._service.methods_by_name[name].input_type)
        return json_format.ParseDict(fields, kind()).SerializeToString()

    def _kind(self, name: str) -> Any:
        return message_factory.GetMessageClass(self._service.methods_by_name[name].output_type)


def _pool(address: str) -> tuple[list[str], descriptor_pool.DescriptorPool]:
    with grpc.insecure_channel(address) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        pool = descriptor_pool.DescriptorPool(database)
        pool.FindServiceByName(NAME)
        return list(database.get_services()), pool


@asynccontextmanager
async def reflected(plane: Controlled, token: str = "") -> AsyncIterator[Reflected]:
    _, pool = await asyncio.to_thread(_pool, plane.xds)
    async with plain_channel(plane.xds) as channel:
        yield Reflected(channel, pool, token)


@pytest.fixture
async def client(operated: Controlled) -> AsyncIterator[Reflected]:
    async with reflected(operated, operated.token) as made:
        yield made


async def test_reflection_lists_the_service_and_describes_every_method(operated: Controlled) -> None:
    services, pool = await asyncio.to_thread(_pool, operated.xds)
    assert NAME in services
    described = {method.name for method in pool.FindServiceByName(NAME).methods}
    assert described == {*(each.name for each in OPERATIONS), *WATCHES}


async def test_what_is_answered_is_what_http_answers(operated: Controlled, client: Reflected) -> None:
    told = await client.call("GetCell", cell="cell-a")
    shown = await operated.get("/manage/cells/cell-a")
    assert told["etag"] == shown["etag"]
    assert (told["id"], told["tenants"], told["endpoints"][0]["port"]) == ("cell-a", "1", 8000)
    (resource,) = (await client.call("ListResources", number=1, type="srds", name="acme", content=True))["data"]
    assert resource["content"]["route_configuration_name"] == "cell-a"


async def test_a_tenant_is_moved_if_it_is_as_it_was_seen(client: Reflected) -> None:
    seen = (await client.call("GetTenant", tenant="acme"))["etag"]
    moved = await client.call("MoveTenant", tenant="acme", to="cell-b", etag=seen)
    assert moved == {"tenant": "acme", "was": "cell-a", "now": "cell-b", "changed": True}
    assert await client.refused("MoveTenant", tenant="acme", to="cell-a", etag=seen) == (
        grpc.StatusCode.ABORTED,
        "tenant acme: has changed since you looked: look again",
    )


async def test_who_decided_is_the_tokens_subject(operated: Controlled, client: Reflected) -> None:
    decided = await client.call("Freeze", message="hm", etag="*")
    assert (decided["policy"]["frozen"], decided["policy"]["by"]) == (True, "olga")
    assert decided["etag"] == (await client.call("GetPublishing"))["etag"]


@pytest.mark.parametrize(
    ("method", "fields", "code"),
    [
        ("GetCell", {"cell": "cell-q"}, grpc.StatusCode.NOT_FOUND),
        ("AddCell", {"id": "cell-a"}, grpc.StatusCode.FAILED_PRECONDITION),
        ("AddCell", {"id": "x"}, grpc.StatusCode.INVALID_ARGUMENT),
        ("AddCell", {"id": "cell-q", "endpoints": [{"port": 0}]}, grpc.StatusCode.INVALID_ARGUMENT),
        ("Freeze", {"message": "no etag"}, grpc.StatusCode.INVALID_ARGUMENT),
        ("ListTenants", {"limit": 0}, grpc.StatusCode.INVALID_ARGUMENT),
    ],
)
async def test_each_refusal_has_its_code(
    client: Reflected, method: str, fields: dict[str, Any], code: grpc.StatusCode
) -> None:
    assert (await client.refused(method, **fields))[0] is code


@pytest.mark.parametrize("data", [b"\x0a\xff", b"\xff\xff", b"\x12\x01"])
async def test_bytes_that_are_no_message_do_nothing(operated: Controlled, client: Reflected, data: bytes) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await client.call_bytes("Freeze", data)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == f"{len(data)} bytes that are no DecideRequest"
    assert operated.publisher.status.mode == "auto"


async def test_who_may_only_read_changes_nothing_and_who_has_no_token_sees_nothing(operated: Controlled) -> None:
    async with reflected(operated, READER) as reader:
        assert (await reader.call("GetPublishing"))["policy"]["mode"] == "auto"
        code, text = await reader.refused("Freeze", etag="*")
        assert (code, text) == (grpc.StatusCode.PERMISSION_DENIED, "the token lacks the role to operate")
    async with reflected(operated) as nobody:
        for operation in OPERATIONS:
            assert (await nobody.refused(operation.name))[0] is grpc.StatusCode.UNAUTHENTICATED, operation.name
        for name in WATCHES:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await anext(aiter(nobody.watch(name)))
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_the_fleet_is_told_as_it_is_and_then_as_it_changes(operated: Controlled, client: Reflected) -> None:
    events = aiter(client.watch("WatchFleet"))
    assert await anext(events) == {"complete": True}
    async with plain_channel(operated.xds) as channel:
        envoy = Client(channel, "delta", node_id="edge-7")
        await envoy.open(cluster="alphaswarm-edge")
        await envoy.nack(await envoy.read(), "I do not like it")
        async with asyncio.timeout(SECONDS):
            async for event in events:
                (node,) = event["changed"]
                assert node["id"] == "edge-7"
                if node.get("rejecting"):
                    break
        assert (await client.call("GetNode", node="edge-7"))["data"][0]["types"][0]["error"] == "I do not like it"
        fleet = await client.call("GetFleet")
        assert (fleet["nodes"], fleet["rejecting"], fleet["groups"]) == ("1", "1", {"alphaswarm-edge": "1"})
        assert [each["id"] for each in (await client.call("ListNodes", rejecting=True))["data"]] == ["edge-7"]
        assert await client.call("ListNodes", rejecting=False) == {"complete": True}
        envoy.cancel()
    event = await anext(events)
    assert [node["id"] for node in event["gone"]] == ["edge-7"]


async def test_snapshots_are_told_as_they_come(operated: Controlled, client: Reflected) -> None:
    events = aiter(client.watch("WatchSnapshots"))
    first = await anext(events)
    assert (first["snapshot"]["number"], first["mode"]) == ("1", "auto")
    await move_tenant(operated.registry, ACME, B)
    assert (await anext(events))["snapshot"]["kind"] == "change"
    await client.call("Freeze", etag="*")
    event = await anext(events)
    assert event["mode"] == "frozen"
    assert "snapshot" not in event


async def test_a_watch_does_not_hold_up_the_end(database_url: str, tmp_path: Path) -> None:
    async with controlled(database_url, tmp_path) as plane, reflected(plane) as client:
        events = aiter(client.watch("WatchFleet"))
        await anext(events)
        assert plane.control_service
        plane.control_service.drain()
        async with asyncio.timeout(SECONDS):
            assert [event async for event in events] == []


async def test_a_watch_ends_with_its_token(database_url: str, tmp_path: Path) -> None:
    async with controlled(database_url, tmp_path, http_auth="token", auth_clock_skew_seconds=1) as plane:
        short = IDP.mint("acme", roles=["read"], expires_in=1)
        async with reflected(plane, short) as client, plain_channel(plane.xds) as channel:
            events = aiter(client.watch("WatchFleet"))
            await anext(events)
            await asyncio.sleep(3.2)  # expiry, skew, and whole seconds
            await Client(channel, "delta").open(cluster="alphaswarm-edge")
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await anext(events)
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
            assert refused.value.details() == "the token has expired"
