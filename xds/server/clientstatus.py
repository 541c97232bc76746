"""CSDS, the client status service: what each connected client was sent, and what became of it.

One config a stream, so that a client that uses one service a type has one for each. Knows how much may be told
at once; must not know what is told of a client.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from xds.proto import status_pb2
from xds.server.clientconfig import tell_node, tell_resources
from xds.server.fleet import Fleet, StreamRecord
from xds.server.matching import Match, Unmatchable, Unsupported, to_match
from xds.snapshot import field

NAME = status_pb2.DESCRIPTOR.services_by_name["ClientStatusDiscoveryService"].full_name

_SLICE = 200
"""Resources told before the event loop gets a turn: about a millisecond."""

_LONGEST = 64 << 20
"""Bytes of an answer. It is one message, and all of it is in memory."""

_ENDED = {
    Unmatchable: grpc.StatusCode.INVALID_ARGUMENT,
    Unsupported: grpc.StatusCode.UNIMPLEMENTED,
    OverflowError: grpc.StatusCode.RESOURCE_EXHAUSTED,
}


class ClientStatus:
    """Answers requests for the status of clients."""

    def __init__(self, fleet: Fleet, longest: int = _LONGEST) -> None:
        self._fleet = fleet
        self._longest = longest
        self._turn = asyncio.Semaphore()

    def handlers(self) -> Any:  # noqa: ANN401 -- grpc has no types
        """The service, for a gRPC server; bytes in, bytes out."""
        methods = {
            "StreamClientStatus": grpc.stream_stream_rpc_method_handler(self._stream),
            "FetchClientStatus": grpc.unary_unary_rpc_method_handler(self._fetch),
        }
        return grpc.method_handlers_generic_handler(NAME, methods)

    async def _stream(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:  # noqa: ANN401
        async for data in requests:
            yield await self._fetch(data, context)

    async def _fetch(self, data: bytes, context: Any) -> bytes:  # noqa: ANN401
        try:
            return await self.answer(data)
        except tuple(_ENDED) as error:
            await context.abort(_ENDED[type(error)], str(error))
            raise  # never reached: an abort raises

    async def answer(self, data: bytes) -> bytes:
        """A ClientStatusResponse; raises `Unmatchable`, `Unsupported`, or OverflowError where it gets too long."""
        try:
            request = status_pb2.ClientStatusRequest.FromString(data)
        except DecodeError as error:
            raise Unmatchable(f"{len(data)} bytes that are no ClientStatusRequest") from error
        is_match = to_match(request.node_matchers)
        async with self._turn:  # one at a time: each may take that much memory
            return await self._told(is_match, with_content=not request.exclude_resource_contents)

    async def _told(self, is_match: Match, *, with_content: bool) -> bytes:
        room = self._longest
        configs: list[bytes] = []
        for record in self._fleet.records():
            if is_match(record.node.id):
                config = await _config(record, room, with_content=with_content)
                room -= len(config)
                configs.append(field(1, config))
            await asyncio.sleep(0)
        return b"".join(configs)


async def _config(record: StreamRecord, room: int, *, with_content: bool) -> bytes:
    """A ClientConfig, in slices of time."""
    parts = [field(1, tell_node(record.node).SerializeToString())]
    for count, part in enumerate(tell_resources(record, with_content=with_content), start=1):
        parts.append(field(3, part))
        room -= len(parts[-1])
        if room < 0:
            raise OverflowError("the answer gets too long: name fewer nodes, or set exclude_resource_contents")
        if count % _SLICE == 0:
            await asyncio.sleep(0)
    return b"".join(parts)
