"""What dashboards and alerts ask, asked of a real Prometheus that scrapes a running system: each finds something.

So a label or a value that nothing has is found here; that the metrics exist, in test_observation.
"""

import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.e2e.prometheus import query, scraping
from tests.e2e.watching import extra_cell, is_answered, until
from tests.support.plans import planned
from tests.support.promql import ALERTS, expressions, selectors
from xds.demo.ports import LOOPBACK
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

AT_THE_LEGACY_PROXY, OF_A_LOST_CELL = "acme", "globex"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    async with extra_cell("legacy") as legacy:
        settings = {"LEGACY_UPSTREAM": f"{LOOPBACK}:{legacy}", "CANARY_TENANTS": f"{AT_THE_LEGACY_PROXY}=0"}
        async with Stack(await planned(environment=settings)) as running:
            yield running


async def test_every_panel_and_every_alert_finds_what_it_asks_for(stack: Stack, tmp_path: Path) -> None:
    lost = stack.placements[OF_A_LOST_CELL]
    one, other = (cell for cell in stack.plan.cells if cell != lost)
    mover = stack.tenants_of(one)[-1]
    asked = {place: selectors(expr) for place, expr in expressions().items()}
    # An alert's whole expression finds nothing, as nearly all is well.
    for place, expr in expressions().items():
        if not place.startswith(ALERTS.name):
            asked[place].append(expr)
    asked["the lost cell"] = ['ALERTS{alertname="CellHasNoHealthyEndpoint"}']

    async with scraping(stack, tmp_path) as prometheus:

        async def missing() -> dict[str, list[str]]:
            found = {
                place: [expr for expr in each if not any(map(math.isfinite, await query(prometheus, expr)))]
                for place, each in asked.items()
            }
            return {place: each for place, each in found.items() if each}

        async def is_complete() -> bool:
            for edge in stack.clients:
                for tenant in (AT_THE_LEGACY_PROXY, OF_A_LOST_CELL, mover, "nobody"):
                    await stack.get(edge, "/api/x", token=stack.idp.mint(tenant))
                await stack.get(edge, "/api/x")
            await stack.move(mover, other if stack.placements[mover] == one else one)
            return not await missing()

        await until(lambda: is_answered(stack, AT_THE_LEGACY_PROXY, 200, "legacy"), "the split is in force")
        await stack.cells[lost].stop()
        await stack.envoys["edge-b"].restart()
        try:
            await until(is_complete, "every query finds something", timeout=30)
        except AssertionError:
            assert await missing() == {}
            raise
