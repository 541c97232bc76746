"""The control loop with a history, on a real PostgreSQL: who publishes, what is held, what outlives what."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import asyncpg
import pytest

from tests.support.edge import JWKS, edge_options
from tests.support.postgres import PostgresServer
from tests.support.publishing import Replica, replica, seeded
from tests.unit.publish.memory import MemoryKeys
from xds.operations import snapshots as operations
from xds.operations.snapshots import Decided, Held, Word
from xds.publish import Mode, Shelf
from xds.translate import TenantOptions

NEW_KEYS = json.dumps({"keys": [{**json.loads(JWKS)["keys"][0], "kid": "test-2"}]})
ANN = Word(by="ann", message="incident 7")

LEADERS = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"


async def acted(on: Replica, decided: Decided) -> Decided:
    """Wait until the publisher has acted."""
    async with asyncio.timeout(15):
        while not await on.registry.snapshots.is_acted_on():  # noqa: ASYNC110 -- another process would be it
            await asyncio.sleep(0.01)
    return decided


async def candidate(of: Replica, reason: str) -> Held:
    """What is held for that reason, once operators can see it."""
    await of.until(lambda: of.status.held == reason, reason)
    async with asyncio.timeout(15):
        while (held := await of.registry.snapshots.held()) is None:  # noqa: ASYNC110 -- as above
            await asyncio.sleep(0.01)
    assert held.reason == reason
    return held


async def entries(sql: asyncpg.Connection) -> Sequence[tuple[int, str, str]]:
    """Number, kind and publisher of every snapshot."""
    rows = await sql.fetch("SELECT number, kind, published_by FROM snapshots ORDER BY number")
    return [(row["number"], row["kind"], row["published_by"]) for row in rows]


async def digests_differ(sql: asyncpg.Connection) -> bool:
    """Whether no snapshot is the one before once more: what is published twice would be."""
    rows = await sql.fetch("SELECT digest FROM snapshots ORDER BY number")
    digests = [row["digest"] for row in rows]
    return all(one != two for one, two in pairwise(digests))


async def move(sql: asyncpg.Connection, tenant: str, cell: str = "cell-b") -> None:
    await sql.execute("UPDATE tenants SET cell_id = $2 WHERE id = $1", tenant, cell)


@asynccontextmanager
async def following(leader: Replica, url: str) -> AsyncIterator[Replica]:
    """A second replica, once the first one leads."""
    await leader.serves(1)
    async with replica(url, name="two") as second:
        await second.serves(1)
        yield second


# One publishes, all serve


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


# What operators decide


async def test_frozen_nothing_is_published_until_it_is_resumed(database_url: str, sql: asyncpg.Connection) -> None:
    await seeded(sql, "acme")
    async with replica(database_url) as one:
        await one.serves(1)
        store = one.registry.snapshots
        await acted(one, await operations.freeze(store, ANN))
        assert one.status.mode == "frozen"
        await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('b', 'cell-a')")
        held = await candidate(one, "frozen")
        assert [each.place.name for each in held.resources] == ["b"]
        assert one.tenants == {"acme"}

        await acted(one, await operations.resume(store, ANN))
        await one.serves(2, "acme", "b")
        assert (one.status.mode, one.status.held, await store.held()) == ("auto", "", None)


async def test_a_snapshot_of_before_is_served_again_byte_for_byte(database_url: str, sql: asyncpg.Connection) -> None:
    await seeded(sql, "acme", "b")
    async with replica(database_url) as one, following(one, database_url) as two:
        original = dict(one.bodies())
        await sql.execute("UPDATE cells SET state = 'retired' WHERE id = 'cell-b'")
        await one.serves(2)
        await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('c', 'cell-a')")
        await one.serves(3)
        await move(sql, "acme")
        await one.serves(4)
        newest = dict(one.bodies())

        store = one.registry.snapshots
        await acted(one, await operations.roll_back(store, 1, ANN))
        for each in (one, two):
            await each.serves(5)
            assert each.bodies() == original
            await each.until(lambda each=each: each.status.mode == "pinned")  # type: ignore[misc]
        first, restored = await store.entry(1), await store.entry(5)
        assert (restored.kind, restored.by, restored.message) == ("rollback", "ann", "incident 7")
        assert (restored.digest, restored.revision, restored.counts) == (first.digest, first.revision, first.counts)

        await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('d', 'cell-a')")
        await candidate(one, "pinned to snapshot 1")
        assert one.bodies() == original

        await acted(one, await operations.resume(store, ANN))
        await one.serves(6, "acme", "b", "c", "d")
        assert {key: body for key, body in one.bodies().items() if key != ("srds", "d")} == newest


async def test_pinned_the_snapshot_in_force_stays(database_url: str, sql: asyncpg.Connection) -> None:
    await seeded(sql, "acme")
    async with replica(database_url) as one:
        await one.serves(1)
        await acted(one, await operations.pin(one.registry.snapshots, ANN))
        await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('b', 'cell-a')")
        await one.until(lambda: one.status.held == "pinned to snapshot 1")

        assert (one.tenants, one.status.snapshot, one.status.mode) == ({"acme"}, 1, "pinned")


async def test_in_manual_mode_an_operator_publishes(database_url: str, sql: asyncpg.Connection) -> None:
    await seeded(sql, "acme")
    async with replica(database_url) as one:
        await one.serves(1)
        store = one.registry.snapshots
        await acted(one, await operations.set_mode(store, Mode.MANUAL, ANN))
        await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('b', 'cell-a')")
        await candidate(one, "manual: waiting to be published")
        assert one.tenants == {"acme"}

        await acted(one, await operations.publish_held(store, ANN))
        await one.serves(2, "acme", "b")
        entry = await store.entry(2)
        assert (entry.kind, entry.by, entry.message) == ("operator", "ann", "incident 7")
        await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('c', 'cell-a')")
        await one.until(lambda: one.status.held == "manual: waiting to be published")
        assert one.tenants == {"acme", "b"}
        assert one.status.snapshot == 2


@pytest.mark.parametrize("stop", ["freeze", "pin", "roll_back"])
async def test_keys_stay_live_whatever_is_held(database_url: str, sql: asyncpg.Connection, stop: str) -> None:
    await seeded(sql, "acme")
    async with replica(database_url) as one:
        await one.serves(1)
        first = dict(one.bodies())
        await move(sql, "acme")
        await one.serves(2)
        store = one.registry.snapshots
        match stop:
            case "freeze":
                await acted(one, await operations.freeze(store, ANN))
            case "pin":
                await acted(one, await operations.pin(store, ANN))
            case _:
                await acted(one, await operations.roll_back(store, 1, ANN))
                await one.serves(3)
                assert one.bodies() == first
        before, number = dict(one.bodies()), one.snapshot.number
        one.keys.change(NEW_KEYS)
        await one.serves(number + 1)

        changed = {key for key, body in one.bodies().items() if before[key] != body}
        (kind, name) = changed.pop()
        assert (kind, changed) == ("ecds", set())
        check = one.bodies()[kind, name]
        assert (b"test-2" in check, b"test-1" in check) == (True, False)
        assert not one.status.is_ahead


async def test_what_is_rolled_back_to_has_the_keys_of_today(database_url: str, sql: asyncpg.Connection) -> None:
    await seeded(sql, "acme")
    async with replica(database_url) as one:
        await one.serves(1)
        first = dict(one.bodies())
        one.keys.change(NEW_KEYS)
        await one.serves(2)
        await move(sql, "acme")
        await one.serves(3)
        await acted(one, await operations.roll_back(one.registry.snapshots, 1, ANN))
        await one.serves(4)

        assert [kind for (kind, name), body in one.bodies().items() if first[kind, name] != body] == ["ecds"]
        assert not any(b"test-1" in body for body in one.bodies().values())


# The guard


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


# A database that is down


def shut(postgres: PostgresServer, database: str) -> None:
    """Let nobody in, and put out who is."""
    postgres.administrate(
        f"ALTER DATABASE {database} ALLOW_CONNECTIONS false",
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}'",
    )


def opened(postgres: PostgresServer, database: str) -> None:
    postgres.administrate(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")


async def name_of(sql: asyncpg.Connection) -> str:
    return str(await sql.fetchval("SELECT current_database()"))


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
        again.keys.change(JWKS)  # has it try the database
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
        assert [each.place.name for each in held.resources] == ["acme"]
        assert b"cell-b" in one.bodies()["srds", "acme"]
        assert [number for number, _, _ in await entries(sql)] == [1, 2], "what is served is history again"

        await acted(one, await operations.publish_held(one.registry.snapshots, ANN))
        await one.serves(3)
        assert b"cell-a" in one.bodies()["srds", "acme"]
        await one.until(lambda: one.status.held == "")
