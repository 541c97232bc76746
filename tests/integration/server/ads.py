"""A control plane of a feed and an ADS server on a free port, and raw clients of it.

A client speaks bytes, so that it can say what a real Envoy never would. Every wait has an end.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal, cast

import grpc

from tests.support.edge import GROUP, cell, edge_options, many_tenants, tenant, topology
from xds.model import Cell, Tenant, Topology
from xds.names import TypeUrl
from xds.proto import discovery_pb2 as pb
from xds.publish import Feed
from xds.server import AdsServer, Fleet, ServerOptions, Surroundings, Tls
from xds.session import Limits
from xds.settingvalues import Address
from xds.snapshot import Frames
from xds.telemetry import Metrics
from xds.translate import EdgeOptions, translate

SECONDS = 10.0
"""How long anything that is to happen is waited for."""

Variant = Literal["delta", "sotw"]
VARIANTS: tuple[Variant, ...] = ("delta", "sotw")

REQUESTS: Mapping[str, type[pb.DeltaDiscoveryRequest | pb.DiscoveryRequest]] = {
    "delta": pb.DeltaDiscoveryRequest,
    "sotw": pb.DiscoveryRequest,
}
RESPONSES: Mapping[str, type[pb.DeltaDiscoveryResponse | pb.DiscoveryResponse]] = {
    "delta": pb.DeltaDiscoveryResponse,
    "sotw": pb.DiscoveryResponse,
}
METHODS = {"delta": "DeltaAggregatedResources", "sotw": "StreamAggregatedResources"}
SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"


class ControlPlane:
    """What is served, and the server."""

    def __init__(
        self,
        options: EdgeOptions | None = None,
        *,
        listen: int = 0,
        first_request_seconds: float = 30.0,
        write_seconds: float = 30.0,
        server: ServerOptions | None = None,
        tls: Tls | None = None,
    ) -> None:
        self.options = options or edge_options()
        self.feed = Feed()
        self.fleet = Fleet()
        self.metrics = Metrics()
        self.around = Surroundings(
            feed=self.feed,
            fleet=self.fleet,
            metrics=self.metrics,
            limits=Limits(),
            frames=Frames(),
            first_request_seconds=first_request_seconds,
            write_seconds=write_seconds,
            tls=tls,
        )
        self.server = AdsServer(Address("127.0.0.1", listen), self.around, server)
        self.address = ""
        self._snapshots = 0

    async def publish(self, *things: Cell | Tenant) -> None:
        """Publish a topology of these."""
        await self.publish_topology(topology(*things))

    async def publish_topology(self, of: Topology) -> None:
        """Publish a topology."""
        self._snapshots += 1
        await self.feed.publish(translate(of, self.options).snapshots(self._snapshots))

    def metric(self, name: str, **labels: str) -> float:
        """A metric's value; 0 if it was never touched."""
        return self.metrics._registry.get_sample_value(f"alphaswarm_xds_{name}", labels) or 0.0

    @property
    def streams(self) -> int:
        """How many streams the server holds, whether or not their client said who it is."""
        return len(self.server._streams)


@asynccontextmanager
async def control_plane(
    *things: Cell | Tenant,
    published: bool = True,
    options: EdgeOptions | None = None,
    first_request_seconds: float = 30.0,
    write_seconds: float = 30.0,
    server: ServerOptions | None = None,
    tls: Tls | None = None,
) -> AsyncIterator[ControlPlane]:
    """A served control plane, with that topology, or one cell and one tenant, published."""
    plane = ControlPlane(
        options, first_request_seconds=first_request_seconds, write_seconds=write_seconds, server=server, tls=tls
    )
    if published:
        await plane.publish(*(things or (cell(), tenant())))
    plane.address = str(await plane.server.start())
    try:
        yield plane
    finally:
        await plane.server.stop(0)


