"""A registry in a fresh database."""

from collections.abc import AsyncIterator

import pytest

from xds.registry import PostgresRegistry


@pytest.fixture
async def registry(database_url: str) -> AsyncIterator[PostgresRegistry]:
    """Where snapshots are kept; its poll is too slow to help any test."""
    async with PostgresRegistry.open(database_url, timeout=10, poll_seconds=600) as opened:
        yield opened
