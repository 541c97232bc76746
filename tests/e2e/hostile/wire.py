"""Requests as an attacker would send them: over HTTP/1.1, HTTP/2 and websockets over either, byte by byte.

No client that checks what it sends stands in between. Each request has a connection of its own. Knows nothing about
what the answer should be.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    InformationalResponseReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import H2Error

from tests.e2e.hostile.upstreams import Headers

NO_ANSWER = 0
"""The status of a request whose connection or stream was ended instead."""

_SECONDS = 10.0
_LINGER_SECONDS = 0.1
_ENOUGH = 2**20


class Protocol(StrEnum):
    """How a request is sent."""

    HTTP1 = "http1"
    HTTP2 = "http2"
    WEBSOCKET = "websocket"
    WEBSOCKET2 = "websocket over http2"

    @property
    def is_websocket(self) -> bool:
        """Whether it asks for one, by an upgrade or by extended CONNECT (RFC 8441)."""
        return self in (Protocol.WEBSOCKET, Protocol.WEBSOCKET2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to send. `{root}` in the path is /api, and /ws for a websocket.

    `raw` is sent as it is over HTTP/1.1 instead of the rest.
    """

    path: str = "{root}/x"
    method: str = "GET"
    authority: str = "edge.example"
    headers: Headers = ()
    body: bytes = b""
    trailers: Headers = ()
    connection: str = ""
    """The header `Connection`; a websocket's has `Upgrade` before it."""

    raw: bytes = b""
    answers: int = 1
    """How many answers `raw` has; the last one's status counts."""

    def path_for(self, protocol: Protocol) -> str:
        """The path as it is sent."""
        return self.path.replace("{root}", "/ws" if protocol.is_websocket else "/api")


@dataclass(slots=True)
class Reply:
    """What came back; `headers` are those of informational answers and the trailers too."""

    status: int = NO_ANSWER
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    is_echoed: bool = False
    """Whether what was sent through the websocket came back."""

    def all(self, name: str) -> list[str]:
        """Every value of a header, by a name in lower case."""
        return [value for key, value in self.headers if key.lower() == name]


async def send(port: int, protocol: Protocol, request: Request) -> Reply:
    """Send it to the Envoy at `port`, and wait for the answer's end, or a websocket's echo."""
    reply = Reply()
    async with asyncio.timeout(_SECONDS), _connection(port) as (reader, writer):
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
            if protocol in (Protocol.HTTP1, Protocol.WEBSOCKET):
                writer.write(request.raw or http1(request, protocol))
                for _ in range(request.answers):
                    await _read_http1(reader, writer, reply)
                if request.raw:
                    await _linger(reader)
            else:
                await _Http2(reader, writer, reply).send(request, protocol)
    return reply


@asynccontextmanager
async def _connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_ENOUGH)
    try:
        yield reader, writer
    finally:
        writer.close()


def http1(request: Request, protocol: Protocol = Protocol.HTTP1) -> bytes:
    """The request's bytes; names and values stand in them as they are given."""
    lines = [f"{request.method} {request.path_for(protocol)} HTTP/1.1", f"Host: {request.authority}"]
    options = [request.connection] if request.connection else []
    if protocol is Protocol.WEBSOCKET:
        options.insert(0, "Upgrade")
        lines += ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="]
    if options:
        lines.append(f"Connection: {', '.join(options)}")
    lines += [f"{name}: {value}" for name, value in request.headers]
    chunks: list[str] = []
    if request.body or request.trailers:
        lines.append("Transfer-Encoding: chunked")
        trailers = [f"{name}: {value}" for name, value in request.trailers]
        chunks = [f"{len(request.body):x}", request.body.decode(), "0", *trailers, "", ""]
    return "\r\n".join([*lines, "", *(chunks or [""])]).encode("latin-1")


async def _read_http1(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reply: Reply) -> None:
    status = 100
    while 100 <= status < 200 and status != 101:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(first.split(" ")[1])
        reply.headers += [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines if line)]
    reply.status = status
    if status == 101:
        writer.write(b"ping")
        reply.is_echoed = await reader.readexactly(4) == b"ping"
    elif length := reply.all("content-length"):
        reply.body = await reader.readexactly(int(length[0]))


async def _linger(reader: asyncio.StreamReader) -> None:
    """Let whatever follows the request come to whatever it comes to, unless it is over."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            await reader.read(_ENOUGH)


class _Http2:
    """A connection with one stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reply: Reply) -> None:
        self._reader = reader
        self._writer = writer
        self._reply = reply
        unchecked = H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False)
        self._http2 = H2Connection(unchecked)

    async def send(self, request: Request, protocol: Protocol) -> None:
        self._http2.initiate_connection()
        while not any(isinstance(event, RemoteSettingsChanged) for event in await self._events()):
            pass
        has_more = bool(request.body or request.trailers or protocol.is_websocket)
        self._http2.send_headers(1, _http2_headers(request, protocol), end_stream=not has_more)
        if protocol.is_websocket:
            self._http2.send_data(1, b"ping")
        elif has_more:
            self._http2.send_data(1, request.body, end_stream=not request.trailers)
        if request.trailers:
            self._http2.send_headers(1, [(name, value) for name, value in request.trailers], end_stream=True)
        with suppress(H2Error):
            is_over = False
            while not is_over:
                for event in await self._events():
                    is_over |= self._is_over(event)

    async def _events(self) -> list[Event]:
        self._writer.write(self._http2.data_to_send())
        await self._writer.drain()
        data = await self._reader.read(_ENOUGH)
        if not data:
            raise ConnectionResetError
        return self._http2.receive_data(data)

    def _is_over(self, event: Event) -> bool:
        reply = self._reply
        match event:
            case ResponseReceived() | InformationalResponseReceived() | TrailersReceived():
                headers = [(_text(name), _text(value)) for name, value in event.headers or ()]
                reply.headers += headers
                if isinstance(event, ResponseReceived):
                    reply.status = int(dict(headers)[":status"])
            case DataReceived():
                reply.body += event.data or b""
                reply.is_echoed = reply.body == b"ping"
                return reply.is_echoed
            case StreamEnded() | StreamReset() | ConnectionTerminated():
                return True
            case _:
                pass
        return False


def _http2_headers(request: Request, protocol: Protocol) -> list[tuple[bytes, bytes]]:
    pseudo = [
        (":method", request.method),
        (":scheme", "http"),
        (":authority", request.authority),
        (":path", request.path_for(protocol)),
    ]
    if protocol.is_websocket:
        pseudo[0] = (":method", "CONNECT")
        pseudo += [(":protocol", "websocket"), ("sec-websocket-version", "13")]
    connection = [("connection", request.connection)] if request.connection else []
    return [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in (*pseudo, *connection, *request.headers)
    ]


def _text(text: bytes | str) -> str:
    return text.decode("latin-1") if isinstance(text, bytes) else text
