"""The fields of bodies, over a real socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from xds.http import HttpServer, bodies
from xds.http.bodies import BadBody, flag_of, read_fields, text_of
from xds.settings import Address

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    """A client of a server that answers with the fields that it read."""

    async def answer(request: web.Request) -> web.Response:
        try:
            fields = await read_fields(request)
            return web.json_response({"text": text_of(fields, "text"), "flag": flag_of(fields, "flag")})
        except BadBody as error:
            return web.json_response({"detail": error.detail}, status=error.status)

    app = web.Application(client_max_size=bodies.LARGEST_BODY)
    app.router.add_post("/", answer)
    async with HttpServer(app, Address("127.0.0.1", 0)) as server:
        timeout = aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(f"http://{server.address}", timeout=timeout) as session:
            yield session


async def sent(client: aiohttp.ClientSession, data: Any, headers: dict[str, str]) -> tuple[int, Any]:
    async with client.post("/", data=data, headers=headers) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if answer.content_type == "application/json" else text


@pytest.mark.parametrize(
    ("data", "headers", "read"),
    [
        (b'{"text":"a","flag":true}', JSON, {"text": "a", "flag": True}),
        (b"text=a%20b&flag=true", FORM, {"text": "a b", "flag": True}),
        (b"text=a&flag=false&more=1", FORM, {"text": "a", "flag": False}),
        (b"{}", JSON, {"text": "", "flag": False}),
        (b"", {}, {"text": "", "flag": False}),
        (b"", JSON, {"text": "", "flag": False}),
        (b'{"text":"a"}', {"Content-Type": "application/json; charset=utf-8"}, {"text": "a", "flag": False}),
    ],
)
async def test_json_and_forms_are_read(
    client: aiohttp.ClientSession, data: bytes, headers: dict[str, str], read: object
) -> None:
    assert await sent(client, data, headers) == (200, read)


@pytest.mark.parametrize(
    ("data", "headers", "status", "detail"),
    [
        (b"s3cret", JSON, 400, "the body is not what its Content-Type says"),
        (b"\xff", JSON, 400, "the body is not what its Content-Type says"),
        (b"text=\xff", FORM, 400, "the body is not what its Content-Type says"),
        (b"[" * 100_000, JSON, 400, "the body is not what its Content-Type says"),
        (b'["s3cret"]', JSON, 400, "expected a JSON object"),
        (b'{"text":7}', JSON, 400, "text: expected text"),
        (b'{"flag":"yes"}', JSON, 400, "flag: expected true or false"),
        (b'{"flag":[true]}', JSON, 400, "flag: expected true or false"),
        (b"flag=1", FORM, 400, "flag: expected true or false"),
        (b"s3cret", {"Content-Type": "text/plain"}, 415, "expected JSON or a form"),
    ],
)
async def test_anything_else_is_refused_without_being_quoted(
    client: aiohttp.ClientSession, data: bytes, headers: dict[str, str], status: int, detail: str
) -> None:
    assert await sent(client, data, headers) == (status, {"detail": detail})


async def test_a_body_has_a_largest_size(client: aiohttp.ClientSession) -> None:
    status, _ = await sent(client, b"x" * (bodies.LARGEST_BODY + 1), JSON)
    assert status == 413


async def test_a_body_that_does_not_come_is_not_waited_for(
    client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "_SECONDS", 0.05)

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(1)
        yield b"}"

    status, _ = await sent(client, slow(), JSON)
    assert status == 408
