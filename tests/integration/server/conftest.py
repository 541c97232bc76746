"""What every test of the server has."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.server.ads import ControlPlane, control_plane


@pytest.fixture
async def plane() -> AsyncIterator[ControlPlane]:
    """A control plane that serves one cell and one tenant."""
    async with control_plane() as served:
        yield served


@pytest.fixture
async def empty_plane() -> AsyncIterator[ControlPlane]:
    """A control plane that has nothing to serve yet."""
    async with control_plane(published=False) as served:
        yield served


@pytest.fixture
def grpc_complaints(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What grpc logs of handlers that end as they should not; a test asserts that there is nothing."""
    caplog.set_level("ERROR", logger="grpc._cython.cygrpc")
    return caplog
