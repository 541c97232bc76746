"""A real introspection endpoint for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.support.introspection import IntrospectionServer, introspection_server


@pytest.fixture
async def idp() -> AsyncIterator[IntrospectionServer]:
    async with introspection_server() as server:
        yield server
