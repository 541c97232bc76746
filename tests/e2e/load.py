"""Requests of many tenants through many Envoys, one after the other, and what each came to.

Knows nothing about what changes meanwhile.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle

from xds.demo.client import EdgeClient
from xds.errors import LocalFailure

PAUSE = 0.005
"""Seconds from an answer to the next request on a connection: what is tested needs the machine too."""


@dataclass(slots=True)
class Load:
    """What the requests came to; `cells` counts the answers by who gave them."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)
    cells: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0

    def __str__(self) -> str:
        return f"{self.answered} requests, {len(self.failed)} failed, the longest {self.longest * 1000:.0f} ms"


@asynccontextmanager
async def load(ports: Sequence[int], tokens: Mapping[str, str], *, connections: int = 1) -> AsyncIterator[Load]:
    """Have tenants' requests sent for as long as the context lasts.

    Each Envoy has `connections` that are kept, each with one request after the other, tenant by tenant.
    """
    seen, going = Load(), True

    async def keep_asking(port: int, first: int) -> None:
        tenants = list(tokens)
        async with EdgeClient(port) as client:
            for tenant in cycle(tenants[first:] + tenants[:first]):
                if not going:
                    return
                await _ask(client, tenant, tokens[tenant], seen)
                await asyncio.sleep(PAUSE)

    async with asyncio.TaskGroup() as group:
        for port in ports:
            for number in range(connections):
                group.create_task(keep_asking(port, number % len(tokens)))
        yield seen
        going = False


async def _ask(client: EdgeClient, tenant: str, token: str, seen: Load) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        answer = await client.get("/api/x", token=token)
    except LocalFailure as silence:
        seen.failed.append(f"{tenant}: {silence}")
        return
    seen.answered += 1
    seen.longest = max(seen.longest, loop.time() - began)
    seen.cells[answer.cell] += 1
    if answer.status != 200 or answer.saw("x-alphaswarm-tenant") != tenant:
        seen.failed.append(f"{tenant}: {answer.status} {answer.body.get('error', answer.text)}")
