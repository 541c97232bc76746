"""A first full config for many tenants: `python -m tests.bench.first_config`.

Times the server alone (a bare gRPC client that asks for everything, as Envoy does) and a real Envoy, from the
start of its process to its first routed request.
"""

import argparse
import asyncio
import time

import grpc

from xds.demo.client import EdgeClient
from xds.demo.plan import Plan
from xds.demo.stack import Stack
from xds.errors import LocalFailure
from xds.names import TypeUrl
from xds.proto import discovery_pb2 as pb

METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"


async def subscribe_to_all(server: str, group: str) -> tuple[float, int, int]:
    """Seconds, bytes and resources until the first answer of every wildcard type has come."""
    options = [("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(server, options=options) as channel:
        call = channel.stream_stream(METHOD)()
        begun, size, count = time.perf_counter(), 0, 0
        node = pb.Node(id="bench", cluster=group)
        for type_url in (TypeUrl.CLUSTER, TypeUrl.LISTENER, TypeUrl.SCOPE):
            await call.write(pb.DeltaDiscoveryRequest(node=node, type_url=type_url).SerializeToString())
        seen: set[str] = set()
        while len(seen) < 3:
            data = await call.read()
            size += len(data)
            response = pb.DeltaDiscoveryResponse.FromString(data)
            count += len(response.resources)
            seen.add(response.type_url)
        return time.perf_counter() - begun, size, count


async def measure(tenants: int) -> None:
    """Measure and print."""
    begun = time.perf_counter()
    async with Stack(Plan(tenants=tenants)) as stack:
        print(f"everything up, {tenants} tenants seeded: {time.perf_counter() - begun:.1f} s")
        for turn in ("first", "second"):
            seconds, size, count = await subscribe_to_all(stack.control_plane.server, "edge-a")
            print(f"server, {turn} client: {count} resources, {size / 1e6:.2f} MB in {seconds * 1000:.0f} ms")
        envoy, token = stack.envoys["edge-a"], stack.idp.mint("acme")
        await envoy.stop()
        begun = time.perf_counter()
        envoy.child.start()
        async with EdgeClient(stack.ports.edges["edge-a"]) as client:
            while not await _is_routed(client, token):  # noqa: ASYNC110 -- another process has no event for us
                await asyncio.sleep(0.005)
        print(f"Envoy: process started → first routed request: {(time.perf_counter() - begun) * 1000:.0f} ms")


async def _is_routed(client: EdgeClient, token: str) -> bool:
    try:
        return (await client.get("/api/x", token=token)).status == 200
    except LocalFailure:
        return False


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=10_000)
    asyncio.run(measure(parser.parse_args().tenants))


if __name__ == "__main__":
    main()
