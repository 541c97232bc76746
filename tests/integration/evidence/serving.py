"""A small HTTP server of the test's own, which answers by path what it is told to."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

Answers = Mapping[str, tuple[int, str]]


@asynccontextmanager
async def serving(answers: Answers, seen: list[str] | None = None, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """A server with these answers, read anew for each request; gives its URL and notes what it is asked."""

    async def answer(request: web.Request) -> web.Response:
        if seen is not None:
            seen.append(request.query.get("query", request.path_qs))
        status, text = answers[request.path]
        return web.Response(status=status, text=text, headers={"location": "/elsewhere"} if status == 302 else None)

    app = web.Application()
    app.router.add_get("/{rest:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0).start()
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
