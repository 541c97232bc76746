"""What becomes of the fleet when the control plane, the database or an Envoy goes away."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.e2e.watching import execute, is_answered, statusz, traffic, until
from tests.support.plans import planned
from xds.demo.client import EdgeClient
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    async with Stack(await planned(environment={"REGISTRY_POLL_SECONDS": "1", "LOG_LEVEL": "debug"})) as running:
        yield running


async def test_a_restarted_control_plane_fails_no_request_and_resends_nothing(stack: Stack) -> None:
    async with traffic(stack, "acme") as seen:
        await stack.control_plane.restart()
        await until(lambda: has_nodes(stack, 2), "both Envoys are back")
    assert seen.failed == []
    assert seen.answered > 0
    assert resent(await statusz(stack)) == 0


async def test_a_killed_control_plane_is_missed_by_nobody(stack: Stack) -> None:
    stack.control_plane.crash()
    async with traffic(stack, "acme") as seen:
        await asyncio.sleep(1)
        assert await is_answered(stack, "acme", 200, stack.placements["acme"])
    assert seen.failed == []
    await execute(stack, "UPDATE tenants SET cell_id = 'cell-shared-std-eu' WHERE id = 'acme'")
    stack.control_plane.begin()
    await stack.control_plane.ready()
    await until(lambda: is_answered(stack, "acme", 200, "cell-shared-std-eu"), "what was missed is caught up with")


async def test_a_lost_database_harms_nobody_and_nothing_is_missed(stack: Stack) -> None:
    async with traffic(stack, "globex") as seen:
        stack.postgres.crash()
        await until(lambda: is_connected(stack, connected=False), "the loss is noticed")
        status, text = await stack.control_plane.ask("/readyz")
        assert (status, json.loads(text)["status"]) == (200, "ok")
        assert (await statusz(stack))["registry"]["error"]
        assert await is_answered(stack, "globex", 200, stack.placements["globex"])
        await stack.postgres.restart()
        await execute(stack, "UPDATE tenants SET cell_id = 'cell-dedicated-ent-us' WHERE id = 'globex'")
        await until(lambda: is_answered(stack, "globex", 200, "cell-dedicated-ent-us"), "the move is followed")
        await until(lambda: is_connected(stack, connected=True), "the return is noticed")
    assert seen.failed == []


async def test_a_control_plane_waits_for_a_database_that_is_down_at_start(stack: Stack) -> None:
    await stack.control_plane.stop()
    stack.postgres.crash()
    stack.control_plane.begin()

    async def says_why() -> bool:
        status, text = await stack.control_plane.ask("/readyz")
        return status == 503 and "registry" in json.loads(text)["reason"]

    await until(lambda: answers(stack), "the control plane is up")
    await until(says_why, "readiness says why not")
    assert "Traceback" not in stack.control_plane.child.log.read_text()
    assert await is_answered(stack, "hooli", 200, stack.placements["hooli"])
    await stack.postgres.restart()
    await stack.control_plane.ready()
    await until(lambda: has_nodes(stack, 2), "both Envoys are back")


async def test_an_envoy_that_restarts_has_its_config_again(stack: Stack) -> None:
    envoy = stack.envoys["edge-b"]
    await envoy.restart()
    async with EdgeClient(stack.ports.edges["edge-b"]) as client:
        answer = await client.get("/api/x", token=stack.idp.mint("hooli"))
    assert answer.cell == stack.placements["hooli"]


async def test_a_paused_envoy_catches_up(stack: Stack) -> None:
    stack.envoys["edge-b"].pause()
    try:
        for cell in ("cell-dedicated-ent-us", "cell-shared-std-eu"):
            await execute(stack, f"UPDATE tenants SET cell_id = '{cell}' WHERE id = 'wonka'")
            token = stack.idp.mint("wonka")

            async def has_followed(cell: str = cell, token: str = token) -> bool:
                return (await stack.get("edge-a", "/api/x", token=token)).cell == cell

            await until(has_followed, "the other Envoy is not held up")
    finally:
        stack.envoys["edge-b"].resume()
    await until(lambda: is_answered(stack, "wonka", 200, "cell-shared-std-eu"), "both Envoys have followed")


async def test_no_token_and_no_password_is_in_any_log(stack: Stack) -> None:
    log = stack.control_plane.child.log.read_text()
    assert '"node_id"' in log
    assert "eyJ" not in log
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    protocol = [line for line in lines if line["event"] in ("session.responded", "session.acked")]
    assert protocol
    for line in protocol:
        assert {"node_id", "stream_id", "type_url", "nonce", "version"} <= line.keys()


async def answers(stack: Stack) -> bool:
    try:
        await stack.control_plane.ask("/healthz")
    except Exception:  # noqa: BLE001 -- not yet, whatever the reason
        return False
    return True


async def has_nodes(stack: Stack, count: int) -> bool:
    return len((await statusz(stack))["nodes"]) == count


async def is_connected(stack: Stack, *, connected: bool) -> bool:
    return bool((await statusz(stack))["registry"]["connected"] is connected)


def resent(status: dict[str, object]) -> int:
    """How many responses all streams were sent since they came back."""
    nodes = status["nodes"]
    assert isinstance(nodes, list)
    return sum(kind["sent"] for node in nodes for kind in node["types"])