class Client:
    """One stream of one variant, from its client's side."""

    def __init__(self, channel: grpc.aio.Channel, variant: Variant, *, node_id: str = "edge-1", path: str = "") -> None:
        self.variant = variant
        self.node_id = node_id
        self.call: Any = channel.stream_stream(path or f"/{SERVICE}/{METHODS[variant]}")()

    async def send(self, type_url: str = TypeUrl.CLUSTER, **fields: Any) -> None:
        """Send a request; its fields are the message's own."""
        await self.send_bytes(REQUESTS[self.variant](type_url=type_url, **fields).SerializeToString())

    async def send_bytes(self, data: bytes) -> None:
        """Send whatever bytes."""
        async with asyncio.timeout(SECONDS):
            await self.call.write(data)

    async def open(self, type_url: str = TypeUrl.CLUSTER, *, cluster: str = GROUP, **fields: Any) -> None:
        """Send a first request, with the node."""
        await self.send(type_url, node=pb.Node(id=self.node_id, cluster=cluster), **fields)

    async def read(self) -> Any:
        """The next response; fails if the stream ends instead."""
        data = await self.read_bytes()
        assert data is not grpc.aio.EOF, f"the stream ended: {await self.ending()}"
        return RESPONSES[self.variant].FromString(cast(bytes, data))

    async def read_bytes(self) -> object:
        """The next response's bytes, or EOF, whatever the status."""
        async with asyncio.timeout(SECONDS):
            try:
                return cast(object, await self.call.read())
            except grpc.aio.AioRpcError:
                return grpc.aio.EOF

    async def ack(self, response: Any) -> None:
        """Acknowledge a response."""
        held = {} if self.variant == "delta" else {"version_info": response.version_info}
        await self.send(response.type_url, response_nonce=response.nonce, **held)

    async def nack(self, response: Any, message: str) -> None:
        """Reject a response."""
        detail = pb.ErrorDetail(code=13, message=message)
        await self.send(response.type_url, response_nonce=response.nonce, error_detail=detail)

    async def next_is_only(self, type_url: str) -> Any:
        """Ask for a type that was not asked for yet; its answer is the next thing said, so nothing was before it.

        So a test knows that nothing is sent without waiting for time to pass.
        """
        await self.send(type_url)
        response = await self.read()
        assert response.type_url == type_url, f"unasked: {response.type_url}"
        return response

    async def ending(self) -> tuple[grpc.StatusCode, str]:
        """How the stream ended, once it has."""
        while await self.read_bytes() is not grpc.aio.EOF:
            pass  # the status comes after all that was sent
        async with asyncio.timeout(SECONDS):
            return await self.call.code(), await self.call.details()

    async def close(self) -> None:
        """Say that no request will follow."""
        async with asyncio.timeout(SECONDS):
            await self.call.done_writing()

    def cancel(self) -> None:
        """Cut the stream."""
        self.call.cancel()


@asynccontextmanager
async def client(
    plane: ControlPlane, variant: Variant, *, node_id: str = "edge-1", path: str = ""
) -> AsyncIterator[Client]:
    """A stream on a connection of its own, gone in the end."""
    async with connection(plane) as channel:
        stream = Client(channel, variant, node_id=node_id, path=path)
        yield stream
        stream.cancel()


@asynccontextmanager
async def connection(plane: ControlPlane, *options: tuple[str, int]) -> AsyncIterator[grpc.aio.Channel]:
    """A connection that shares nothing with any other."""
    apart = ("grpc.use_local_subchannel_pool", 1)
    async with grpc.aio.insecure_channel(plane.address, options=(apart, *options)) as channel:
        yield channel


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is so."""
    for _ in range(round(SECONDS / 0.005)):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"in {SECONDS} s it did not come about that {what}")


def names(response: Any) -> list[str]:
    """The names of the resources in a delta response."""
    return sorted(each.name for each in response.resources)


def heavy(count: int = 20_000) -> tuple[Cell | Tenant, ...]:
    """A topology whose scopes are some megabytes, more than any connection holds in its buffers."""
    return (cell(), *many_tenants(count))
