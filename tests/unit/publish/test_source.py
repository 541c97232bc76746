"""What the publisher may rely on, held against the registry in memory that its tests use."""

import asyncio

import pytest

from tests.support.edge import cell, tenant
from tests.unit.publish.memory import MemoryRegistry
from xds.errors import ChangesPruned, RegistryUnavailable
from xds.names import CellId, Revision, TenantId
from xds.publish import Registry

SECONDS = 5


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry(cell(), tenant())


def test_the_registry_in_memory_is_a_registry(registry: MemoryRegistry) -> None:
    held: Registry = registry

    assert held is registry


async def test_load_is_everything_at_the_newest_revision(registry: MemoryRegistry) -> None:
    topology = await registry.load()

    assert (topology.revision, list(topology.cells), list(topology.tenants)) == (2, [cell().id], ["acme"])


async def test_nothing_changed_since_the_newest_revision(registry: MemoryRegistry) -> None:
    changes = await registry.changes_since(Revision(2))

    assert not changes
    assert changes.revision == 2


async def test_changes_since_a_revision_lead_to_what_load_says(registry: MemoryRegistry) -> None:
    before = await registry.load()
    registry.commit(cell("cell-b"), tenant("b", "cell-b"), gone=(tenant(),))

    changes = await registry.changes_since(before.revision)

    assert changes.cells == {CellId("cell-b"): cell("cell-b")}
    assert changes.tenants == {TenantId("b"): tenant("b", "cell-b"), TenantId("acme"): None}
    assert before.apply(changes) == await registry.load()


async def test_several_changes_of_one_thing_are_its_last(registry: MemoryRegistry) -> None:
    registry.commit(tenant("acme", "cell-b"), tenant("acme", "cell-c"))

    changes = await registry.changes_since(Revision(2))
    assert changes.tenants == {TenantId("acme"): tenant("acme", "cell-c")}


async def test_changes_before_the_log_or_after_it_cannot_be_told(registry: MemoryRegistry) -> None:
    registry.prune()
    for unknown in (1, 3):
        with pytest.raises(ChangesPruned):
            await registry.changes_since(Revision(unknown))


async def test_a_watcher_is_woken_at_the_start_and_by_each_commit(registry: MemoryRegistry) -> None:
    woken = 0

    def wake() -> None:
        nonlocal woken
        woken += 1

    async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(registry.watch(wake))
        await registry.watched.wait()
        registry.commit(cell("cell-b"))
        watching.cancel()
    assert woken == 2


async def test_a_registry_that_is_down_says_so_in_both_reads(registry: MemoryRegistry) -> None:
    registry.fault = RegistryUnavailable("gone")
    with pytest.raises(RegistryUnavailable):
        await registry.load()
    with pytest.raises(RegistryUnavailable):
        await registry.changes_since(Revision(1))
