"""The red button on a real PostgreSQL that is shut: tenants are led elsewhere at once, and it is known afterwards."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from tests.integration.publish.test_rollouts import NEXT, PLAN, fleet, given
from tests.support.edge import edge_options
from tests.support.postgres import PostgresServer, name_of, opened, shut
from tests.support.publishing import Replica, replica, seeded
from xds.errors import Conflict, NotFound, RequestError
from xds.names import CellId, ResourceName, TenantId, TypeUrl
from xds.operations import DrainOptions, drain_cell, undrain_cell
from xds.operations.emergency import record_displacements
from xds.operations.phasing import hold_move, prepare_move
from xds.publish import Shelf
from xds.publish.evacuation import Displacement, Evacuation, Led, Unsettled
from xds.registry import PostgresRegistry
from xds.snapshot import Snapshot
from xds.translate.canary import CanaryOptions

A, B, C = CellId("cell-a"), CellId("cell-b"), CellId("cell-c")


async def evacuate(
    of: Replica, was: CellId, now: CellId | None, *, message: str = "", limit: int | None = None, try_it: bool = False
) -> Led:
    """By ann's word."""
    order = Evacuation(cell=was, to=now, by="ann", message=message)
    return await of.publisher.evacuate(order, limit=limit, is_rehearsal=try_it)


def led_to(of: Replica, tenant: str) -> str:
    """The route table of a tenant, as it is served."""
    scope = of.snapshot.table(TypeUrl.SCOPE).get(ResourceName(tenant))
    assert scope is not None
    return scope.needs[0].name


async def down(of: Replica, postgres: PostgresServer, database: str) -> None:
    """Shut the database, and wait until the replica has seen it."""
    shut(postgres, database)
    await of.until(lambda: bool(of.status.error), "it sees that the database is down")


async def test_a_cell_is_evacuated_while_the_database_is_down_and_it_is_recorded_afterwards(
    postgres: PostgresServer, database_url: str, sql: asyncpg.Connection, tmp_path: Path
) -> None:
    await seeded(sql, "acme", "b")
    database, moves = await name_of(sql), tmp_path / "moves"
    async with replica(database_url, moves=moves, poll_seconds=0.2) as one:
        await one.serves(1)
        await down(one, postgres, database)

        assert await evacuate(one, A, B, message="it burns") == Led({B: 2}, 0)
        assert {led_to(one, "acme"), led_to(one, "b")} == {B}
        assert one.status.is_ahead
        assert moves.exists()

        opened(postgres, database)
        await one.until(lambda: not one.status.is_ahead and not one.status.error, "the database is back")
        assert {led_to(one, "acme"), led_to(one, "b")} == {B}
        assert not moves.exists()
    again = await asyncpg.connect(database_url)
    try:
        assert await again.fetch("SELECT id, cell_id FROM tenants ORDER BY id") == [("acme", B), ("b", B)]
        told = await again.fetch("SELECT DISTINCT actor, message FROM audit WHERE kind = 'tenant' AND actor = 'ann'")
        assert [tuple(row) for row in told] == [("ann", "emergency: it burns")]
    finally:
        await again.close()


async def test_a_process_that_starts_from_disk_meanwhile_leads_them_there_too(
    postgres: PostgresServer, database_url: str, sql: asyncpg.Connection, tmp_path: Path
) -> None:
    await seeded(sql, "acme")
    database, moves, path = await name_of(sql), tmp_path / "moves", tmp_path / "snapshot"
    async with replica(database_url, shelf=Shelf(path), moves=moves, poll_seconds=0.2) as one:
        await one.serves(1)
        await one.until(lambda: Shelf(path).load() is not None)
        await down(one, postgres, database)
        await evacuate(one, A, B)
    async with replica(database_url, name="again", shelf=Shelf(path), moves=moves, poll_seconds=0.2) as again:
        await again.until(lambda: again.feed.published.is_set() and led_to(again, "acme") == B)
        await again.until(lambda: bool(again.status.error))
        assert led_to(again, "acme") == B
        opened(postgres, database)
        await again.until(lambda: not moves.exists() and not again.status.error)
        assert led_to(again, "acme") == B


async def test_who_was_moved_since_by_somebody_who_knew_more_stays_there(
    postgres: PostgresServer, database_url: str, sql: asyncpg.Connection
) -> None:
    await seeded(sql, "acme", "b", cells=("cell-a", "cell-b", "cell-c"))
    database = await name_of(sql)
    async with replica(database_url, poll_seconds=0.2) as one:
        await one.serves(1)
        await sql.execute("UPDATE tenants SET cell_id = 'cell-c' WHERE id = 'b'")
        await one.serves(2)
        await down(one, postgres, database)
        assert await evacuate(one, A, B) == Led({B: 1}, 0)
        opened(postgres, database)
        await one.until(lambda: not one.status.error and not one.status.is_ahead)
        assert (led_to(one, "acme"), led_to(one, "b")) == (B, "cell-c")


