"""The grace after a move, through real Envoys: the old cell's tokens pass in the new one, and then no more."""

import time

import pytest

from tests.e2e.asking import ask
from tests.e2e.watching import agreed, execute, is_answered, statusz, traffic, until
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

GRACE = 8.0
SETTINGS = {"CBA_GRACE_SECONDS": f"{GRACE:.0f}", "REGISTRY_POLL_SECONDS": "3600"}
OLD, NEW = "cell-shared-std-local", "cell-dedicated-ent-us"


async def statuses(stack: Stack, tenant: str, cell: str) -> set[int]:
    """What a token of the tenant, bound to a cell, is answered by each Envoy."""
    token = stack.idp.mint(tenant, cell=cell)
    return {(await ask(port, "/api/x", token=token)).status for port in stack.ports.edges.values()}


async def test_old_tokens_pass_for_the_grace_and_then_no_more_without_a_failed_request(stack: Stack) -> None:
    tenant = stack.tenants_of(OLD)[0]
    async with traffic(stack, tenant) as seen:
        moved = time.monotonic()
        await stack.move(tenant, NEW)
        await until(lambda: is_answered(stack, tenant, 200, NEW), f"{tenant} is moved")
        assert await statuses(stack, tenant, OLD) == {200}
        assert await statuses(stack, tenant, NEW) == {200}
        assert await statuses(stack, tenant, "cell-shared-std-eu") == {401}
        assert [await agreed(stack, stack.idp.mint(tenant, cell=cell), NEW) for cell in (OLD, NEW)] == [200, 200]
        assert time.monotonic() < moved + GRACE, "the machine is too slow for this test"

        async def is_over() -> bool:
            return await statuses(stack, tenant, OLD) == {401}

        # The registry is not polled here: it is the end of the grace that wakes the publisher.
        await until(is_over, "the grace is over", timeout=GRACE + 15)
        assert time.monotonic() > moved + GRACE - 0.5
        assert await statuses(stack, tenant, NEW) == {200}
        assert [await agreed(stack, stack.idp.mint(tenant, cell=cell), NEW) for cell in (OLD, NEW)] == [401, 200]
    assert seen.failed == []
    await until(lambda: has_tables(stack, 6), "the grace's table is gone")


async def test_a_grace_ends_at_once_if_an_operator_says_so(stack: Stack) -> None:
    tenant = stack.tenants_of(OLD)[0]
    await stack.move(tenant, NEW)
    await until(lambda: is_answered(stack, tenant, 200, NEW), f"{tenant} is moved")
    moved = time.monotonic()
    await execute(stack, f"UPDATE tenants SET previous_cell = NULL, moved_at = NULL WHERE id = '{tenant}'")

    async def is_over() -> bool:
        return await statuses(stack, tenant, OLD) == {401}

    await until(is_over, "the grace is over")
    assert time.monotonic() < moved + GRACE


async def has_tables(stack: Stack, count: int) -> bool:
    """Whether there are so many route tables: one a cell, and the three that belong to none."""
    return bool((await statusz(stack))["snapshot"]["resources"]["rds"] == count)
