"""A process of many light clients of the ADS server, each on a connection of its own, driven by the lines it is given.

A client asks for all clusters and listeners, then for each cluster's endpoints, as Envoy does, and acknowledges. The
line `come` has all of them connect at once; `tell` is answered by what they have seen since the last `tell`. At the
end of its input the process ends.
"""

import asyncio
import json
import random
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from time import monotonic
from typing import Any

import grpc

from xds.names import TypeUrl
from xds.proto import discovery_pb2 as pb

METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"
TYPES = (TypeUrl.CLUSTER, TypeUrl.LISTENER, TypeUrl.ENDPOINT)

_OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1))
_BACK_OFF_SECONDS, _LONGEST_BACK_OFF_SECONDS = 0.5, 5.0
"""As in our bootstrap of an Envoy."""


@dataclass(slots=True)
class Seen:
    """What clients have seen since that was asked for last.

    After how many seconds each had its first answer, and then all; when, on the machine's monotonic clock, further
    responses came; how often one was refused; why one lost its stream otherwise; how many bytes came.
    """

    firsts: list[float] = field(default_factory=list)
    wholes: list[float] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)
    refused: int = 0
    lost: list[str] = field(default_factory=list)
    received: int = 0

    def add(self, other: "Seen") -> None:
        """Take what others have seen."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


class Clients:
    """The clients of this process."""

    def __init__(self, server: str, group: str) -> None:
        self.seen = Seen()
        self.group = group
        self._server = server

    def tell(self) -> str:
        """What they have seen, as a line."""
        seen, self.seen = self.seen, Seen()
        return json.dumps(asdict(seen))

    async def run(self, node_id: str, came: float) -> None:
        """One client: come, and whenever the stream ends come again."""
        async with grpc.aio.insecure_channel(self._server, options=_OPTIONS) as channel:
            visit, back_off = _Visit(self, node_id, came), _BACK_OFF_SECONDS
            while True:
                try:
                    await visit.stream(channel.stream_stream(METHOD)())
                except grpc.aio.AioRpcError as error:
                    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                        self.seen.refused += 1
                    else:
                        self.seen.lost.append(f"{error.code().name} {error.details()}")
                await asyncio.sleep(random.uniform(0, back_off))
                back_off = min(2 * back_off, _LONGEST_BACK_OFF_SECONDS)


@dataclass(slots=True)
class _Visit:
    clients: Clients
    node_id: str
    came: float
    types: set[str] = field(default_factory=set)

    async def stream(self, call: Any) -> None:
        node = pb.Node(id=self.node_id, cluster=self.clients.group, user_agent_name="light")
        await _send(call, TypeUrl.CLUSTER, node=node)
        await _send(call, TypeUrl.LISTENER)
        asked = False
        while (data := await call.read()) is not grpc.aio.EOF:
            now = monotonic()
            response = pb.DeltaDiscoveryResponse.FromString(data)
            self._note(response.type_url, len(data), now)
            await _send(call, response.type_url, response_nonce=response.nonce)
            if response.type_url == TypeUrl.CLUSTER and not asked:
                asked = True
                await _send(call, TypeUrl.ENDPOINT, resource_names_subscribe=[each.name for each in response.resources])
        raise grpc.aio.AioRpcError(
            await call.code(), grpc.aio.Metadata(), grpc.aio.Metadata(), details=await call.details()
        )

    def _note(self, type_url: str, size: int, now: float) -> None:
        seen = self.clients.seen
        seen.received += size
        if len(self.types) == len(TYPES):
            seen.arrivals.append(now)
            return
        if not self.types:
            seen.firsts.append(now - self.came)
        self.types.add(type_url)
        if len(self.types) == len(TYPES):
            seen.wholes.append(now - self.came)


async def _send(call: Any, type_url: str, **content: Any) -> None:
    with suppress(asyncio.InvalidStateError):  # it has ended; the next read says how
        await call.write(pb.DeltaDiscoveryRequest(type_url=type_url, **content).SerializeToString())


async def main(server: str, group: str, first: int, count: int) -> None:
    """Do as the lines on standard input say."""
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    clients = Clients(server, group)
    async with asyncio.TaskGroup() as tasks:
        coming: list[asyncio.Task[None]] = []
        while line := (await lines.readline()).decode().strip():
            if line == "come":
                now = monotonic()
                numbers = range(first, first + count)
                coming = [tasks.create_task(clients.run(f"light-{each}", now)) for each in numbers]
            else:
                print(clients.tell(), flush=True)
        for task in coming:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
