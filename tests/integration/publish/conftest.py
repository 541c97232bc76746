"""A plain connection to a fresh database."""

from collections.abc import AsyncIterator

import asyncpg
import pytest


@pytest.fixture
async def sql(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Plain SQL from outside, as psql would send it."""
    connection = await asyncpg.connect(database_url, timeout=10, command_timeout=20)
    yield connection
    await connection.close(timeout=10)
