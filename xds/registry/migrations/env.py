"""Alembic's entry: runs the migrations over asyncpg.

The database is `DATABASE_URL`, or what `xds.registry.migrating` passes. The URL is read by asyncpg itself,
so that every form the program accepts (a Unix socket, `sslmode`, …) works here too.
"""
# ruff: noqa: INP001 -- Alembic runs it as a script

import asyncio
import logging
import os

import asyncpg
from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from xds.errors import XdsError
from xds.registry.dsn import describe
from xds.registry.faults import translated_connecting
from xds.registry.schema import VERSION_TABLE

# "alphamig" in ASCII: two replicas that migrate at once do it one after the other.
MIGRATION_LOCK = 0x616C7068616D6967


def _dsn() -> str:
    passed = context.config.attributes.get("dsn")
    if passed is not None:
        return str(passed)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("alembic").setLevel(logging.INFO)
    dsn = os.environ.get("DATABASE_URL", "")
    if not dsn:
        raise CommandError("DATABASE_URL is not set: expected the registry's postgresql:// URL")
    return dsn


def _migrate(connection: Connection) -> None:
    context.configure(connection=connection, version_table=VERSION_TABLE)
    with context.begin_transaction():
        connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
        context.run_migrations()


async def _run(dsn: str, timeout: float) -> None:
    # asyncpg gets the URL itself: SQLAlchemy's reading of it knows fewer forms.
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(dsn, timeout=timeout), poolclass=NullPool
    )
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_migrate)
    finally:
        await engine.dispose()


if context.is_offline_mode():
    context.configure(dialect_name="postgresql", version_table=VERSION_TABLE)
    with context.begin_transaction():
        context.run_migrations()
else:
    dsn = _dsn()
    try:
        with translated_connecting(describe(dsn)):
            asyncio.run(_run(dsn, float(context.config.attributes.get("timeout", 10))))
    except XdsError as error:
        if "dsn" in context.config.attributes:
            raise
        # The one exception that the `alembic` program shows as a line.
        raise CommandError(str(error)) from error
