"""Waiting for a running system to reach a state, and asking it what it thinks."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import asyncpg
import pytest
from aiohttp import web

from tests.e2e.load import PAUSE
from xds.demo.cell_api import make_app
from xds.demo.client import EdgeClient
from xds.demo.stack import Stack


async def until(holds: Callable[[], Awaitable[bool]], what: str, *, timeout: float = 15) -> None:
    """Wait until `holds`, asking again and again; fails with `what` was waited for."""
    try:
        async with asyncio.timeout(timeout):
            while not await holds():  # noqa: ASYNC110 -- another process has no event for us
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {timeout} s: {what}") from None


def say(capsys: pytest.CaptureFixture[str], line: str) -> None:
    """Print a line that is seen although the test passes: a figure that the test is not to judge."""
    with capsys.disabled():
        print(f"\n{line}", flush=True)  # noqa: T201 -- meant for a person


async def statusz(stack: Stack) -> dict[str, Any]:
    status, text = await stack.control_plane.ask("/statusz")
    assert status == 200, text
    return dict(json.loads(text))


async def execute(stack: Stack, *statements: str) -> None:
    """Plain SQL from outside, in one transaction."""
    connection = await asyncpg.connect(stack.postgres.dsn)
    try:
        async with connection.transaction():
            for statement in statements:
                await connection.execute(statement)
    finally:
        await connection.close()


async def agreed(stack: Stack, token: str, cell: str) -> int:
    """What every Envoy answers a request with the token; /resolve, and /validate about `cell`, must say the same."""
    (status,) = {(await client.get("/api/x", token=token)).status for client in stack.clients.values()}
    async with aiohttp.ClientSession(stack.control_plane.url) as session:
        async with session.post("/resolve", json={"token": token}) as answer:
            why = " ".join((await answer.json())["why"])
        async with session.post("/validate", json={"token": token, "cell": cell}) as answer:
            validation = await answer.json()
    told = re.search(r"(?:answers|answers its requests with|get a) (\d{3})", why)
    assert (int(told[1]) if told else 200) == status, why
    assert validation["allowed"] is (status == 200), validation
    return status


async def fetch(stack: Stack, query: str) -> list[tuple[Any, ...]]:
    """What plain SQL from outside gives."""
    connection = await asyncpg.connect(stack.postgres.dsn)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def is_answered(stack: Stack, tenant: str, status: int, cell: str = "", path: str = "/api/x") -> bool:
    """Whether every Envoy answers the tenant's request so."""
    token = stack.idp.mint(tenant)
    answers = [await stack.get(edge, path, token=token) for edge in stack.clients]
    return all(answer.status == status and answer.cell == cell for answer in answers)


async def has_no_cluster(stack: Stack, cluster: str) -> bool:
    """Whether no Envoy holds that cluster any more."""
    dumps = [await envoy.config_dump("dynamic_active_clusters") for envoy in stack.envoys.values()]
    return not any(cluster in str(dump) for dump in dumps)


@asynccontextmanager
async def extra_cell(name: str) -> AsyncIterator[int]:
    """A cell's API that is not part of the stack; gives its port."""
    runner = web.AppRunner(make_app(name), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@dataclass(slots=True)
class Traffic:
    """What the requests of one tenant, sent one after the other through every Envoy, came to."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)
    cells: set[str] = field(default_factory=set)


@asynccontextmanager
async def traffic(stack: Stack, tenant: str) -> AsyncIterator[Traffic]:
    """Send requests of a tenant through every Envoy for as long as the context lasts, on connections of its own."""
    token, seen, going = stack.idp.mint(tenant), Traffic(), True

    async def keep_asking(port: int) -> None:
        async with EdgeClient(port) as client:
            while going:
                answer = await client.get("/api/x", token=token)
                seen.answered += 1
                seen.cells.add(answer.cell)
                if answer.status != 200:
                    seen.failed.append(f"{answer.status} {answer.text}")
                await asyncio.sleep(PAUSE)

    async with asyncio.TaskGroup() as group:
        for port in stack.ports.edges.values():
            group.create_task(keep_asking(port))
        yield seen
        going = False
