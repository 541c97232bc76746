"""What one client, or many, can take of a real Envoy, and what may last for as long as it likes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from time import monotonic

import aiohttp
import pytest
from aiohttp import web
from h2.connection import H2Connection
from h2.events import Event, StreamReset
from h2.settings import SettingCodes

from tests.e2e.byhand import Edge, edge
from tests.e2e.watching import until
from tests.support.edge import SHARED, cell, endpoint, tenant
from xds.demo.client import EdgeClient
from xds.demo.ports import LOOPBACK
from xds.errors import LocalFailure
from xds.translate import ConnectionOptions

SHORT, SLACK = 1.0, 5.0
"""Seconds: each limit of an answer, a request and its head, instead of minutes and hours."""

HURRIED = ConnectionOptions(
    request_headers_timeout=timedelta(seconds=SHORT),
    silence_timeout=timedelta(seconds=SHORT),
    stream_idle_timeout=timedelta(seconds=SHORT),
    request_timeout=timedelta(seconds=2 * SHORT),
)


@asynccontextmanager
async def serving(
    folder: Path,
    *,
    connection: ConnectionOptions | None = None,
    max_connections: int = 1000,
    max_heap_bytes: int = 2**30,
) -> AsyncIterator[Edge]:
    """An Envoy in front of a cell that may be silent, or never end, and acme in it."""
    runner = web.AppRunner(_cell_api(), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, LOOPBACK, 0).start()
        here = cell(SHARED, endpoints=(endpoint(f"{LOOPBACK}:{runner.addresses[0][1]}"),))
        async with edge(
            "delta",
            folder,
            here,
            tenant("acme"),
            connection=connection,
            max_connections=max_connections,
            max_heap_bytes=max_heap_bytes,
        ) as served:
            yield served
    finally:
        await runner.cleanup()


@asynccontextmanager
async def session(served: Edge) -> AsyncIterator[aiohttp.ClientSession]:
    """A client of acme's."""
    headers = {"authorization": f"Bearer {served.idp.mint('acme')}"}
    async with aiohttp.ClientSession(f"http://{LOOPBACK}:{served.port}", headers=headers) as opened:
        yield opened


