"""Changed settings on their way through real Envoys, wave by wave, gated and undone, with traffic running."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest

from tests.e2e.load import Load, load
from tests.e2e.watching import execute, fetch
from tests.e2e.watching import until as within
from xds.demo.control_plane import ControlPlane
from xds.demo.ports import LOOPBACK, free_port
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

until = partial(within, timeout=40)

SETTINGS = {
    "ROLLOUT_WAVES": "node=edge-a-*",
    "ROLLOUT_SOAK_SECONDS": "1.5",
    "ROLLOUT_DELAY_SECONDS": "2",
    "REPLICA": "replica-1",
}


async def newest(stack: Stack) -> dict[str, Any]:
    """The newest rollout. Not by the command line: a busy machine takes longer for one than a wave soaks."""
    found = await fetch(stack, "SELECT id, state, wave, nodes, reason FROM rollouts ORDER BY id DESC LIMIT 1")
    return (
        dict(zip(("id", "state", "wave", "nodes", "reason"), found[0], strict=True))
        if found
        else {"id": 0, "state": ""}
    )


async def restart_with(stack: Stack, **settings: str) -> None:
    """Have another control plane, with these settings, in the place of the one that runs."""
    await stack.control_plane.stop()
    stack.control_plane = stack.control_plane.with_settings(**settings)
    stack.control_plane.begin()
    await stack.control_plane.ready()


@asynccontextmanager
async def all_asking(stack: Stack) -> AsyncIterator[Load]:
    """Traffic of every tenant that is not moved or suspended meanwhile, through every Envoy."""
    tenants = [tenant for tenant in stack.placements if tenant not in ("globex", "hooli")]
    async with load(list(stack.ports.edges.values()), {each: stack.idp.mint(each) for each in tenants}) as seen:
        yield seen


async def refusal(stack: Stack, edge: str) -> str:
    """What a suspended tenant is told; empty if it is let in."""
    answer = await stack.get(edge, "/api/x", token=stack.idp.mint("hooli"))
    return str(answer.body["error"]) if answer.status == 403 else ""


async def rejected(stack: Stack, edge: str) -> int:
    """How many listener updates an Envoy has rejected."""
    stats = await stack.envoys[edge].stats("listener_manager.lds.update_rejected")
    return int(stats["listener_manager.lds.update_rejected"])


async def test_changed_settings_reach_the_first_wave_then_all_and_moves_reach_both_meanwhile(stack: Stack) -> None:
    await execute(stack, "UPDATE tenants SET state = 'suspended' WHERE id = 'hooli'")
    await until(lambda: is_told(stack, ("edge-a", "edge-b"), "is suspended"), "hooli is suspended")
    async with all_asking(stack) as seen:
        await restart_with(stack, HIDE_SUSPENDED="yes", ROLLOUT_SOAK_SECONDS="6")
        await until(lambda: is_told(stack, ("edge-a",), "unknown"), "the first wave has it")
        assert "is suspended" in await refusal(stack, "edge-b")

        async def is_given() -> bool:
            held = await newest(stack)
            return (held["state"], held["wave"], held["nodes"]) == ("running", 0, ["edge-a-1"])

        await until(is_given, "it is written down who has it")

        async def is_measured() -> bool:
            metrics = (await stack.control_plane.ask("/metrics"))[1]
            expected = ('{state="running"} 1.0', '{state="done"} 0.0', "_wave 1.0", "_nodes 1.0")
            return all(f"alphaswarm_xds_rollout{line}\n" in metrics for line in expected)

        await until(is_measured, "the metrics say it")

        target = next(cell for cell in stack.ports.cells if cell != stack.placements["globex"])
        await stack.move("globex", target)
        token = stack.idp.mint("globex")

        async def has_moved() -> bool:
            return {(await stack.get(edge, "/api/x", token=token)).cell for edge in stack.clients} == {target}

        await until(has_moved, "the move is followed in both structures", timeout=3)
        assert "is suspended" in await refusal(stack, "edge-b"), "and it is still the first wave's alone"

        await until(lambda: is_told(stack, ("edge-a", "edge-b"), "unknown"), "everyone has it")
        await until(lambda: is_state(stack, "done"), "it is done")
    assert seen.failed == []
    assert seen.answered > 100
    snapshots = json.loads(await stack.control_plane.run("snapshot", "list", "--limit", "1", "--json"))["data"]
    assert snapshots[0]["kind"] == "structure"


async def is_told(stack: Stack, edges: tuple[str, ...], word: str) -> bool:
    return all([word in await refusal(stack, edge) for edge in edges])


async def is_state(stack: Stack, state: str, *, newer_than: int = 0) -> bool:
    rollout = await newest(stack)
    return bool(rollout["state"] == state and rollout["id"] > newer_than)


async def test_a_structure_that_an_envoy_rejects_reaches_only_the_first_wave_and_is_undone_by_itself(
    stack: Stack,
) -> None:
    before = (await newest(stack))["id"]
    async with all_asking(stack) as seen:
        await restart_with(
            stack,
            INTERNAL_LISTENERS=",".join(f"{edge}={LOOPBACK}:{free_port()}" for edge in stack.clients),
            INTERNAL_TLS_CERT_FILE="/nowhere/tls.crt",
            INTERNAL_TLS_KEY_FILE="/nowhere/tls.key",
            INTERNAL_TLS_CA_FILE="/nowhere/ca.crt",
            INTERNAL_ALLOWED_SANS="spiffe://x",
        )
        await until(lambda: is_state(stack, "stopped", newer_than=before), "it is stopped")
    stopped = await newest(stack)
    assert "node edge-a-1 rejected it: lds:" in stopped["reason"]
    assert "/nowhere" in stopped["reason"]
    assert (await rejected(stack, "edge-a"), await rejected(stack, "edge-b")) == (1, 0)
    assert seen.failed == []
    assert seen.answered > 100

    async def is_back() -> bool:
        seen = await fetch(stack, "SELECT node_id, lane, is_settled, error FROM fleet_nodes WHERE gone_at IS NULL")
        return sorted(seen) == [("edge-a-1", "edge-a", True, ""), ("edge-b-1", "edge-b", True, "")]

    await until(is_back, "both hold what they had")
    assert (await newest(stack))["id"] == stopped["id"], "and it is not tried again by itself"
    ((number,),) = await fetch(stack, "SELECT max(number) FROM snapshots WHERE kind = 'structure'")
    await stack.control_plane.run("snapshot", "rollback", str(number), "--yes", "--by", "ann")
    await stack.control_plane.run("snapshot", "resume", "--by", "ann")
    await until(is_back, "both hold what they had before")
    assert (await rejected(stack, "edge-a"), await rejected(stack, "edge-b")) == (1, 0), "nor by a rollback"
    await restart_with(stack, INTERNAL_LISTENERS="")


async def publishes(plane: ControlPlane) -> bool:
    """Whether it is this one."""
    return bool(json.loads((await plane.ask("/statusz"))[1])["snapshot"]["publishes_here"])


async def test_a_rollout_goes_on_when_the_one_of_two_replicas_that_publishes_is_killed(stack: Stack) -> None:
    before = (await newest(stack))["id"]
    settings = {"HIDE_SUSPENDED": "no", "EDGE_TRUSTED_HOPS": "1", "ROLLOUT_SOAK_SECONDS": "3"}
    second = stack.replica("two").with_settings(**settings)
    second.begin()
    try:
        await second.ready()
        async with all_asking(stack) as seen:
            await stack.control_plane.stop()
            await until(lambda: publishes(second), "the second replica publishes")
            await restart_with(stack, **settings)
            await until(lambda: is_state(stack, "running", newer_than=before), "it runs")
            await until(lambda: is_told(stack, ("edge-a",), "is suspended"), "the first wave has it")
            assert not await publishes(stack.control_plane)

            async def is_recorded() -> bool:
                found = await fetch(stack, "SELECT published_by FROM snapshots ORDER BY number DESC LIMIT 1")
                return bool(found[0][0] == "two")

            await until(is_recorded, "the second replica has recorded what the first wave is given")
            second.crash()
            assert (await newest(stack))["state"] == "running"
            await until(lambda: is_state(stack, "done", newer_than=before), "the other one ends it", timeout=30)
            await until(lambda: is_told(stack, ("edge-a", "edge-b"), "is suspended"), "everyone has it")
    finally:
        second.crash()
    assert seen.failed == []
    listed = json.loads(await stack.control_plane.run("snapshot", "list", "--json"))["data"]
    numbers = [each["number"] for each in listed]
    assert numbers == list(range(numbers[0], numbers[0] - len(numbers), -1)), "and no snapshot is there twice"
    assert [each["kind"] for each in listed[:2]] == ["structure", "change"]
    assert [each["by"] for each in listed[:2]] == ["replica-1", "two"]


async def test_settings_that_were_in_force_before_wait_for_an_operator_who_may_abort(stack: Stack) -> None:
    await restart_with(stack, HIDE_SUSPENDED="yes", EDGE_TRUSTED_HOPS="0")
    await until(lambda: is_state(stack, "pending"), "it waits")
    await stack.control_plane.run("rollout", "start", "--yes", "--soak", "60", "-m", "once more", "--by", "ann")
    await until(lambda: is_told(stack, ("edge-a",), "unknown"), "the first wave has it")
    await stack.control_plane.run("rollout", "abort", "-m", "no good", "--by", "bob")
    await until(lambda: is_told(stack, ("edge-a", "edge-b"), "is suspended"), "it is back")
    assert (await newest(stack))["reason"] == "aborted by bob: no good"


async def test_what_the_publishers_own_envoy_rejects_is_given_to_nobody(stack: Stack) -> None:
    before, rejections = (await newest(stack))["id"], [await rejected(stack, edge) for edge in stack.clients]
    async with all_asking(stack) as seen:
        await restart_with(stack, EDGE_LISTENERS=",".join(f"{edge}=no-address:{free_port()}" for edge in stack.clients))
        await until(lambda: is_state(stack, "stopped", newer_than=before), "it is stopped")
    stopped = await newest(stack)
    assert stopped["nodes"] == []
    assert stopped["reason"].startswith("Envoy rejects it, and no node was given it: lds edge (of the settings): ")
    assert "no-address" in stopped["reason"]
    assert [await rejected(stack, edge) for edge in stack.clients] == rejections
    assert seen.failed == []
