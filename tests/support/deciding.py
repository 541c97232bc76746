"""What a test does about a history: who decided what, what is held, who follows."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from tests.support.edge import JWKS
from tests.support.publishing import Replica, replica
from xds.operations.snapshots import Decided, Held, Word

NEW_KEYS = json.dumps({"keys": [{**json.loads(JWKS)["keys"][0], "kid": "test-2"}]})
ANN = Word(by="ann", message="incident 7")


async def acted(on: Replica, decided: Decided) -> Decided:
    """Wait until the publisher has acted."""
    async with asyncio.timeout(15):
        while not await on.registry.snapshots.is_acted_on():  # noqa: ASYNC110 -- another process would be it
            await asyncio.sleep(0.01)
    return decided


async def candidate(of: Replica, reason: str) -> Held:
    """What is held for that reason, once operators can see it."""
    await of.until(lambda: of.status.held == reason, reason)
    async with asyncio.timeout(15):
        while (held := await of.registry.snapshots.held(limit=None)) is None:  # noqa: ASYNC110 -- as above
            await asyncio.sleep(0.01)
    assert held.reason == reason
    return held


async def move(sql: asyncpg.Connection, tenant: str, cell: str = "cell-b") -> None:
    await sql.execute("UPDATE tenants SET cell_id = $2 WHERE id = $1", tenant, cell)


@asynccontextmanager
async def following(leader: Replica, url: str) -> AsyncIterator[Replica]:
    """A second replica, once the first one leads."""
    await leader.serves(1)
    async with replica(url, name="two") as second:
        await second.serves(1)
        yield second


async def entries(sql: asyncpg.Connection) -> Sequence[tuple[int, str, str]]:
    """Number, kind and publisher of every snapshot."""
    rows = await sql.fetch("SELECT number, kind, published_by FROM snapshots ORDER BY number")
    return [(row["number"], row["kind"], row["published_by"]) for row in rows]
