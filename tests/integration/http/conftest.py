"""A served application whose status the test sets, and a client for it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.integration.http.face import Face
from xds.http import HttpServer, build_app
from xds.settingvalues import Address


@pytest.fixture
async def face() -> AsyncIterator[Face]:
    face = Face()
    async with HttpServer(build_app(face.read, face.metrics), Address("127.0.0.1", 0)) as server:
        face.base = f"http://{server.address}"
        yield face


@pytest.fixture
async def client(face: Face) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(face.base, timeout=aiohttp.ClientTimeout(total=10)) as client:
        yield client