def _cell_api() -> web.Application:
    async def account(request: web.Request) -> web.Response:
        await request.read()
        return web.json_response({"headers": {name.lower(): value for name, value in request.headers.items()}})

    async def silent(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        raise AssertionError

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(10):
            await asyncio.sleep(0.3 * SHORT)
            await response.write(b".")
        return response

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    app = web.Application()
    app.router.add_get("/api/silent", silent)
    app.router.add_get("/api/stream", stream)
    app.router.add_get("/ws", echo)
    app.router.add_route("*", "/{rest:.*}", account)
    return app


async def test_an_answer_and_a_websocket_outlive_every_limit_but_that_of_silence(tmp_path: Path) -> None:
    async with serving(tmp_path, connection=HURRIED) as served, session(served) as client:
        async with client.ws_connect("/ws") as socket:
            async with client.get("/api/stream") as response:
                assert await response.text() == "." * 10
            await socket.send_str("still here, after three times as long")
            assert await socket.receive_str(timeout=5) == "still here, after three times as long"
        async with client.get("/api/silent") as response:
            assert response.status == 504


async def test_a_request_that_is_sent_slowly_is_ended(tmp_path: Path) -> None:
    async with serving(tmp_path, connection=HURRIED) as served:
        head = f"POST /api/x HTTP/1.1\r\nHost: e\r\nAuthorization: Bearer {served.idp.mint('acme')}\r\n"
        body = f"{head}Content-Length: 1000\r\n\r\n"
        for start, seconds in ((head, SHORT), (body, 2 * SHORT)):
            answer, after = await _dripped(served.port, start)
            assert answer == b"HTTP/1.1 408 Request Timeout"
            assert 0.9 * seconds < after < seconds + SLACK


async def _dripped(port: int, start: str) -> tuple[bytes, float]:
    """What is answered, and after how long, to a request that goes on by a byte at a time."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    began = monotonic()
    writer.write(start.encode())
    try:
        async with asyncio.TaskGroup() as group:
            dripping = group.create_task(_drip(writer))
            answer = await reader.readline()
            dripping.cancel()
    finally:
        writer.close()
    return answer.strip(), monotonic() - began


async def _drip(writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.1 * SHORT)


async def test_a_connection_of_http2_has_limits_that_it_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        reader, writer = await asyncio.open_connection(LOOPBACK, served.port)
        client = H2Connection()
        client.initiate_connection()
        events = await _exchange(
            client, reader, writer, lambda _: client.remote_settings.max_concurrent_streams < 2**31
        )
        assert not [event for event in events if isinstance(event, StreamReset)]
        assert client.remote_settings.max_concurrent_streams == 100
        assert client.remote_settings.initial_window_size == 64 * 1024
        assert client.remote_settings[SettingCodes.ENABLE_CONNECT_PROTOCOL] == 1
        writer.close()


async def _exchange(
    client: H2Connection,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    is_enough: Callable[[list[Event]], bool],
) -> list[Event]:
    events: list[Event] = []
    async with asyncio.timeout(10):
        while not is_enough(events):
            writer.write(client.data_to_send())
            await writer.drain()
            events += client.receive_data(await reader.read(2**16))
    return events


@pytest.mark.parametrize(("hops", "address"), [(0, LOOPBACK), (1, "1.2.3.4"), (2, "6.6.6.6")])
async def test_a_clients_address_is_what_the_proxies_in_front_say(tmp_path: Path, hops: int, address: str) -> None:
    async with serving(tmp_path, connection=ConnectionOptions(trusted_hops=hops)) as served:
        headers = {"x-forwarded-for": "5.5.5.5, 6.6.6.6, 1.2.3.4", "x-envoy-external-address": "7.7.7.7"}
        answer = await served.client.get("/api/x", token=served.idp.mint("acme"), headers=headers)
        assert answer.saw("x-envoy-external-address") == address


async def test_a_token_that_can_not_be_sent_on_is_no_failure_of_the_cells(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        for subject in ("a\nb", "a\r\nx-alphaswarm-tenant: globex", "a\0b") * 4:
            assert (await served.client.get("/api/x", token=served.idp.mint("acme", sub=subject))).status == 401
        assert (await served.client.get("/api/x", token=served.idp.mint("acme"))).status == 200
        stats = await served.envoy.stats("(http.ingress_http.downstream_rq_.xx|cluster.*ejections_active)")
        assert stats["http.ingress_http.downstream_rq_4xx"] == 12
        assert stats["http.ingress_http.downstream_rq_5xx"] == 0, "what a canary is stopped by"
        assert stats[f"cluster.{SHARED}-api.outlier_detection.ejections_active"] == 0


async def test_clients_have_so_many_connections_and_the_operator_one_more(tmp_path: Path) -> None:
    async with serving(tmp_path, max_connections=2) as served, AsyncExitStack() as exits:
        first, second, third = [await exits.enter_async_context(EdgeClient(served.port)) for _ in range(3)]
        assert [(await each.get("/healthz")).status for each in (first, second)] == [200, 200]
        with pytest.raises(LocalFailure):
            await third.get("/healthz")
        assert await served.envoy.is_ready()
        await first.close()
        await until(third.is_answering, "a connection is free again")


async def test_an_envoy_that_has_no_memory_left_refuses_requests_and_lives(tmp_path: Path) -> None:
    async with serving(tmp_path, max_heap_bytes=1024**2) as served:

        async def is_refusing() -> bool:
            return (await served.client.get("/api/x", token=served.idp.mint("acme"))).status == 503

        await until(is_refusing, "requests are refused")
        stats = await served.envoy.stats("overload")
        assert stats["overload.envoy.overload_actions.stop_accepting_requests.active"] == 1
        assert stats["overload.envoy.overload_actions.shrink_heap.active"] == 1
        assert stats["overload.envoy.overload_actions.reset_high_memory_stream.scale_percent"] == 100
        assert await served.envoy.is_ready()
