"""A registry and a plain connection to the same fresh database."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from xds.registry import PostgresRegistry


@pytest.fixture
async def registry(database_url: str) -> AsyncIterator[PostgresRegistry]:
    """The registry under test; its poll is too slow to help any test."""
    async with PostgresRegistry.open(database_url, timeout=10, poll_seconds=600) as opened:
        yield opened


@pytest.fixture
async def sql(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Plain SQL from outside, as psql would send it."""
    connection = await asyncpg.connect(database_url, timeout=10, command_timeout=20)
    yield connection
    await connection.close(timeout=10)
