"""An issuer's JWKS over HTTP, which a test changes or breaks while it is fetched."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(slots=True)
class JwksEndpoint:
    """What is answered, and how often it was asked for."""

    text: Callable[[], str]
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    url: str = ""

    async def answer(self, _request: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(text=self.text(), status=self.status, content_type="application/json", headers=self.headers)


@asynccontextmanager
async def jwks_endpoint(text: Callable[[], str]) -> AsyncIterator[JwksEndpoint]:
    """Serves what `text` says at the time, on a loopback port."""
    endpoint = JwksEndpoint(text)
    app = web.Application()
    app.router.add_get("/jwks", endpoint.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        endpoint.url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks"
        yield endpoint
    finally:
        await runner.cleanup()
