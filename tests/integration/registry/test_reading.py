"""Loading everything, and reading what changed."""

import time

import asyncpg
import pytest

from xds.errors import ChangesPruned
from xds.model import Cell, CellState, Endpoint, Tenancy, Tenant, TenantState, Topology, UpstreamProtocol
from xds.names import CellId, Revision, TenantId
from xds.registry import PostgresRegistry
from xds.registry.queries import BATCH

SEED = """
INSERT INTO cells (id, state, tenancy, tier, region, labels, protocol)
VALUES ('cell-a', 'active', 'dedicated', 'gold', 'eu', '{"b": "2", "a": "1"}', 'http2'), ('cell-b', 'active',
        'shared', 'std', 'local', '{}', 'http1');
INSERT INTO endpoints VALUES ('cell-a', '10.0.0.2', 80, 'z2', 5), ('cell-a', '10.0.0.1', 81, '', 1);
INSERT INTO tenants VALUES ('acme', 'cell-a', 'active'), ('globex', 'cell-b', 'suspended');
"""
A, B = CellId("cell-a"), CellId("cell-b")
ACME, GLOBEX = TenantId("acme"), TenantId("globex")


@pytest.fixture
async def seeded(sql: asyncpg.Connection) -> asyncpg.Connection:
    await sql.execute(SEED)
    return sql


async def test_an_empty_registry_is_revision_0(registry: PostgresRegistry) -> None:
    assert await registry.load() == Topology(revision=Revision(0))
    assert not await registry.changes_since(Revision(0))


async def test_load_reads_every_column(registry: PostgresRegistry, seeded: asyncpg.Connection) -> None:
    topology = await registry.load()
    assert topology.cells[A] == Cell(
        id=A,
        state=CellState.ACTIVE,
        tenancy=Tenancy.DEDICATED,
        tier="gold",
        region="eu",
        labels=(("a", "1"), ("b", "2")),
        protocol=UpstreamProtocol.HTTP2,
        endpoints=(Endpoint(address="10.0.0.1", port=81), Endpoint(address="10.0.0.2", port=80, zone="z2", weight=5)),
    )
    assert topology.cells[B].endpoints == ()
    assert topology.tenants == {ACME: Tenant(ACME, A), GLOBEX: Tenant(GLOBEX, B, TenantState.SUSPENDED)}
    assert topology.revision == await seeded.fetchval("SELECT max(revision) FROM change_log")
    assert registry.status.connected


async def test_load_reads_more_than_a_batch(registry: PostgresRegistry, seeded: asyncpg.Connection) -> None:
    await seeded.execute(f"INSERT INTO tenants SELECT 't' || i, 'cell-b' FROM generate_series(1, {2 * BATCH}) i")
    assert len((await registry.load()).tenants) == 2 * BATCH + 2


async def test_changes_have_each_id_once_with_its_present_row(
    registry: PostgresRegistry, seeded: asyncpg.Connection
) -> None:
    topology = await registry.load()
    await seeded.execute("UPDATE tenants SET cell_id = 'cell-b' WHERE id = 'acme'")
    await seeded.execute("UPDATE tenants SET state = 'suspended' WHERE id = 'acme'")
    await seeded.execute("DELETE FROM tenants WHERE id = 'globex'")
    await seeded.execute("UPDATE endpoints SET port = 82 WHERE port = 81")
    await seeded.execute("INSERT INTO cells (id) VALUES ('cell-c')")
    await seeded.execute("DELETE FROM cells WHERE id = 'cell-c'")
    changes = await registry.changes_since(topology.revision)
    acme = changes.tenants[ACME]
    assert acme is not None
    assert acme.arrival is not None
    assert acme.arrival.previous == A
    assert abs(acme.arrival.at - time.time()) < 60
    assert changes.tenants == {ACME: Tenant(ACME, B, TenantState.SUSPENDED, acme.arrival), GLOBEX: None}
    changed = changes.cells[A]
    assert changed is not None
    assert [endpoint.port for endpoint in changed.endpoints] == [82, 80]
    assert changes.cells == {A: changed, CellId("cell-c"): None}
    assert topology.apply(changes) == await registry.load()
    assert not await registry.changes_since(changes.revision)