async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    postgres: PostgresServer, database_url: str, sql: asyncpg.Connection
) -> None:
    await seeded(sql, "acme")
    await sql.execute("UPDATE cells SET tier = 'other' WHERE id = 'cell-b'")
    database = await name_of(sql)
    async with replica(database_url, poll_seconds=0.2) as one:
        await one.serves(1)
        with pytest.raises(Conflict, match="the registry answers: 'cells evacuate' moves them there"):
            await evacuate(one, A, B)
        await down(one, postgres, database)
        with pytest.raises(RequestError, match="expected another cell"):
            await evacuate(one, A, A)
        with pytest.raises(NotFound, match="cell cell-x: no such cell"):
            await evacuate(one, A, CellId("cell-x"))
        with pytest.raises(NotFound, match="cell cell-x: no such cell"):
            await evacuate(one, CellId("cell-x"), A)
        with pytest.raises(Conflict, match="name a cell to go to"):
            await evacuate(one, A, None)
        assert not one.status.is_ahead
        opened(postgres, database)


async def test_who_was_in_the_cell_by_an_override_is_not_sent_back_into_the_fire(
    postgres: PostgresServer, database_url: str, sql: asyncpg.Connection
) -> None:
    await seeded(sql, "acme", cells=("cell-a", "cell-b", "cell-c"))
    await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('guest', 'cell-c'), ('home', 'cell-b')")
    await sql.execute(
        "INSERT INTO overrides (tenant_id, cell_id, kind, owner, reason, expires_at)"
        " SELECT id, 'cell-a', 'testing', 'eve', 'new build', now() + interval '1 hour' FROM tenants WHERE id <> 'acme'"
    )
    database = await name_of(sql)
    async with replica(database_url, poll_seconds=0.2) as one:
        await one.until(lambda: one.feed.published.is_set() and {led_to(one, each) for each in one.tenants} == {A})
        await down(one, postgres, database)
        assert await evacuate(one, A, B) == Led({B: 3}, 0)
        opened(postgres, database)
        await one.until(lambda: not one.status.error and not one.status.is_ahead)
        assert {each: led_to(one, each) for each in one.tenants} == {"acme": B, "guest": B, "home": B}
        kept = {each.tenant: (each.cell, each.owner) for each in await one.registry.list_overrides()}
        assert kept == {"guest": (B, "eve")}, "who lives in the other cell needs none any more"


async def test_a_cell_that_was_left_takes_no_tenants_afterwards_and_undrain_brings_all_back(
    postgres: PostgresServer, database_url: str, sql: asyncpg.Connection, tmp_path: Path
) -> None:
    await seeded(sql, "acme", "b", "c")
    await sql.execute("INSERT INTO tenants (id, cell_id, state) VALUES ('shut', 'cell-a', 'suspended')")
    database = await name_of(sql)
    async with replica(database_url, moves=tmp_path / "moves", poll_seconds=0.2) as one:
        await one.until(lambda: one.feed.published.is_set() and len(one.tenants) == 4)
        await down(one, postgres, database)
        assert await evacuate(one, A, B, limit=2) == Led({B: 2}, 1)
        assert await evacuate(one, A, B) == Led({B: 1}, 0)
        assert await evacuate(one, A, B) == Led({}, 0), "said again it moves nobody"
        opened(postgres, database)
        await one.until(lambda: not one.status.error and not one.status.is_ahead)
        found = await one.registry.find_cell(A)
        assert found is not None
        assert (found[0].state, found[1].tenants) == ("draining", 1), "what is served doesn't tell where 'shut' lives"
        drained = await drain_cell(one.registry, A, DrainOptions(to=B))
        assert (drained.moved, drained.is_resumed, drained.is_empty) == (1, True, True)
        undone = await undrain_cell(one.registry, A)
        assert (undone.moved, undone.stayed) == (4, 0)


async def test_without_a_target_each_goes_to_the_cell_like_it_with_the_fewest_tenants(
    postgres: PostgresServer, database_url: str, sql: asyncpg.Connection
) -> None:
    await seeded(sql, "acme", "b", "c", cells=("cell-a", "cell-b", "cell-c", "cell-d", "cell-e"))
    await sql.execute("INSERT INTO tenants (id, cell_id) VALUES ('x', 'cell-b')")
    await sql.execute("UPDATE cells SET state = 'cordoned' WHERE id = 'cell-d'")
    await sql.execute("UPDATE cells SET tier = 'other' WHERE id = 'cell-e'")
    database = await name_of(sql)
    async with replica(database_url, poll_seconds=0.2) as one:
        await one.until(lambda: one.feed.published.is_set() and one.status.cells.get("cordoned") == 1)
        await down(one, postgres, database)
        assert await evacuate(one, A, None, try_it=True) == Led({B: 1, C: 2}, 0)
        assert not one.status.is_ahead, "it was only tried"
        assert await evacuate(one, A, None) == Led({B: 1, C: 2}, 0)
        assert await evacuate(one, B, None) == Led({C: 2}, 0), "not back into the cell that burns"
        opened(postgres, database)
        await one.until(lambda: not one.status.error and not one.status.is_ahead)
        assert {led_to(one, each) for each in one.tenants} == {C}
        states = {cell.id: cell.state for cell, _ in await one.registry.list_cells()}
        assert (states[A], states[B], states[C]) == ("draining", "draining", "active")


