"""What the guard holds, on a real PostgreSQL."""

import asyncio

import asyncpg
import pytest

from tests.support.deciding import ANN, acted, candidate
from tests.support.publishing import replica, seeded
from xds.operations import snapshots as operations


async def test_an_emptied_registry_is_held_until_an_operator_publishes_it(
    database_url: str, sql: asyncpg.Connection
) -> None:
    await seeded(sql, "acme", "b", "c")
    async with replica(database_url) as one:
        await one.serves(1)
        served = one.bodies()
        store = one.registry.snapshots
        with pytest.raises(asyncpg.PostgresError, match=r"TRUNCATE .* is refused"):
            await sql.execute("TRUNCATE tenants CASCADE")
        await sql.execute("DELETE FROM tenants")
        held = await candidate(one, "guard: all 3 tenants would go")
        assert one.bodies() == served

        await acted(one, await operations.publish_held(store, ANN, digest=held.digest))
        await one.serves(2)
        assert (one.tenants, one.status.held) == (set(), "")

        # One word is for one time.
        await seeded(sql, "acme", "b", "c", cells=("cell-c",))
        await sql.execute("DELETE FROM tenants; DELETE FROM endpoints WHERE cell_id = 'cell-c'")
        await sql.execute("DELETE FROM cells WHERE id = 'cell-c'")
        await sql.executemany("INSERT INTO tenants (id, cell_id) VALUES ($1, 'cell-a')", [("acme",), ("b",), ("c",)])
        await one.until(lambda: one.tenants == {"acme", "b", "c"})
        await sql.execute("DELETE FROM tenants")
        await one.until(lambda: one.status.held == "guard: all 3 tenants would go")
        assert one.tenants == {"acme", "b", "c"}


async def test_what_comes_back_before_anybody_looked_is_forgotten(database_url: str, sql: asyncpg.Connection) -> None:
    await seeded(sql, "acme")
    async with replica(database_url) as one:
        await one.serves(1)
        await sql.execute("DELETE FROM tenants")
        await candidate(one, "guard: all 1 tenants would go")
        await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('acme', 'cell-a')")
        await one.until(lambda: one.status.held == "")
        async with asyncio.timeout(15):
            while await one.registry.snapshots.held() is not None:  # noqa: ASYNC110 -- as above
                await asyncio.sleep(0.01)
        assert (one.status.snapshot, one.tenants) == (1, {"acme"})