async def test_deleting_a_cell_takes_its_endpoints_along(
    registry: PostgresRegistry, seeded: asyncpg.Connection
) -> None:
    topology = await registry.load()
    await seeded.execute("DELETE FROM tenants; DELETE FROM cells WHERE id = 'cell-a'")
    changes = await registry.changes_since(topology.revision)
    assert changes.cells == {A: None}
    assert topology.apply(changes) == await registry.load()


async def test_a_thousand_moves_in_one_transaction_are_one_set_of_changes(
    registry: PostgresRegistry, seeded: asyncpg.Connection
) -> None:
    await seeded.execute("INSERT INTO tenants SELECT 't' || i, 'cell-a' FROM generate_series(1, 1000) i")
    topology = await registry.load()
    moved = await seeded.execute("UPDATE tenants SET cell_id = 'cell-b' WHERE cell_id = 'cell-a'")
    assert moved == "UPDATE 1001"
    changes = await registry.changes_since(topology.revision)
    assert len(changes.tenants) == 1001
    assert {tenant.cell for tenant in changes.tenants.values() if tenant} == {B}


async def test_a_row_that_makes_no_sense_is_left_out_and_reported(
    registry: PostgresRegistry, seeded: asyncpg.Connection
) -> None:
    await seeded.execute("ALTER TABLE cells DROP CONSTRAINT cells_state_known")
    await seeded.execute("ALTER TABLE tenants DROP CONSTRAINT tenants_state_known")
    topology = await registry.load()
    assert registry.problems == {}
    await seeded.execute("UPDATE cells SET state = 'asleep' WHERE id = 'cell-a'")
    await seeded.execute("UPDATE tenants SET state = 'asleep' WHERE id = 'globex'")

    changes = await registry.changes_since(topology.revision)
    assert changes.cells == {A: None}
    assert changes.tenants == {GLOBEX: None}
    assert set(registry.problems) == {"cell cell-a", "tenant globex"}
    assert "'asleep'" in registry.problems["cell cell-a"]
    assert "'asleep'" in registry.problems["tenant globex"]

    loaded = await registry.load()
    assert set(loaded.cells) == {B}
    assert set(loaded.tenants) == {ACME}
    assert set(registry.problems) == {"cell cell-a", "tenant globex"}

    await seeded.execute("UPDATE cells SET state = 'active'; DELETE FROM tenants WHERE id = 'globex'")
    mended = await registry.changes_since(loaded.revision)
    assert A in loaded.apply(mended).cells
    assert registry.problems == {}


async def test_pruning_keeps_the_newest_and_tells_a_reader_that_is_too_far_back(
    registry: PostgresRegistry, seeded: asyncpg.Connection
) -> None:
    start = (await registry.load()).revision
    assert await registry.prune(3600) == 0
    await seeded.execute("UPDATE tenants SET state = 'suspended' WHERE id = 'acme'")
    await seeded.execute("UPDATE tenants SET state = 'active' WHERE id = 'acme'")
    held = await seeded.fetchval("SELECT count(*) FROM change_log")

    assert await registry.prune(0) == held - 1
    assert await registry.prune(0) == 0
    with pytest.raises(ChangesPruned, match=f"changes since {start} are gone"):
        await registry.changes_since(start)

    topology = await registry.load()
    assert topology.revision == start + 2
    assert not await registry.changes_since(topology.revision)
    # One that had read all but the newest misses nothing, and is not sent back to the start.
    assert set((await registry.changes_since(Revision(start + 1))).tenants) == {ACME}


async def test_pruning_by_plain_sql_is_noticed_too(registry: PostgresRegistry, seeded: asyncpg.Connection) -> None:
    revision = (await registry.load()).revision
    await seeded.execute("UPDATE tenants SET cell_id = 'cell-a'")
    await seeded.execute("DELETE FROM change_log")
    with pytest.raises(ChangesPruned):
        await registry.changes_since(revision)
    assert (await registry.load()).revision > revision


async def test_a_revision_from_the_future_means_that_the_registry_was_restored(
    registry: PostgresRegistry, seeded: asyncpg.Connection
) -> None:
    revision = (await registry.load()).revision
    with pytest.raises(ChangesPruned, match=f"ends at revision {revision}, {revision + 1} is not in it"):
        await registry.changes_since(Revision(revision + 1))
