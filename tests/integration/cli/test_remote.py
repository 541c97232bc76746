"""What the program makes of servers that are none of ours."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import click
import pytest
from aiohttp import web

from xds.cli.remote import Server
from xds.http import HttpServer
from xds.settingvalues import Address

Handler = Callable[[web.Request], web.Response]


@asynccontextmanager
async def answering(handler: Handler) -> AsyncIterator[str]:
    async def handle(request: web.Request) -> web.Response:
        return handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with HttpServer(app, Address("127.0.0.1", 0)) as server:
        yield f"http://{server.address}"


async def refusal(handler: Handler) -> str:
    async with answering(handler) as url:
        with pytest.raises(click.ClickException) as refused:
            await asyncio.to_thread(Server(url, "t").get, "/manage/fleet")
        return refused.value.format_message().removeprefix(url)


async def test_what_is_no_server_of_ours_is_said_to_be_none() -> None:
    expected = "/manage/fleet: expected a JSON object: is it an alphaswarm-xds server?"
    assert await refusal(lambda _: web.Response(text="<html>")) == expected
    assert await refusal(lambda _: web.Response(text="[]")) == expected
    assert await refusal(lambda _: web.Response(status=500, text="oops")) == ": answered 500 Internal Server Error"


async def test_a_redirect_does_not_take_the_token_elsewhere() -> None:
    seen: list[str] = []

    def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        return web.Response(text="{}")

    async with answering(elsewhere) as other:
        told = await refusal(lambda _: web.Response(status=302, headers={"Location": other}))
    assert told == ": answered 302 Found"
    assert seen == []


async def test_every_page_is_asked_for() -> None:
    def page(request: web.Request) -> web.Response:
        cursor = int(request.query.get("cursor", "0"))
        return web.json_response({"data": [{"n": cursor}], **({"next": str(cursor + 1)} if cursor < 2 else {})})

    async with answering(page) as url:
        told = await asyncio.to_thread(lambda: list(Server(url, "").get_all("/manage/fleet/nodes", group=None)))
    assert told == [{"n": 0}, {"n": 1}, {"n": 2}]


@pytest.mark.parametrize("token", ["a\nb", "ä"])
def test_what_can_not_be_a_token_is_refused_without_quoting_it(token: str) -> None:
    with pytest.raises(click.UsageError) as refused:
        Server("http://127.0.0.1", token)
    assert token not in refused.value.format_message()
