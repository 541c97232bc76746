"""What several packages' tests have: a whole control plane, asked as an operator."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.controlled import OPERATOR, Controlled, controlled


@pytest.fixture
async def operated(database_url: str, tmp_path: Path) -> AsyncIterator[Controlled]:
    """Two cells, a tenant in the first, published; everybody needs a token, and the client has an operator's."""
    async with controlled(database_url, tmp_path, http_auth="token", token=OPERATOR) as made:
        yield made
