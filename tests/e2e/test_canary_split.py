"""The canary inside Envoy: a tenant is its cell's or the legacy proxy's, through real Envoys."""

import shlex
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from tests.deployments.commandlines import invocations
from tests.e2e.watching import fetch, is_answered, traffic, until
from tests.support.plans import planned
from xds.demo.cell_api import make_app
from xds.demo.ports import LOOPBACK, free_port
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

LEGACY = free_port()
RUNBOOK = Path(__file__).parents[2] / "deployments/RUNBOOK.md"
(START,) = (line for line in invocations(RUNBOOK.read_text()) if line.startswith("rollout start"))
"""The runbook's line by which settings that were in force before are in force again."""
SETTINGS = {
    "LEGACY_UPSTREAM": f"{LOOPBACK}:{LEGACY}",
    "CANARY_TENANTS": "acme=0",
    "SHUTDOWN_SECONDS": "0",
    # A weight is a setting, and so is rolled out; here to all at once.
    "ROLLOUT_WAVES": "all",
    "ROLLOUT_SOAK_SECONDS": "0",
    "ROLLOUT_DELAY_SECONDS": "0",
    "AUTH_WEBSOCKET_QUERY": "access_token",
    "AUTH_WEBSOCKET_COOKIE": "session",
    "AUTH_WEBSOCKET_ORIGINS": "https://app.example",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    runner = web.AppRunner(make_app("legacy"), access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, LEGACY).start()
    try:
        async with Stack(await planned(environment=SETTINGS)) as running:
            yield running
    finally:
        await runner.cleanup()


async def test_the_legacy_proxy_gets_its_tenants_with_token_and_path_as_they_came(stack: Stack) -> None:
    token = stack.idp.mint("acme")
    for edge in stack.clients:
        answer = await stack.get(edge, "/api/x?a=%26b", token=token, headers={"x-alphaswarm-cell": "cell-a"})
        assert (answer.status, answer.cell) == (200, "legacy")
        assert answer.body["path"] == "/api/x?a=%26b"
        assert answer.saw("authorization") == f"Bearer {token}"
        assert answer.saw("x-alphaswarm-tenant") == "acme"
        assert answer.saw("x-request-id")
        for ours in ("x-alphaswarm-cell", "x-alphaswarm-cell-claim", "x-alphaswarm-issuer"):
            assert answer.saw(ours) is None, ours


async def test_all_others_stay_at_their_cells(stack: Stack) -> None:
    for edge in stack.clients:
        for tenant, cell in stack.placements.items():
            expected = "legacy" if tenant == "acme" else cell
            seen = {(await stack.get(edge, "/api/x", token=stack.idp.mint(tenant))).cell for _ in range(5)}
            assert seen == {expected}


async def test_a_websockets_token_is_left_to_the_legacy_proxy_and_hidden_from_cells(stack: Stack) -> None:
    for client in stack.clients.values():
        for tenant, where in (("acme", "legacy"), ("globex", stack.placements["globex"])):
            token = stack.idp.mint(tenant)
            hello, echoed = await client.echo(f"/ws/x?access_token={token}&b=1", "ping")
            assert (hello.body["cell"], echoed) == (where, "ping")
            shown = f"/ws/x?access_token={token}&b=1" if where == "legacy" else "/ws/x?b=1"
            assert hello.body["path"] == shown


async def test_without_a_good_token_nothing_reaches_the_legacy_proxy(stack: Stack) -> None:
    for edge in stack.clients:
        for token in ("", stack.idp.mint("acme", forged=True)):
            assert (await stack.get(edge, "/api/x", token=token)).status == 401
        assert (await stack.get(edge, "/manage/x", token=stack.idp.mint("acme"))).status == 403


async def newest_rollout(stack: Stack) -> str:
    ((state,),) = await fetch(stack, "SELECT state FROM rollouts ORDER BY id DESC LIMIT 1")
    return str(state)


async def is_pending(stack: Stack) -> bool:
    return await newest_rollout(stack) == "pending"


async def test_weights_go_down_and_up_and_back_by_the_runbook_without_a_failed_request(stack: Stack) -> None:
    """100 → 10 → 50 → 10 %, each by a restart of the control plane; Envoys follow, and no request fails."""
    environment = stack.control_plane.child._environment
    assert isinstance(environment, dict)
    cell = stack.placements["globex"]
    async with traffic(stack, "globex") as seen:
        for weight, at in (("10", "legacy"), ("50", cell)):
            environment["CANARY_WEIGHT"] = weight
            await stack.control_plane.restart()
            await until(lambda at=at: is_answered(stack, "globex", 200, at), f"{weight} %: globex is at {at}")  # type: ignore[misc]
        environment["CANARY_WEIGHT"] = "10"
        await stack.control_plane.restart()
        await until(lambda: is_pending(stack), "10 % was in force before, and waits")
        assert await is_answered(stack, "globex", 200, cell)
        await stack.control_plane.run(*shlex.split(START))
        assert await newest_rollout(stack) == "done"
        assert await is_answered(stack, "globex", 200, "legacy")
    assert seen.failed == []
    assert seen.cells == {cell, "legacy"}
    assert seen.answered > 20
