"""One running system a test module and protocol variant: PostgreSQL, control plane, two Envoys, three cells."""

from collections.abc import AsyncIterator
from typing import Literal, cast

import pytest
import pytest_asyncio

from xds.demo.plan import Plan
from xds.demo.stack import Stack

Variant = Literal["delta", "sotw"]


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["delta", "sotw"])
async def stack(request: pytest.FixtureRequest) -> AsyncIterator[Stack]:
    async with Stack(Plan(variant=cast(Variant, request.param))) as running:
        yield running
