"""A demo cell API: says which cell it is and which headers it saw.

Run as a process of its own: `python -m xds.demo.cell_api --name cell-shared-std-local --port 8000`.
Knows nothing about tenants, tokens or Envoy.
"""

import argparse
import asyncio
import json
from collections.abc import Mapping

from aiohttp import WSMsgType, web

from xds.demo.ports import LOOPBACK
from xds.demo.serving import serve

_CELL = web.AppKey("cell", str)


def seen_headers(request: web.Request) -> Mapping[str, str | list[str]]:
    """The request's headers by lower-case name; one that came more than once is a list."""
    names = sorted({name.lower() for name in request.headers})
    values = {name: request.headers.getall(name) for name in names}
    return {name: found[0] if len(found) == 1 else found for name, found in values.items()}


def _account(request: web.Request) -> dict[str, object]:
    return {
        "cell": request.app[_CELL],
        "method": request.method,
        "path": request.path_qs,
        "headers": seen_headers(request),
    }


async def _answer(request: web.Request) -> web.Response:
    await request.read()
    return web.json_response(_account(request))


async def _health(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok", "cell": request.app[_CELL]})


async def _echo(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    await socket.send_str(json.dumps(_account(request)))
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
    return socket


async def _answer_or_echo(request: web.Request) -> web.StreamResponse:
    wants_socket = web.WebSocketResponse().can_prepare(request).ok
    return await (_echo(request) if wants_socket else _answer(request))


def make_app(cell: str) -> web.Application:
    """The API of `cell`: /healthz, a websocket echo under /ws that first says what it saw, and the rest."""
    app = web.Application()
    app[_CELL] = cell
    app.router.add_get("/healthz", _health)
    app.router.add_get("/ws{rest:(/.*)?}", _answer_or_echo)
    app.router.add_route("*", "/{rest:.*}", _answer)
    return app


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(description="A demo cell API.")
    parser.add_argument("--name", required=True, help="the cell's id")
    parser.add_argument("--port", required=True, type=int)
    parser.add_argument("--host", default=LOOPBACK, help=f"the address to listen at; {LOOPBACK} unless told")
    arguments = parser.parse_args()
    try:
        asyncio.run(serve(make_app(arguments.name), arguments.host, arguments.port))
    except OSError as error:
        where = f"{arguments.host}:{arguments.port}"
        parser.exit(1, f"{arguments.name}: cannot listen on {where}: {error.strerror}\n")


if __name__ == "__main__":
    main()
