"""The red button on a real PostgreSQL that is shut: tenants are led elsewhere at once, and it is known afterwards."""

from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from tests.integration.publish.test_rollouts import NEXT, PLAN, fleet, given
from tests.support.edge import edge_options
from tests.support.postgres import PostgresServer, name_of, opened, shut
from tests.support.publishing import Replica, replica, seeded
from xds.errors import Conflict, NotFound, RequestError
from xds.names import CellId, ResourceName, TypeUrl
from xds.publish import Shelf
from xds.snapshot import Snapshot
from xds.translate.canary import CanaryOptions

A, B = CellId("cell-a"), CellId("cell-b")


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

        assert await one.publisher.evacuate(A, B, by="ann", message="it burns") == 2
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
        await one.until(path.exists)
        await down(one, postgres, database)
        await one.publisher.evacuate(A, B, by="ann")
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
        assert await one.publisher.evacuate(A, B, by="ann") == 1
        opened(postgres, database)
        await one.until(lambda: not one.status.error and not one.status.is_ahead)
        assert (led_to(one, "acme"), led_to(one, "b")) == (B, "cell-c")


async def test_what_makes_no_sense_is_refused_and_changes_nothing(
    postgres: PostgresServer, database_url: str, sql: asyncpg.Connection
) -> None:
    await seeded(sql, "acme")
    database = await name_of(sql)
    async with replica(database_url, poll_seconds=0.2) as one:
        await one.serves(1)
        with pytest.raises(Conflict, match="the registry answers: 'cells evacuate' moves them there"):
            await one.publisher.evacuate(A, B, by="ann")
        await down(one, postgres, database)
        with pytest.raises(RequestError, match="expected another cell"):
            await one.publisher.evacuate(A, A, by="ann")
        with pytest.raises(NotFound, match="cell cell-x: no such cell"):
            await one.publisher.evacuate(A, CellId("cell-x"), by="ann")
        with pytest.raises(Conflict, match="cell cell-b: what is served leads no tenant there"):
            await one.publisher.evacuate(B, A, by="ann")
        assert not one.status.is_ahead
        opened(postgres, database)


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

        assert await one.publisher.evacuate(A, B, by="ann") == 2
        assert all_led(given(one)) == {"acme": "cell-b", "globex": "cell-b"}
        assert (led_to(one, "acme"), led_to(one, "globex")) == ("legacy", B), "the legacy proxy's tenants stay its own"
        opened(postgres, database)


def all_led(of: Snapshot) -> dict[str, str]:
    """The route table of each tenant."""
    scopes = of.table(TypeUrl.SCOPE).values()
    return {each.name: each.needs[0].name for each in scopes if not each.name.startswith("-")}
