"""What is published though nobody has committed anything: keys that have changed, and graces that are over."""

import asyncio
import time
from datetime import timedelta

from tests.support.edge import SHARED, cell, edge_options, tenant
from tests.unit.publish.conftest import Publishing, Start, turn
from tests.unit.publish.memory import MemoryKeys, MemoryRegistry
from xds.errors import RegistryUnavailable
from xds.names import ResourceName, TypeUrl
from xds.snapshot import Snapshot
from xds.translate import TenantOptions

GONE = RegistryUnavailable("PostgreSQL at db:5432: connection refused")


# Keys


def token_check(snapshot: Snapshot) -> bytes:
    """The config of what checks tokens."""
    (check,) = snapshot.table(TypeUrl.EXTENSION).values()
    return check.body


async def until_failed(running: Publishing) -> None:
    async with asyncio.timeout(5):
        while not running.publisher.status.error:
            await turn()


async def test_nothing_is_published_before_the_first_keys(publishing: Start) -> None:
    keys = MemoryKeys()
    async with publishing(MemoryRegistry(cell(), tenant()), keys=keys) as running:
        await until_failed(running)
        assert (running.latest, running.registry.loads) == (0, 0)
        assert "no keys yet" in running.publisher.status.error
        keys.change("first")
        snapshot = await running.published(1)

        assert b"first" in token_check(snapshot)
        assert running.publisher.status.error == ""


async def test_new_keys_are_one_resource_and_nothing_is_translated_again(publishing: Start) -> None:
    keys = MemoryKeys("first")
    async with publishing(MemoryRegistry(cell(), tenant()), keys=keys) as running:
        first = await running.published(1)
        keys.change("second")
        second = await running.published(2)

        assert {url for url in TypeUrl if first.table(url) is not second.table(url)} == {TypeUrl.EXTENSION}
        assert b"second" in token_check(second)
        assert second.revision == first.revision
        assert running.registry.loads == 1


async def test_new_keys_do_not_wait_for_a_registry_that_is_down(publishing: Start) -> None:
    keys = MemoryKeys("first")
    async with publishing(MemoryRegistry(cell(), tenant()), keys=keys) as running:
        await running.published(1)
        running.registry.fault = GONE
        keys.change("second")
        second = await running.published(2)
        running.registry.fault = None
        running.registry.commit(tenant("b"))
        third = await running.published(3)

        assert b"second" in token_check(second)
        assert b"second" in token_check(third)
        assert {name for name in third.table(TypeUrl.SCOPE) if not name.startswith("-")} == {"acme", "b"}


# Graces


async def test_a_grace_ends_by_itself_even_while_the_registry_is_down(publishing: Start) -> None:
    options = edge_options(tenants=TenantOptions(grace=timedelta(seconds=0.5)))
    registry = MemoryRegistry(cell(), cell("cell-b"), tenant("acme", "cell-b"))
    async with publishing(registry, options=options) as running:
        await running.published(1)
        registry.commit(tenant(came_from="cell-b", at=time.time()))
        assert routed(await running.published(2)) == f"{SHARED}/cell-b"
        registry.fault = GONE
        third = await running.published(3)

    assert routed(third) == SHARED
    assert len(third.table(TypeUrl.ROUTE)) == 5
    assert third.revision == 4


def routed(snapshot: Snapshot) -> str:
    """The route table of the tenant acme."""
    scope = snapshot.table(TypeUrl.SCOPE).get(ResourceName("acme"))
    assert scope is not None
    return scope.needs[0].name
