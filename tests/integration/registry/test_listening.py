"""Wake-ups: at once by notification, late by the poll, and never lost with the connection."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import asyncpg

from tests.support.postgres import PostgresServer
from xds.registry import PostgresRegistry

LISTENERS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE '% listener'"
MOVE = "UPDATE tenants SET state = CASE state WHEN 'active' THEN 'suspended' ELSE 'active' END"


class Alarm:
    """Counts wake-ups, and can wait for the next one."""

    def __init__(self) -> None:
        self.count = 0
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self.count += 1
        self._rung.set()

    def clear(self) -> None:
        self._rung.clear()

    async def rings(self) -> None:
        async with asyncio.timeout(15):
            await self._rung.wait()
        self._rung.clear()


@asynccontextmanager
async def watching(registry: PostgresRegistry) -> AsyncIterator[Alarm]:
    """An alarm that `registry` rings; the ring of the first connection is over."""
    alarm = Alarm()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(registry.watch(alarm.ring))
        await alarm.rings()
        yield alarm
        task.cancel()


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for what has no event."""
    async with asyncio.timeout(15):
        while not is_so():  # noqa: ASYNC110 -- there is no event
            await asyncio.sleep(0.01)


async def seed(sql: asyncpg.Connection, tenants: int = 1) -> None:
    await sql.execute("INSERT INTO cells (id) VALUES ('cell-a'), ('cell-b')")
    await sql.execute(f"INSERT INTO tenants SELECT 't' || i, 'cell-a' FROM generate_series(1, {tenants}) i")


async def test_a_commit_wakes_at_once(registry: PostgresRegistry, sql: asyncpg.Connection) -> None:
    await seed(sql)
    async with watching(registry) as alarm:
        for _ in range(3):
            began = time.monotonic()
            await sql.execute(MOVE)
            await alarm.rings()
            assert time.monotonic() - began < 5  # the poll is ten minutes away
        assert registry.status.connected


async def test_a_rollback_wakes_nobody(registry: PostgresRegistry, sql: asyncpg.Connection) -> None:
    await seed(sql)
    async with watching(registry) as alarm:
        transaction = sql.transaction()
        await transaction.start()
        await sql.execute(MOVE)
        await transaction.rollback()
        before = alarm.count
        await sql.execute("SELECT pg_notify('alphaswarm_registry', '')")  # arrives after whatever came before
        await alarm.rings()
        assert alarm.count == before + 1


async def test_a_thousand_moves_in_one_transaction_wake_once(
    registry: PostgresRegistry, sql: asyncpg.Connection
) -> None:
    await seed(sql, 1000)
    async with watching(registry) as alarm:
        topology = await registry.load()
        before = alarm.count
        async with sql.transaction():
            for number in range(1, 1001):
                await sql.execute("UPDATE tenants SET cell_id = 'cell-b' WHERE id = $1", f"t{number}")
        await alarm.rings()
        await sql.execute("SELECT pg_notify('alphaswarm_registry', 'last')")
        await alarm.rings()
        assert alarm.count == before + 2
        assert len((await registry.changes_since(topology.revision)).tenants) == 1000


async def test_nothing_is_missed_when_the_listener_is_killed(
    registry: PostgresRegistry, sql: asyncpg.Connection
) -> None:
    await seed(sql)
    async with watching(registry) as alarm:
        revision = (await registry.load()).revision
        old = await sql.fetchval(LISTENERS)
        alarm.clear()
        async with sql.transaction():  # the change is committed while nobody listens
            await sql.execute(MOVE)
            assert await sql.fetchval("SELECT pg_terminate_backend($1, 5000)", old)
        await alarm.rings()
        assert set((await registry.changes_since(revision)).tenants) == {"t1"}
        new = await sql.fetchval(LISTENERS)
        assert new not in (None, old)
        await sql.execute(MOVE)
        await alarm.rings()
        assert registry.status.connected


async def test_the_poll_finds_what_was_not_notified(database_url: str, sql: asyncpg.Connection) -> None:
    await seed(sql)
    await sql.execute("DROP TRIGGER tenants_notify ON tenants")
    async with PostgresRegistry.open(database_url, poll_seconds=0.2) as registry, watching(registry) as alarm:
        revision = (await registry.load()).revision
        await sql.execute(MOVE)
        alarm.clear()
        await alarm.rings()
        assert set((await registry.changes_since(revision)).tenants) == {"t1"}


async def test_the_poll_goes_on_while_there_is_no_database() -> None:
    url = "postgresql://u:s3cret@127.0.0.1:1/x"
    async with PostgresRegistry.open(url, poll_seconds=0.05) as registry, watching(registry) as alarm:
        await alarm.rings()
        await until(lambda: "cannot be reached" in registry.status.error)
        assert not registry.status.connected
        assert "s3cret" not in registry.status.error


async def test_a_lost_database_shows_in_the_status_until_it_is_back(
    postgres: PostgresServer, registry: PostgresRegistry, sql: asyncpg.Connection
) -> None:
    database = await sql.fetchval("SELECT current_database()")
    async with watching(registry) as alarm:
        assert registry.status.connected
        pid = await sql.fetchval(LISTENERS)
        postgres.administrate(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
        await sql.execute("SELECT pg_terminate_backend($1, 5000)", pid)
        await until(lambda: "not currently accepting connections" in registry.status.error)
        lost = registry.status
        assert not lost.connected

        alarm.clear()
        postgres.administrate(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")
        await alarm.rings()
        assert registry.status.connected
        assert registry.status.error == ""
        assert registry.status.since > lost.since
