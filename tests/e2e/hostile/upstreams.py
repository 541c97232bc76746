"""Upstreams that write down every request that reaches them, as it came: headers, trailers, and what follows it.

They speak HTTP/1.1 and HTTP/2 on one port, accept websockets, and answer with headers that must not get out. They
read more than they should: whatever can be taken for a request is one. Knows nothing about which may arrive.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, Event, RequestReceived, StreamEnded, TrailersReceived
from h2.settings import SettingCodes

Headers = tuple[tuple[str, str], ...]

LEAKS: Headers = (
    ("x-alphaswarm-cell", "leaked"),
    ("X-AlphaSwarm-Tenant", "leaked"),
    ("x-alphaswarm-anything", "leaked"),
    ("x-envoy-upstream-service-time", "7"),
    ("x-envoy-decorator-operation", "leaked"),
    ("server", "leaky/1.0"),
)
"""What every answer carries, and no client may see."""

DECLINES = "/declines-websockets"
"""A path below which a websocket is answered 426, and what follows it is read as further requests."""

HINTS = "/hints"
"""A path below which an answer is led by an informational one, with the same headers."""

_PREFACE = b"PRI * HTTP/2.0\r\n\r\n"
_ENOUGH = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request as an upstream saw it. Trailers are there once it has ended."""

    upstream: str
    method: str
    path: str
    headers: Headers
    trailers: Headers = ()

    def all(self, name: str) -> list[str]:
        """Every value of a header or trailer, by a name in lower case."""
        return [value for key, value in (*self.headers, *self.trailers) if key.lower() == name]


@dataclass(slots=True)
class Log:
    """What arrived, in its order; Envoys' health checks are left out."""

    arrivals: list[Arrival] = field(default_factory=list)
    connections: set[asyncio.StreamWriter] = field(default_factory=set)

    def add(self, arrival: Arrival) -> None:
        """Take it down."""
        if arrival.all("user-agent") != ["Envoy/HC"] or arrival.path != "/healthz":
            self.arrivals.append(arrival)


@asynccontextmanager
async def upstreams(*names: str) -> AsyncIterator[tuple[Mapping[str, int], Log]]:
    """Upstreams of these names while entered; their ports, and what arrives at any of them."""
    log, ports = Log(), {}
    async with AsyncExitStack() as exits:
        for name in names:
            server = await asyncio.start_server(partial(_serve, name, log), "127.0.0.1", 0, limit=_ENOUGH)
            ports[name] = server.sockets[0].getsockname()[1]
            exits.push_async_callback(server.wait_closed)
            exits.callback(server.close)
        try:
            yield ports, log
        finally:
            for writer in log.connections:
                writer.close()


async def _serve(name: str, log: Log, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    log.connections.add(writer)
    try:
        start = await reader.readuntil(b"\r\n\r\n")
        if start == _PREFACE:
            await _Http2(name, log, reader, writer).serve(start)
        else:
            await _http1(name, log, reader, writer, start)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass  # whoever was there is gone
    finally:
        log.connections.discard(writer)
        writer.close()


async def _http1(name: str, log: Log, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes) -> None:
    while True:
        method, path, headers = _head(head)
        fields = {key.lower(): value for key, value in headers}
        is_socket = fields.get("upgrade", "").lower() == "websocket"
        arrival = Arrival(upstream=name, method=method, path=path, headers=headers)
        if is_socket and DECLINES not in path:
            log.add(arrival)
            writer.write(_answer("101 Switching Protocols", ("connection", "upgrade"), ("upgrade", "websocket")))
            await _echo(reader, writer)
            return
        # Whoever declines does it at once; what was meant for the websocket is then read as requests.
        trailers = () if is_socket else await _body(reader, fields)
        log.add(Arrival(upstream=name, method=method, path=path, headers=headers, trailers=trailers))
        if HINTS in path:
            writer.write(_answer("103 Early Hints"))
        status = "426 Upgrade Required" if is_socket else "200 OK"
        writer.write(_answer(status, ("content-length", "2")) + (b"" if method == "HEAD" else b"ok"))
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")


def _head(text: bytes) -> tuple[str, str, Headers]:
    first, *lines = text.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, _, rest = first.partition(" ")
    return method, rest.rpartition(" ")[0], _fields(lines)


def _fields(lines: list[str]) -> Headers:
    return tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))


