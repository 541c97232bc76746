"""A small real token introspection endpoint (RFC 7662), whose faults a test decides."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(slots=True)
class IntrospectionServer:
    """What it knows, what it was asked, and what is the matter with it.

    `gate` keeps every answer waiting while it is clear.
    """

    url: str = ""
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    callers: list[str] = field(default_factory=list)
    status: int = 200
    body: bytes | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self, token: str, tenant: str, **claims: Any) -> str:
        """Have a token be a tenant's."""
        self.tokens[token] = {"active": True, "tenant_id": tenant, **claims}
        return token

    def is_well(self) -> None:
        """Undo every fault."""
        self.status, self.body = 200, None
        self.gate.set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """What a request gets."""
        form = await request.post()
        token = str(form.get("token", ""))
        self.asked.append(token)
        self.callers.append(request.headers.get("authorization", ""))
        await self.gate.wait()
        if self.status in (301, 302, 307):
            return web.Response(status=self.status, headers={"location": f"{self.url}/elsewhere"})
        if self.body is not None:
            return web.Response(status=self.status, body=self.body, content_type="application/json")
        return web.json_response(self.tokens.get(token, {"active": False}), status=self.status)


@asynccontextmanager
async def introspection_server() -> AsyncIterator[IntrospectionServer]:
    """One on a free port of this machine."""
    server = IntrospectionServer()
    server.gate.set()
    app = web.Application()
    app.router.add_post("/{path:.*}", server.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/introspect"
        yield server
    finally:
        server.gate.set()
        await runner.cleanup()
