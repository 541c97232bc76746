"""Listening, and stopping."""

import asyncio
import socket
import time

import aiohttp
import pytest
from aiohttp import web

from tests.integration.http.face import SERVING
from xds.errors import LocalFailure
from xds.http import HttpServer, build_app
from xds.settingvalues import Address
from xds.telemetry import Metrics


def _app() -> web.Application:
    return build_app(lambda: SERVING, Metrics())


async def test_port_0_is_replaced_by_the_port_in_use() -> None:
    server = HttpServer(_app(), Address("127.0.0.1", 0))

    async with server, aiohttp.ClientSession() as client:
        assert server.address.port > 0
        async with client.get(f"http://{server.address}/healthz") as answer:
            assert answer.status == 200


async def test_ipv6_is_served_at_the_address_as_it_is_written() -> None:
    try:
        server = HttpServer(_app(), Address("::1", 0))
        await server.__aenter__()
    except LocalFailure as error:
        pytest.skip(str(error))
    try:
        async with aiohttp.ClientSession() as client, client.get(f"http://{server.address}/healthz") as answer:
            assert answer.status == 200
    finally:
        await server.__aexit__(None, None, None)


async def test_a_taken_port_is_told_in_one_line_with_its_variable() -> None:
    async with HttpServer(_app(), Address("127.0.0.1", 0)) as first:
        taken = first.address
        with pytest.raises(LocalFailure) as refused:
            async with HttpServer(_app(), taken):
                pytest.fail("two servers listen at one address")

    assert str(refused.value) == f"HTTP_LISTEN: cannot listen on {taken}: Address already in use"


@pytest.mark.parametrize("host", ["no-such-host.invalid", "192.0.2.1"])
async def test_an_address_that_is_not_this_machines_is_told_in_one_line(host: str) -> None:
    with pytest.raises(LocalFailure) as refused:
        async with HttpServer(_app(), Address(host, 0)):
            pytest.fail("it listens at another machine's address")

    message = str(refused.value)
    assert message.startswith(f"HTTP_LISTEN: cannot listen on {host}:0: ")
    assert "\n" not in message


async def test_a_stopped_server_has_let_go_of_its_port() -> None:
    async with HttpServer(_app(), Address("127.0.0.1", 0)) as first:
        address = first.address

    async with HttpServer(_app(), address) as second:
        assert second.address == address


async def test_stopping_does_not_wait_for_connections_that_are_kept_alive() -> None:
    async with aiohttp.ClientSession() as client:
        async with HttpServer(_app(), Address("127.0.0.1", 0)) as server:
            async with client.get(f"http://{server.address}/healthz") as answer:
                assert answer.status == 200
            started = time.monotonic()
        assert time.monotonic() - started < 5  # it would be kept for an hour


async def test_stopping_does_not_wait_for_a_request_that_never_ends() -> None:
    async with HttpServer(_app(), Address("127.0.0.1", 0)) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n")
        await writer.drain()
        started = time.monotonic()
    assert time.monotonic() - started < 10
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


async def test_garbage_is_refused_and_the_next_is_served() -> None:
    async with HttpServer(_app(), Address("127.0.0.1", 0)) as server:
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(b"\x00\xff garbage\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.0 400") or not await reader.read()
        writer.close()
        await writer.wait_closed()
        async with aiohttp.ClientSession() as client, client.get(f"http://{server.address}/healthz") as answer:
            assert answer.status == 200


async def test_a_failed_start_leaves_no_socket_behind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Address(*taken.getsockname())
        with pytest.raises(LocalFailure):
            await HttpServer(_app(), address).__aenter__()

    async with HttpServer(_app(), address) as server:
        assert server.address == address
