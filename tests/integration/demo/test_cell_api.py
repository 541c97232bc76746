"""What a demo cell says about a request, asked through the demo's own client."""

import json
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict

from xds.demo.cell_api import make_app


@pytest.fixture
async def url() -> AsyncIterator[str]:
    runner = web.AppRunner(make_app("cell-a"), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


async def test_any_method_and_path_is_answered_with_what_was_seen(url: str) -> None:
    headers = CIMultiDict([("X-One", "1"), ("X-Two", "a"), ("X-Two", "b")])
    async with (
        aiohttp.ClientSession() as session,
        session.patch(f"{url}/api/thing?q=1", headers=headers, data=b"x") as answer,
    ):
        body = await answer.json()
    assert (body["cell"], body["method"], body["path"]) == ("cell-a", "PATCH", "/api/thing?q=1")
    assert (body["headers"]["x-one"], body["headers"]["x-two"]) == ("1", ["a", "b"])


async def test_a_websocket_first_says_what_was_seen_then_echoes(url: str) -> None:
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}/ws/x", headers={"X-One": "1"}) as socket:
        account = json.loads(await socket.receive_str(timeout=5))
        await socket.send_str("hello")
        echoed = await socket.receive_str(timeout=5)
    assert (account["cell"], account["path"], account["headers"]["x-one"]) == ("cell-a", "/ws/x", "1")
    assert echoed == "hello"


@pytest.mark.parametrize("path", ["/healthz", "/ws", "/ws/x", "/"])
async def test_a_plain_get_is_answered_anywhere(url: str, path: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(url + path) as answer:
        assert (answer.status, (await answer.json())["cell"]) == (200, "cell-a")
