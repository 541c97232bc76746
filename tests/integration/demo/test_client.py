"""What the demo's client makes of answers and of silence."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from aiohttp import web

from xds.demo.cell_api import make_app
from xds.demo.client import EdgeClient
from xds.demo.ports import free_port
from xds.errors import LocalFailure


async def _refuse(_: web.Request) -> web.Response:
    return web.Response(status=401, text="Jwt is missing")


async def _list(_: web.Request) -> web.Response:
    return web.json_response([1])


@pytest.fixture
async def client() -> AsyncIterator[EdgeClient]:
    refusing = web.Application()
    refusing.router.add_get("/401", _refuse)
    refusing.router.add_get("/list", _list)
    app = web.Application()
    app.add_subapp("/odd", refusing)
    app.add_subapp("/cell", make_app("cell-a"))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with EdgeClient(port) as client:
        yield client
    await runner.cleanup()


async def test_a_cells_answer_names_it_and_what_it_saw(client: EdgeClient) -> None:
    answer = await client.get("/cell/api", token="abc", headers={"x-one": "1"})
    assert (answer.status, answer.cell) == (200, "cell-a")
    assert (answer.saw("authorization"), answer.saw("x-one"), answer.saw("x-two")) == ("Bearer abc", "1", None)


async def test_without_a_token_there_is_no_authorization(client: EdgeClient) -> None:
    assert (await client.get("/cell/api")).saw("authorization") is None


@pytest.mark.parametrize(("path", "status", "text"), [("/odd/401", 401, "Jwt is missing"), ("/odd/list", 200, "[1]")])
async def test_what_is_no_json_object_is_text_of_no_cell(client: EdgeClient, path: str, status: int, text: str) -> None:
    answer = await client.get(path)
    assert (answer.status, answer.text, answer.body, answer.cell) == (status, text, {}, "")


async def test_a_websocket_gives_the_account_and_the_echo(client: EdgeClient) -> None:
    answer, echoed = await client.echo("/cell/ws", "ping", token="abc")
    assert (answer.cell, answer.saw("authorization"), echoed) == ("cell-a", "Bearer abc", "ping")


async def test_a_refused_websocket_is_its_status(client: EdgeClient) -> None:
    answer, echoed = await client.echo("/odd/401", "ping")
    assert (answer.status, answer.cell, echoed) == (401, "", "")


async def test_it_can_be_asked_whether_anybody_answers(client: EdgeClient) -> None:
    assert await client.is_answering()
    assert not await EdgeClient(free_port()).is_answering()


async def test_silence_is_one_line_with_the_address() -> None:
    port = free_port()
    async with EdgeClient(port) as client:
        with pytest.raises(LocalFailure, match=f"^http://127.0.0.1:{port}: no answer: "):
            await client.get("/")
        with pytest.raises(LocalFailure, match=f"^http://127.0.0.1:{port}: no answer: "):
            await client.echo("/", "ping")


async def test_a_request_that_nobody_answers_is_not_sent_again() -> None:
    received = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the first request of a connection, and close it at the second."""
        nonlocal received
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            received += 1
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            received += 1
        writer.close()

    async with (
        await asyncio.start_server(serve, "127.0.0.1", 0) as server,
        EdgeClient(server.sockets[0].getsockname()[1]) as client,
    ):
        assert (await client.get("/")).status == 200
        with pytest.raises(LocalFailure, match="no answer: Server disconnected"):
            await client.get("/")
        assert received == 2
        assert (await client.get("/")).status == 200