async def test_replicas_that_tell_at_once_tell_of_one_drain_which_undrain_reverses(
    database_url: str, sql: asyncpg.Connection
) -> None:
    tenants = [f"t{number}" for number in range(20)]
    await seeded(sql, *tenants)
    moves = [Displacement(tenant=TenantId(each), was=A, now=B, by="ann") for each in tenants]
    left = (Evacuation(cell=A, to=B, by="ann"),)
    told = [
        Unsettled(tuple(moves[: 5 * (number + 1)]), left) for number in range(4)
    ]  # none saw all that the others saw
    async with AsyncExitStack() as opened_ones:
        each = [await opened_ones.enter_async_context(PostgresRegistry.open(database_url)) for _ in told]
        async with asyncio.timeout(30):
            settled = await asyncio.gather(*map(record_displacements, each, told))
        assert sum(len(one.moved) for one in settled) == len(tenants), "each was recorded once"
        assert await sql.fetchval("SELECT count(*) FROM drains") == 1
        assert (await undrain_cell(each[0], A)).moved == len(tenants)


async def test_what_could_not_be_recorded_is_told(database_url: str, sql: asyncpg.Connection) -> None:
    await seeded(sql, "acme", "b", "c", cells=("cell-a", "cell-b", "cell-c"))
    await sql.execute("UPDATE cells SET state = 'cordoned' WHERE id = 'cell-c'")
    await sql.execute("UPDATE cells SET state = 'retired' WHERE id = 'cell-c'")
    await sql.execute("UPDATE tenants SET cell_id = 'cell-b' WHERE id = 'c'")
    moves = tuple(
        Displacement(tenant=TenantId(tenant), was=A, now=CellId(now), by="ann")
        for tenant, now in (("acme", "cell-b"), ("b", "cell-c"), ("c", "cell-x"), ("d", "cell-b"))
    )
    async with replica(database_url) as one:
        settled = await record_displacements(one.registry, Unsettled(moves, (Evacuation(cell=A, by="ann"),)))
    assert [each.tenant for each in settled.moved] == ["acme"]
    assert settled.skipped == (
        "tenant b: cell cell-c is gone or takes no traffic: stays in cell-a",
        "tenant c: is in cell-b meanwhile, not in cell-a: stays there",
        "tenant d: is gone",
        "cell cell-a: 1 tenants are still there: 'cells drain' moves them",
    )


async def test_a_move_in_phases_is_over_when_its_tenant_was_led_elsewhere(
    postgres: PostgresServer, database_url: str, sql: asyncpg.Connection
) -> None:
    await seeded(sql, "acme", cells=("cell-a", "cell-b", "cell-c"))
    database = await name_of(sql)
    async with replica(database_url, poll_seconds=0.2) as one:
        await prepare_move(one.registry, TenantId("acme"), C)
        await hold_move(one.registry, TenantId("acme"))
        await one.until(lambda: one.feed.published.is_set() and led_to(one, "acme") == "cell-a/held")
        await down(one, postgres, database)
        await evacuate(one, A, B)
        opened(postgres, database)
        await one.until(lambda: not one.status.error and not one.status.is_ahead)
        assert led_to(one, "acme") == B
        assert await one.registry.list_moves() == []


async def test_envoys_that_a_rollout_has_reached_are_led_there_too(
    postgres: PostgresServer, database_url: str, sql: asyncpg.Connection
) -> None:
    await seeded(sql, "acme", "globex")
    before, after = (
        replace(edge_options(jwks=""), canary=CanaryOptions(legacy=("legacy", 80), weight=share)) for share in (50, 100)
    )
    database = await name_of(sql)
    async with replica(database_url, options=before) as one:
        await one.serves(1)
        assert (led_to(one, "acme"), led_to(one, "globex")) == ("legacy", A)
        await fleet(one)
    async with replica(database_url, options=after, plan=PLAN, poll_seconds=0.2) as one:
        await one.until(one.feed.published.is_set)
        await one.until(lambda: given(one).group == NEXT, "the Envoy is given the next step of the canary")
        await down(one, postgres, database)

        assert await evacuate(one, A, B) == Led({B: 2}, 0)
        assert all_led(given(one)) == {"acme": "cell-b", "globex": "cell-b"}
        assert (led_to(one, "acme"), led_to(one, "globex")) == ("legacy", B), "the legacy proxy's tenants stay its own"
        opened(postgres, database)


def all_led(of: Snapshot) -> dict[str, str]:
    """The route table of each tenant."""
    scopes = of.table(TypeUrl.SCOPE).values()
    return {each.name: each.needs[0].name for each in scopes if not each.name.startswith("-")}
