"""A database that is down, is new, or was restored: what is served, and what is recorded afterwards."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path

import asyncpg

from tests.support.deciding import ANN, NEW_KEYS, acted, candidate, entries, move
from tests.support.edge import edge_options
from tests.support.postgres import PostgresServer, name_of, opened, shut
from tests.support.publishing import replica, seeded
from tests.unit.publish.memory import MemoryKeys
from xds.operations import snapshots as operations
from xds.publish import Shelf
from xds.translate import TenantOptions


async def test_keys_and_ended_graces_are_served_ahead_and_recorded_afterwards(
    postgres: PostgresServer, database_url: str, sql: asyncpg.Connection
) -> None:
    await seeded(sql, "acme")
    database = await name_of(sql)
    options = edge_options(jwks="", tenants=TenantOptions(grace=timedelta(seconds=2)))
    async with replica(database_url, options=options) as one, replica(database_url, name="2", options=options) as two:
        await one.serves(1)
        await move(sql, "acme")
        started = time.monotonic()
        await one.until(lambda: one.status.snapshot == 2)
        in_grace = one.bodies()["srds", "acme"]
        await two.serves(2)
        shut(postgres, database)
        one.keys.change(NEW_KEYS)
        two.keys.change(NEW_KEYS)
        for each in (one, two):
            await each.until(lambda each=each: each.bodies()["srds", "acme"] != in_grace)  # type: ignore[misc]
            await each.until(lambda each=each: any(b"test-2" in body for body in each.bodies().values()))  # type: ignore[misc]
            await each.until(lambda each=each: bool(each.status.error))  # type: ignore[misc]
            assert (each.snapshot.number, each.status.is_ahead) == (2, True)
        assert time.monotonic() - started < 12

        opened(postgres, database)
        await one.until(lambda: one.status.snapshot > 2 and not one.status.is_ahead)
        await two.until(lambda: two.status.snapshot == one.status.snapshot and not two.status.is_ahead)
        assert one.bodies() == two.bodies()
        recorded = await one.registry.snapshots.newest()
        assert recorded is not None
        assert {(each.name, each.body) for _, each in recorded.content.items()} == {
            (name, body) for (_, name), body in one.bodies().items()
        }


async def test_what_the_guard_holds_is_served_by_nobody_while_the_database_is_down(
    postgres: PostgresServer, database_url: str, sql: asyncpg.Connection
) -> None:
    await seeded(sql, "acme", "b")
    database = await name_of(sql)
    async with replica(database_url, name="one") as one:
        await one.serves(1)
        async with replica(database_url, name="two") as two:
            await two.serves(1)
            await two.until(lambda: two.publisher.published is not None)  # it has read the registry too
            await sql.execute("DELETE FROM tenants")
            await candidate(one, "guard: all 2 tenants would go")
            wanted = two.publisher._structures
            await two.until(
                lambda: wanted.desired.translation is not None and not wanted.desired.translation.topology.tenants
            )
            assert two.publisher.published is not None
            assert set(two.publisher.published.topology.tenants) == {"acme", "b"}, "what is served, not what is held"
            shut(postgres, database)
            for each in (one, two):
                each.keys.change(NEW_KEYS)
                await each.until(lambda each=each: any(b"test-2" in body for body in each.bodies().values()))  # type: ignore[misc]
                assert each.tenants == {"acme", "b"}
            opened(postgres, database)
            await two.until(lambda: two.status.snapshot == 2 and not two.status.is_ahead)
            await one.until(lambda: one.status.snapshot == 2 and not one.status.is_ahead)
            assert one.tenants == two.tenants == {"acme", "b"}


async def test_a_process_starts_from_disk_while_the_database_is_down(
    postgres: PostgresServer, database_url: str, sql: asyncpg.Connection, tmp_path: Path
) -> None:
    await seeded(sql, "acme", "b")
    database, path = await name_of(sql), tmp_path / "snapshot"
    async with replica(database_url, shelf=Shelf(path)) as one:
        await one.serves(1)
        await move(sql, "b")
        await one.serves(2)
        bodies = dict(one.bodies())
        await one.until(lambda: _kept(path) == 2)
    shut(postgres, database)
    async with replica(database_url, name="again", shelf=Shelf(path)) as again:
        await again.until(lambda: again.status.snapshot == 2)
        assert again.bodies() == bodies
        await again.until(lambda: bool(again.status.error))
        assert again.status.snapshot == 2
        assert (again.status.tenants, again.status.cells["active"]) == (2, 2)

        opened(postgres, database)
        await again.until(lambda: again.status.leads)
        again_sql = await asyncpg.connect(database_url)
        try:
            await move(again_sql, "acme")
        finally:
            await again_sql.close()
        await again.serves(3, "acme", "b")


async def test_what_is_on_disk_has_the_keys_of_today(
    postgres: PostgresServer, database_url: str, sql: asyncpg.Connection, tmp_path: Path
) -> None:
    await seeded(sql, "acme")
    database, path = await name_of(sql), tmp_path / "snapshot"
    async with replica(database_url, shelf=Shelf(path)) as one:
        await one.serves(1)
        await one.until(lambda: _kept(path) == 1)
    shut(postgres, database)
    async with replica(database_url, shelf=Shelf(path), keys=MemoryKeys(NEW_KEYS), poll_seconds=0.2) as again:
        await again.until(lambda: bool(again.status.error))
        await again.until(lambda: any(b"test-2" in body for body in again.bodies().values()))
        assert not any(b"test-1" in body for body in again.bodies().values())


async def test_a_new_database_is_guarded_by_what_is_on_disk(
    database_url: str, empty_database_url: str, sql: asyncpg.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "snapshot"
    await seeded(sql, "acme", "b")
    async with replica(database_url, shelf=Shelf(path)) as one:
        await one.serves(1)
        await move(sql, "acme")
        await one.serves(2)
        bodies = dict(one.bodies())
        await one.until(lambda: _kept(path) == 2)
    await asyncio.to_thread(_migrated, empty_database_url)
    async with replica(empty_database_url, shelf=Shelf(path)) as new:
        await new.until(lambda: "all 2 tenants would go" in new.status.held)
        assert new.bodies() == bodies
        newest = await new.registry.snapshots.newest()
        assert newest is not None
        assert (newest.entry.number, len(newest.content)) == (2, len(one.publisher.published.content))  # type: ignore[union-attr]
        other = await asyncpg.connect(empty_database_url)
        try:
            await seeded(other, "acme", "b", "c")
        finally:
            await other.close()
        await new.serves(3, "acme", "b", "c")
        assert new.status.held == ""


def _kept(path: Path) -> int:
    held = Shelf(path).load()
    return held.entry.number if held is not None else 0


def _migrated(url: str) -> None:
    from xds.registry.migrating import migrate  # noqa: PLC0415 -- Alembic takes its time

    migrate(url)


# A restored database


async def test_a_restored_database_is_not_believed_until_an_operator_says_so(
    database_url: str, sql: asyncpg.Connection
) -> None:
    await seeded(sql, "acme", "b")
    async with replica(database_url, poll_seconds=0.2) as one:
        await one.serves(1)
        await move(sql, "acme")
        await one.serves(2)
        await one.until(lambda: one.status.leads)
        # What a backup of before the move has: an older newest snapshot, and the tenant where it was.
        async with sql.transaction():
            await sql.execute("DELETE FROM snapshot_resources WHERE valid_from = 2")
            await sql.execute("UPDATE snapshot_resources SET valid_to = NULL WHERE valid_to = 2")
            await sql.execute("DELETE FROM snapshots WHERE number = 2")
            await move(sql, "acme", "cell-a")
            await sql.execute("SELECT pg_notify('alphaswarm_snapshots', '')")
        held = await candidate(one, "the database's newest snapshot is 1, and 2 is served: restored?")
        assert [each.place.name for each in held.differences] == ["acme"]
        assert b"cell-b" in one.bodies()["srds", "acme"]
        assert [number for number, _, _ in await entries(sql)] == [1, 2], "what is served is history again"

        await acted(one, await operations.publish_held(one.registry.snapshots, ANN))
        await one.serves(3)
        assert b"cell-a" in one.bodies()["srds", "acme"]
        await one.until(lambda: one.status.held == "")
