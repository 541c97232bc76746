"""One running system a test module and protocol variant: PostgreSQL, control plane, two Envoys, three cells.

A module's SETTINGS are the control plane's, besides those that the system needs.
"""

import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Literal, cast

import pytest
import pytest_asyncio

from tests.support.plans import planned
from xds.demo.stack import Stack

HERE = Path(__file__).parent

Variant = Literal["delta", "sotw"]

BOTH = ("changes", "on_demand", "rejected", "requests", "resilience", "single_services", "ttl")
"""What the protocol's variant may matter for. `make test` plays the rest by delta alone, and `make long` by SotW."""

LONG = ("canary", "dashboards", "network")
"""What takes long by itself, and is left to `make long` as a whole."""

_SOTW = re.compile(r"[\[-]sotw[\]-]")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what `make long` is for."""
    for item in items:
        if not item.path.is_relative_to(HERE):
            continue  # pytest asks about all that it has collected
        module = item.path.stem.removeprefix("test_")
        if module in LONG or (_SOTW.search(item.name) and module not in BOTH):
            item.add_marker(pytest.mark.long)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["delta", "sotw"])
async def stack(request: pytest.FixtureRequest) -> AsyncIterator[Stack]:
    settings: Mapping[str, str] = getattr(request.module, "SETTINGS", {})
    async with Stack(await planned(variant=cast(Variant, request.param), environment=settings)) as running:
        yield running