async def _body(reader: asyncio.StreamReader, fields: Mapping[str, str]) -> Headers:
    """Read the body; its trailers."""
    if "transfer-encoding" not in fields:
        await reader.readexactly(int(fields.get("content-length", "0")))
        return ()
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        await reader.readexactly(size + 2)
    lines = []
    while line := (await reader.readuntil(b"\r\n")).decode("latin-1").strip():
        lines.append(line)
    return _fields(lines)


def _answer(status: str, *headers: tuple[str, str]) -> bytes:
    lines = (f"{name}: {value}" for name, value in (*headers, *LEAKS))
    return "\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode("latin-1")


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_ENOUGH):
        writer.write(data)
        await writer.drain()


class _Http2:
    """A connection of HTTP/2, each of whose streams is answered when it has ended; a websocket at once."""

    def __init__(self, name: str, log: Log, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._name = name
        self._log = log
        self._reader = reader
        self._writer = writer
        self._http2 = H2Connection(H2Configuration(client_side=False, validate_inbound_headers=False))
        self._requests: dict[int, Headers] = {}
        self._trailers: dict[int, Headers] = {}

    async def serve(self, start: bytes) -> None:
        self._http2.local_settings[SettingCodes.ENABLE_CONNECT_PROTOCOL] = 1
        self._http2.initiate_connection()
        data = start
        while data:
            for event in self._http2.receive_data(data):
                self._take(event)
            self._writer.write(self._http2.data_to_send())
            await self._writer.drain()
            data = await self._reader.read(_ENOUGH)

    def _take(self, event: Event) -> None:
        match event:
            case RequestReceived(stream_id=int(stream), headers=headers):
                self._requests[stream] = _text(headers)
                if dict(self._requests[stream]).get(":protocol") == "websocket":
                    self._note(stream)
                    self._http2.send_headers(stream, [(":status", "200"), *_lower(LEAKS)])
            case TrailersReceived(stream_id=int(stream), headers=headers):
                self._trailers[stream] = _text(headers)
            case DataReceived(stream_id=int(stream), data=data, flow_controlled_length=int(length)):
                self._http2.acknowledge_received_data(length, stream)
                if dict(self._requests.get(stream, ())).get(":protocol") == "websocket" and data:
                    self._http2.send_data(stream, data)
            case StreamEnded(stream_id=int(stream)) if stream in self._requests:
                self._end(stream)
            case _:
                pass

    def _end(self, stream: int) -> None:
        if dict(self._requests[stream]).get(":protocol") == "websocket":
            self._http2.end_stream(stream)
            return
        self._note(stream)
        self._http2.send_headers(stream, [(":status", "200"), *_lower(LEAKS)])
        self._http2.send_data(stream, b"ok")
        trailers = [(name, value) for name, value in _lower(LEAKS) if name != "server"]
        self._http2.send_headers(stream, [*trailers, ("x-checksum", "1")], end_stream=True)

    def _note(self, stream: int) -> None:
        headers = self._requests[stream]
        pseudo = dict(headers)
        arrival = Arrival(
            upstream=self._name,
            method=pseudo.get(":method", ""),
            path=pseudo.get(":path", ""),
            headers=headers,
            trailers=self._trailers.get(stream, ()),
        )
        self._log.add(arrival)


def _text(headers: object) -> Headers:
    assert isinstance(headers, list)
    return tuple((_decoded(name), _decoded(value)) for name, value in headers)


def _decoded(text: bytes | str) -> str:
    return text.decode("latin-1") if isinstance(text, bytes) else text


def _lower(headers: Headers) -> Headers:
    return tuple((name.lower(), value) for name, value in headers)
