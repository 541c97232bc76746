"""What should be published: followed step by step, from a registry in memory."""

import time
from datetime import timedelta

import pytest

from tests.support.edge import SHARED, cell, edge_options, tenant
from tests.unit.publish.memory import MemoryKeys, MemoryRegistry
from xds.errors import KeysUnavailable, RegistryUnavailable
from xds.names import ResourceName, TypeUrl
from xds.publish.desired import Desired
from xds.translate import TenantOptions, Translation, translate

GRACE = edge_options(jwks="", tenants=TenantOptions(grace=timedelta(minutes=5)))


def desired(registry: MemoryRegistry, keys: MemoryKeys | None = None) -> Desired:
    return Desired(registry, keys or MemoryKeys("first"), GRACE)


async def advanced(of: Desired) -> Translation:
    """It, after the registry was asked."""
    await of.advance()
    assert of.translation is not None
    return of.translation


async def test_nothing_is_desired_before_registry_and_keys_are_read() -> None:
    of = desired(MemoryRegistry(cell()), MemoryKeys())

    assert (of.translation, of.advance_alone(), of.seconds_left()) == (None, False, None)
    with pytest.raises(KeysUnavailable):
        await of.advance()
    assert of.translation is None


async def test_the_first_is_loaded_and_the_next_ones_are_changes() -> None:
    registry = MemoryRegistry(cell(), tenant())
    of = desired(registry)
    first = await advanced(of)
    registry.commit(tenant("b"))
    second = await advanced(of)

    assert (registry.loads, set(second.topology.tenants)) == (1, {"acme", "b"})
    assert second.shared[TypeUrl.ROUTE] is first.shared[TypeUrl.ROUTE]
    anew = translate(await registry.load(), second.options, now=time.time())
    assert second.content.digest == anew.content.digest


async def test_nothing_new_is_the_same_translation() -> None:
    of = desired(MemoryRegistry(cell(), tenant()))
    first = await advanced(of)

    assert await advanced(of) is first


async def test_a_revision_alone_is_followed() -> None:
    registry = MemoryRegistry(cell(), tenant())
    of = desired(registry)
    await advanced(of)
    registry.restore(1)

    assert (await advanced(of)).topology.revision == 1


async def test_a_registry_that_is_lost_changes_nothing() -> None:
    registry = MemoryRegistry(cell(), tenant())
    of = desired(registry)
    first = await advanced(of)
    registry.fault = RegistryUnavailable("gone")
    with pytest.raises(RegistryUnavailable):
        await of.advance()

    assert of.translation is first


async def test_new_keys_need_no_registry() -> None:
    registry, keys = MemoryRegistry(cell(), tenant()), MemoryKeys("first")
    of = desired(registry, keys)
    before = await advanced(of)
    reads = registry.reads
    assert of.advance_alone() is False
    keys.change("second")

    assert of.advance_alone() is True
    assert registry.reads == reads
    assert of.translation is not None
    assert set(of.translation.content.changed_since(before.content).upserts)
    assert [each.kind for each in of.translation.content.changed_since(before.content).places] == ["ecds"]
    assert of.advance_alone() is False


async def test_a_grace_that_ends_needs_no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    moved_at = time.time()
    registry = MemoryRegistry(cell(), cell("cell-b"), tenant(came_from="cell-b", at=moved_at))
    of = desired(registry)
    assert routed(await advanced(of)) == f"{SHARED}/cell-b"
    left = of.seconds_left()
    assert left is not None
    assert 290 < left <= 300

    monkeypatch.setattr(time, "time", lambda: moved_at + 301)
    assert of.seconds_left() == 0
    assert of.advance_alone() is True
    assert of.translation is not None
    assert routed(of.translation) == SHARED
    assert of.seconds_left() is None


def routed(of: Translation) -> str:
    """The route table of the tenant acme."""
    scope = of.shared[TypeUrl.SCOPE].get(ResourceName("acme"))
    assert scope is not None
    return scope.needs[0].name
