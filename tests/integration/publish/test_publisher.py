"""The control loop with a history, on a real PostgreSQL: one publishes, and all serve the same."""

import asyncio
from itertools import pairwise

import asyncpg

from tests.support.deciding import ANN, acted, entries, move
from tests.support.publishing import replica, seeded
from xds.operations import snapshots as operations

LEADERS = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"


async def digests_differ(sql: asyncpg.Connection) -> bool:
    """Whether no snapshot is the one before once more: what is published twice would be."""
    rows = await sql.fetch("SELECT digest FROM snapshots ORDER BY number")
    digests = [row["digest"] for row in rows]
    return all(one != two for one, two in pairwise(digests))


async def test_one_publishes_and_the_other_serves_the_same_bytes(database_url: str, sql: asyncpg.Connection) -> None:
    await seeded(sql, "acme", "b")
    async with replica(database_url, name="one") as one:
        await one.serves(1, "acme", "b")
        async with replica(database_url, name="two") as two:
            await two.serves(1, "acme", "b")
            assert two.bodies() == one.bodies()
            assert (one.status.leads, two.status.leads) == (True, False)

            await move(sql, "acme")
            await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('c', 'cell-b')")
            await two.until(lambda: two.tenants == {"acme", "b", "c"})
            await one.serves(two.snapshot.number)
            assert two.bodies() == one.bodies()
            assert two.snapshot.revision == one.snapshot.revision
    assert {by for _, _, by in await entries(sql)} == {"one"}
    assert await digests_differ(sql)


async def test_another_takes_over_when_the_publisher_loses_its_connection(
    database_url: str, sql: asyncpg.Connection
) -> None:
    await seeded(sql, "acme", "b")
    async with replica(database_url, name="one") as one:
        await one.serves(1)
        async with replica(database_url, name="two") as two:
            await two.serves(1)
            (first,) = [row["pid"] for row in await sql.fetch(LEADERS)]
            for turn in range(6):
                await move(sql, "acme", f"cell-{'ab'[turn % 2]}")
                if turn == 2:
                    (pid,) = [row["pid"] for row in await sql.fetch(LEADERS)]
                    await sql.execute("SELECT pg_terminate_backend($1)", pid)
                await asyncio.sleep(0.02)
            await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('late', 'cell-b')")
            for each in (one, two):
                await each.until(lambda each=each: "late" in each.tenants and not each.status.is_ahead)  # type: ignore[misc]
            await two.until(lambda: one.status.leads != two.status.leads, "one of them leads")
            (now,) = [row["pid"] for row in await sql.fetch(LEADERS)]
            assert now != first
            assert two.bodies() == one.bodies()
            assert two.snapshot.number == one.snapshot.number
    numbers = [number for number, _, _ in await entries(sql)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert await digests_differ(sql)


async def test_who_takes_over_publishes_what_the_other_could_not(database_url: str, sql: asyncpg.Connection) -> None:
    await seeded(sql, "acme")
    async with replica(database_url, name="two") as two:
        async with replica(database_url, name="one"):
            await two.serves(1)
        await two.until(lambda: two.status.leads)
        await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('late', 'cell-b')")
        await two.until(lambda: two.tenants == {"acme", "late"})
        await two.until(lambda: two.status.snapshot == 2)


async def test_a_replica_that_comes_back_publishes_nothing_again(database_url: str, sql: asyncpg.Connection) -> None:
    await seeded(sql, "acme")
    for _ in range(2):
        async with replica(database_url) as one:
            await one.serves(1, "acme")
            await one.until(lambda: one.status.leads)
            await asyncio.sleep(0.1)
            assert one.status.snapshot == 1


async def test_what_comes_and_goes_before_it_is_published_is_no_snapshot(
    database_url: str, sql: asyncpg.Connection
) -> None:
    await seeded(sql, "acme")
    async with replica(database_url) as one:
        await one.serves(1)
        await acted(one, await operations.freeze(one.registry.snapshots, ANN))
        await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('brief', 'cell-a')")
        await one.until(lambda: one.status.held == "frozen")
        await sql.execute("DELETE FROM tenants WHERE id = 'brief'")
        await one.until(lambda: one.status.held == "")
        await acted(one, await operations.resume(one.registry.snapshots, ANN))
        await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('c', 'cell-a')")
        await one.serves(2, "acme", "c")
