"""One running system a test module and protocol variant: PostgreSQL, control plane, two Envoys, three cells.

A module's SETTINGS are the control plane's, besides those that the system needs.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Literal, cast

import pytest
import pytest_asyncio

from xds.demo.plan import Plan
from xds.demo.stack import Stack

Variant = Literal["delta", "sotw"]

LONG = ("test_network.py", "test_rollout.py")
"""Modules that `make test` plays in one variant only, and `make long` in the other: each takes a minute or more."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make long` is for."""
    for item in items:
        if item.path.name in LONG and "[sotw" in item.name:
            item.add_marker(pytest.mark.long)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["delta", "sotw"])
async def stack(request: pytest.FixtureRequest) -> AsyncIterator[Stack]:
    settings: Mapping[str, str] = getattr(request.module, "SETTINGS", {})
    async with Stack(Plan(variant=cast(Variant, request.param), environment=settings)) as running:
        yield running
