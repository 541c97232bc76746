"""A database that is not there, not ours, or not what it should be: one clear line, never the password."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from xds.errors import RegistryMismatch, RegistryUnavailable, SettingsError
from xds.model import Cell
from xds.names import CellId, Revision
from xds.operations import add_cell, list_tenants
from xds.registry import PostgresRegistry

DOWN = "postgresql://user:s3cret@127.0.0.1:1/alphaswarm"

USES: dict[str, Callable[[PostgresRegistry], Awaitable[object]]] = {
    "load": lambda registry: registry.load(),
    "changes_since": lambda registry: registry.changes_since(Revision(0)),
    "check_schema": lambda registry: registry.check_schema(),
    "prune": lambda registry: registry.prune(1),
    "write": lambda registry: add_cell(registry, Cell(id=CellId("cell-a"))),
    "list": list_tenants,
}


@pytest.mark.parametrize("use", USES)
async def test_a_database_that_is_down_is_one_line_without_the_password(use: str) -> None:
    async with PostgresRegistry.open(DOWN) as registry:
        assert registry.status.error == "not asked yet"
        with pytest.raises(RegistryUnavailable) as error:
            await USES[use](registry)
        assert str(error.value) == "registry 127.0.0.1:1/alphaswarm: cannot be reached: connection refused"
        assert not registry.status.connected
        assert registry.status.error == str(error.value)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://u:s3cret@/x?host=/nowhere", "registry /nowhere (database x): cannot be reached: no such file"),
        ("postgresql://u:s3cret@name.invalid/x", "registry name.invalid:5432/x: cannot be reached: "),
    ],
)
async def test_an_address_that_leads_nowhere(url: str, reason: str) -> None:
    async with PostgresRegistry.open(url) as registry:
        with pytest.raises(RegistryUnavailable) as error:
            await registry.load()
        assert str(error.value).startswith(reason)
        assert "s3cret" not in str(error.value)


@pytest.mark.parametrize("url", ["postgresql://u:s3c@ret:@localhost:1x/x", "postgresql://u:p/s3cret@localhost:port/x"])
async def test_a_url_that_is_none_is_not_quoted(url: str) -> None:
    with pytest.raises(SettingsError, match=r"^DATABASE_URL: expected postgresql://") as error:
        async with PostgresRegistry.open(url) as registry:
            await registry.load()
    assert "s3c" not in str(error.value)


async def test_a_missing_database(postgres: object, database_url: str) -> None:
    url = database_url.replace("/test_", "/missing_")
    async with PostgresRegistry.open(url) as registry:
        with pytest.raises(RegistryUnavailable, match=r'database "missing_[0-9]+" does not exist'):
            await registry.check_schema()


@pytest.fixture
async def deaf() -> AsyncIterator[int]:
    """The port of a server that accepts and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def test_a_database_that_does_not_answer_is_given_up(deaf: int) -> None:
    async with PostgresRegistry.open(f"postgresql://u:s3cret@127.0.0.1:{deaf}/x", timeout=0.2) as registry:
        with pytest.raises(RegistryUnavailable, match="did not answer in time"):
            async with asyncio.timeout(10):
                await registry.load()


async def test_a_lock_that_is_not_given_is_given_up(database_url: str, sql: asyncpg.Connection) -> None:
    async with PostgresRegistry.open(database_url, timeout=0.3) as registry:
        async with sql.transaction():
            await sql.execute("LOCK TABLE cells")
            with pytest.raises(RegistryUnavailable, match="did not answer in time"):
                await add_cell(registry, Cell(id=CellId("cell-a")))
        await add_cell(registry, Cell(id=CellId("cell-a")))
        assert registry.status.connected


async def test_queries_recover_when_their_connections_were_cut(
    registry: PostgresRegistry, sql: asyncpg.Connection
) -> None:
    await registry.load()
    await sql.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )
    async with asyncio.timeout(10):
        while True:
            try:
                await registry.load()
            except RegistryUnavailable:
                continue
            break
    assert registry.status.connected


async def test_the_schema_of_this_version_is_accepted(registry: PostgresRegistry) -> None:
    await registry.check_schema()


async def test_a_database_without_our_schema_says_what_to_run(empty_database_url: str) -> None:
    async with PostgresRegistry.open(empty_database_url) as registry:
        with pytest.raises(RegistryMismatch, match=r"is at no revision, this version needs 0006_rollouts: run 'alph"):
            await registry.check_schema()
        with pytest.raises(RegistryMismatch, match="run 'alphaswarm-xds migrate'"):
            await registry.load()


async def test_a_newer_schema_is_a_mismatch(registry: PostgresRegistry, sql: asyncpg.Connection) -> None:
    await sql.execute("UPDATE xds_alembic_version SET version_num = '0099_future'")
    with pytest.raises(RegistryMismatch, match=r"is at 0099_future, this version needs 0006_rollouts"):
        await registry.check_schema()
