"""What operators decide, on a real PostgreSQL: frozen, pinned, published by hand, rolled back."""

import asyncpg
import pytest

from tests.support.deciding import ANN, NEW_KEYS, acted, candidate, following, move
from tests.support.publishing import Replica, replica, seeded
from xds.operations import snapshots as operations
from xds.publish import Mode


async def test_frozen_nothing_is_published_until_it_is_resumed(database_url: str, sql: asyncpg.Connection) -> None:
    await seeded(sql, "acme")
    async with replica(database_url) as one:
        await one.serves(1)
        store = one.registry.snapshots
        await acted(one, await operations.freeze(store, ANN))
        assert one.status.mode == "frozen"
        await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('b', 'cell-a')")
        held = await candidate(one, "frozen")
        assert [each.place.name for each in held.differences] == ["b"]
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


def told(of: Replica) -> tuple[float | None, float | None]:
    """Whether a replica publishes, and holds something, by its metrics."""
    return of.metric("publisher"), of.metric("publish_held")


def mode_of(*replicas: Replica) -> set[str]:
    """The modes in which publishing goes, by the replicas' metrics."""
    modes = ("auto", "manual", "frozen", "pinned")
    return {mode for of in replicas for mode in modes if of.metric("publish_mode", mode=mode)}


async def test_metrics_say_how_publishing_goes_and_who_publishes_and_holds(
    database_url: str, sql: asyncpg.Connection
) -> None:
    await seeded(sql, "acme")
    async with replica(database_url) as one, following(one, database_url) as two:
        await two.until(lambda: told(one) == (1, 0) and told(two) == (0, 0))
        assert mode_of(one, two) == {"auto"}
        store = one.registry.snapshots
        for decide, mode in (
            (operations.set_mode(store, Mode.MANUAL, ANN), "manual"),
            (operations.pin(store, ANN), "pinned"),
            (operations.resume(store, ANN), "manual"),
            (operations.freeze(store, ANN), "frozen"),
        ):
            await acted(one, await decide)
            await two.until(lambda mode=mode: mode_of(one, two) == {mode}, mode)  # type: ignore[misc]
        await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('b', 'cell-a')")
        await one.until(lambda: told(one) == (1, 1), "it holds something")
        assert told(two) == (0, 0), "who publishes tells of it, and nobody else"

        while told(two)[0] == 0:  # which takes over is not certain, but likely
            await sql.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            await one.until(lambda: told(one)[0] == 0, "it has lost the right")
            await one.until(lambda: 1 in (told(one)[0], told(two)[0]), "one of them has it")
        await two.until(lambda: told(two) == (1, 1) and told(one) == (0, 0), "the other one publishes and holds")
