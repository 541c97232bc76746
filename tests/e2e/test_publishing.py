"""Snapshots with real Envoys and real processes: who publishes dies, an operator puts it back, the guard, the disk."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from itertools import pairwise
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from tests.e2e.watching import execute, is_answered, statusz, traffic, until
from tests.support.plans import planned
from xds.demo.client import EdgeClient
from xds.demo.control_plane import ControlPlane
from xds.demo.plan import Plan
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOCAL, EU, US = Plan().cells


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    file = tmp_path_factory.mktemp("state") / "snapshot"
    settings = {"SNAPSHOT_FILE": str(file), "REPLICA": "one", "REGISTRY_POLL_SECONDS": "1"}
    async with Stack(await planned(environment=settings)) as running:
        yield running


async def snapshot(stack: Stack, *arguments: str) -> Mapping[str, Any]:
    """What the command says."""
    return dict(json.loads(await stack.control_plane.run("snapshot", *arguments, "--json")))


async def leads(plane: ControlPlane) -> bool:
    status, text = await plane.ask("/statusz")
    return status == 200 and bool(json.loads(text)["snapshot"]["publishes_here"])


async def history(stack: Stack) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(stack.postgres.dsn)
    try:
        return list(await connection.fetch("SELECT number, digest, published_by FROM snapshots ORDER BY number"))
    finally:
        await connection.close()


async def kill_in_the_middle(stack: Stack, publisher: ControlPlane, tenant: str, cell: str) -> None:
    """Move a tenant, and kill the process that publishes it: its snapshot's row is written, and no resource yet."""
    connection = await asyncpg.connect(stack.postgres.dsn)

    async def is_in_the_middle() -> bool:
        waiting = await connection.fetchval(
            "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted"
            " AND relation = 'snapshot_resources'::regclass AND application_name = 'alphaswarm-xds publisher'"
        )
        return bool(waiting)

    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE snapshot_resources IN EXCLUSIVE MODE")
            await stack.move(tenant, cell)
            await until(is_in_the_middle, "a publish is under way")
            publisher.crash()
    finally:
        await connection.close()


async def test_a_publisher_that_is_killed_in_the_middle_of_a_publish_is_missed_by_nobody(stack: Stack) -> None:
    second = stack.replica("two")
    second.begin()
    await second.ready()
    await stack.control_plane.stop()
    await until(lambda: leads(second), "the second replica publishes")
    stack.control_plane.begin()  # it serves the Envoys, and follows
    await stack.control_plane.ready()
    assert not await leads(stack.control_plane)
    moved = stack.tenants_of(LOCAL)[:6]
    target = EU if stack.placements["globex"] != EU else LOCAL
    async with traffic(stack, "globex") as seen:
        for number in range(60):
            await stack.move(moved[number % 6], (EU, US, LOCAL)[number // 6 % 3])
            if number == 30:
                await kill_in_the_middle(stack, second, "globex", target)
                await until(lambda: is_answered(stack, "globex", 200, target), "another publishes it, whole and once")
            await asyncio.sleep(0.01)
        await stack.move("globex", US)
        await until(lambda: is_answered(stack, "globex", 200, US), "the move made afterwards is followed")
    assert seen.failed == []
    assert seen.answered > 0
    assert await leads(stack.control_plane)
    for tenant in moved:
        assert await is_answered(stack, tenant, 200, stack.placements[tenant])
    rows = await history(stack)
    assert [row["number"] for row in rows] == list(range(1, len(rows) + 1))
    assert all(one["digest"] != two["digest"] for one, two in pairwise(rows))
    by = [row["published_by"] for row in rows]
    assert by[0] == by[-1] == "one"
    assert "two" in by


async def test_an_operator_puts_the_fleet_back_as_it_was(stack: Stack) -> None:
    cell = stack.placements["wonka"]
    was = (await snapshot(stack, "list"))["data"][0]
    await stack.move("wonka", US)
    await until(lambda: is_answered(stack, "wonka", 200, US), "wonka is moved")
    async with traffic(stack, "wonka") as seen:
        back = await snapshot(stack, "rollback", str(was["number"]), "--yes", "--message", "wonka is ill there")
        assert (back["acted"], back["policy"]["pinned"]) == (True, was["number"])
        await until(lambda: is_answered(stack, "wonka", 200, cell), "wonka is where it was")
        await stack.move("acme", US)
        await stack.move("acme", stack.placements["globex"])
        assert (await stack.control_plane.ask("/readyz"))[0] == 200
        assert json.loads((await stack.control_plane.ask("/readyz"))[1])["publish_mode"] == "pinned"
        restored = (await snapshot(stack, "list"))["data"][0]
        assert (restored["digest"], restored["message"]) == (was["digest"], "wonka is ill there")
        await snapshot(stack, "resume", "--yes")
        await until(lambda: is_answered(stack, "wonka", 200, US), "what was held is followed")
        await until(lambda: is_answered(stack, "acme", 200, stack.placements["acme"]), "all of it")
    assert seen.failed == []


async def test_an_emptied_registry_reaches_no_envoy_before_an_operator_says_so(stack: Stack) -> None:
    cell = stack.placements["hooli"]
    async with traffic(stack, "hooli") as seen:
        await execute(stack, "DELETE FROM tenants")

        async def is_held() -> bool:
            return "guard: all 24 tenants would go" in (await statusz(stack))["snapshot"]["held"]

        await until(is_held, "the guard holds it")
        assert await is_answered(stack, "hooli", 200, cell)
    assert seen.failed == []

    await snapshot(stack, "publish", "--yes")
    await until(lambda: is_answered(stack, "hooli", 403), "an operator's word releases it")
    rows = ", ".join(f"('{tenant}', '{placed}')" for tenant, placed in stack.placements.items())
    await execute(stack, f"INSERT INTO tenants (id, cell_id) VALUES {rows}")
    await until(lambda: is_answered(stack, "hooli", 200, cell), "they are back")


async def test_a_control_plane_restarted_without_its_database_serves_from_disk(stack: Stack) -> None:
    cell = stack.placements["stark"]
    await stack.move("stark", US if cell != US else EU)
    moved = stack.placements["stark"]
    await until(lambda: is_answered(stack, "stark", 200, moved), "stark is moved")
    await asyncio.sleep(1.5)  # the file is written once a second
    stack.postgres.crash()
    await stack.control_plane.restart()
    envoy = stack.envoys["edge-b"]
    await envoy.restart()  # it has nothing but what it is given now
    async with EdgeClient(stack.ports.edges["edge-b"]) as client:
        answer = await client.get("/api/x", token=stack.idp.mint("stark"))
    assert (answer.status, answer.cell) == (200, moved)
    status = await statusz(stack)
    assert status["registry"]["connected"] is False
    assert status["snapshot"]["number"] == len(await _recorded(stack))

    await execute(stack, f"UPDATE tenants SET cell_id = '{cell}' WHERE id = 'stark'")
    await until(lambda: is_answered(stack, "stark", 200, cell), "what is committed later is followed")


async def _recorded(stack: Stack) -> list[asyncpg.Record]:
    """The history, which can be asked once the database is back."""
    await stack.postgres.restart()
    return await history(stack)
