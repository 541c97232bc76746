"""Revisions become visible in their order, whoever wrote first: nothing that commits late is skipped."""

import asyncio
import random

import asyncpg
import pytest

from xds.model import Topology
from xds.names import TenantId
from xds.registry import PostgresRegistry

CELLS = 5
TENANTS = 40


@pytest.fixture
async def seeded(sql: asyncpg.Connection) -> asyncpg.Connection:
    await sql.execute(f"INSERT INTO cells (id, state) SELECT 'cell-' || i, 'active' FROM generate_series(1, {CELLS}) i")
    await sql.execute(
        f"INSERT INTO tenants (id, cell_id) SELECT 't' || i, 'cell-1' FROM generate_series(1, {TENANTS}) i"
    )
    return sql


async def test_who_writes_first_and_commits_last_is_not_skipped(
    registry: PostgresRegistry, seeded: asyncpg.Connection, database_url: str
) -> None:
    other = await asyncpg.connect(database_url, timeout=10, command_timeout=10)
    try:
        start = (await registry.load()).revision
        early, late = seeded.transaction(), other.transaction()
        await early.start()
        await seeded.execute("UPDATE tenants SET cell_id = 'cell-2' WHERE id = 't1'")
        await late.start()
        await other.execute("UPDATE tenants SET cell_id = 'cell-3' WHERE id = 't2'")
        # The open transaction holds nobody up.
        await asyncio.wait_for(late.commit(), 10)

        first = await registry.changes_since(start)
        assert {tenant: t and t.cell for tenant, t in first.tenants.items()} == {"t2": "cell-3"}

        await early.commit()
        second = await registry.changes_since(first.revision)
        assert {tenant: t and t.cell for tenant, t in second.tenants.items()} == {"t1": "cell-2"}
        assert second.revision > first.revision > start
    finally:
        await other.close(timeout=10)


async def test_a_commit_waits_for_the_number_of_one_that_is_committing(
    seeded: asyncpg.Connection, database_url: str
) -> None:
    """The lock is what orders: while one transaction has its number and is not yet visible, no other gets one."""
    other = await asyncpg.connect(database_url, timeout=10, command_timeout=10)
    try:
        first = seeded.transaction()
        await first.start()
        await seeded.execute("UPDATE tenants SET cell_id = 'cell-2' WHERE id = 't1'")
        await seeded.execute("SET CONSTRAINTS ALL IMMEDIATE")  # numbers now, as COMMIT is about to
        with pytest.raises(TimeoutError):
            await other.execute("UPDATE tenants SET cell_id = 'cell-3' WHERE id = 't2'", timeout=0.3)
        await first.commit()
        await other.execute("UPDATE tenants SET cell_id = 'cell-3' WHERE id = 't2'", timeout=10)
        rows = await other.fetch("SELECT id FROM change_log ORDER BY revision DESC LIMIT 2")
        assert [row["id"] for row in rows] == ["t2", "t1"]
    finally:
        await other.close(timeout=10)


async def _write(database_url: str, seed: int) -> None:
    choose = random.Random(seed)
    connection = await asyncpg.connect(database_url, timeout=10, command_timeout=20)
    try:
        for _ in range(15):
            # In order, so that writers wait for one another but never in a circle.
            tenants = sorted(choose.sample(range(1, TENANTS + 1), 3))
            async with connection.transaction():
                for tenant in tenants:
                    cell = f"cell-{choose.randint(1, CELLS)}"
                    await connection.execute("UPDATE tenants SET cell_id = $2 WHERE id = $1", f"t{tenant}", cell)
                if choose.random() < 0.3:
                    await connection.execute("INSERT INTO tenants VALUES ($1, 'cell-1')", f"n{choose.random()}")
                await asyncio.sleep(choose.random() / 200)  # between the write and its commit, others commit
    finally:
        await connection.close(timeout=10)


async def test_a_reader_beside_many_writers_ends_with_what_the_tables_hold(
    registry: PostgresRegistry, seeded: asyncpg.Connection, database_url: str
) -> None:
    topology = await registry.load()
    reads = 0

    async def follow(topology: Topology, writers: asyncio.Event) -> Topology:
        nonlocal reads
        while True:
            done = writers.is_set()
            changes = await registry.changes_since(topology.revision)
            assert changes.revision >= topology.revision
            topology = topology.apply(changes)
            reads += 1
            if done and not changes:
                return topology

    over = asyncio.Event()
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        following = group.create_task(follow(topology, over))
        async with asyncio.TaskGroup() as writers:
            for seed in range(12):
                writers.create_task(_write(database_url, seed))
        over.set()

    rows = await seeded.fetch("SELECT id, cell_id FROM tenants")
    held = {TenantId(row["id"]): row["cell_id"] for row in rows}
    assert {tenant: value.cell for tenant, value in following.result().tenants.items()} == held
    assert len(held) > TENANTS
    assert reads > 10
