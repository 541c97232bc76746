"""The contract of whoever keeps API keys: PostgreSQL, and the fake that other tests use."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from tests.support.keystore import MemoryKeys
from xds.errors import NotFound, RegistryUnavailable
from xds.model import Cell, KeyState, Tenant
from xds.names import CellId, KeyId, TenantId
from xds.operations import (
    UNNAMED,
    Author,
    KeyStore,
    NewKey,
    Revocation,
    add_cell,
    add_tenant,
    create_key,
    list_keys,
    present_key,
    revoke_key,
)
from xds.registry import PostgresRegistry
from xds.tokens import digest

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
ACME, GLOBEX = TenantId("acme"), TenantId("globex")


@pytest.fixture(params=["postgres", "memory"])
async def store(request: pytest.FixtureRequest, registry: PostgresRegistry) -> AsyncIterator[KeyStore]:
    if request.param == "memory":
        yield MemoryKeys((ACME, GLOBEX))
        return
    await add_cell(registry, Cell(id=CellId("cell-a")))
    for tenant in (ACME, GLOBEX):
        await add_tenant(registry, Tenant(tenant, CellId("cell-a")))
    yield registry.api_keys


async def make(store: KeyStore, tenant: TenantId = ACME, name: str = "ci") -> NewKey:
    return await create_key(store, tenant, name, by=Author("me"), now=NOW, expires_at=NOW + timedelta(days=1))


async def test_a_key_is_kept_but_not_its_text(store: KeyStore) -> None:
    new = await make(store)
    assert await store.find(new.key.id) == new.key
    assert await store.digest_of(new.key.id) == digest(new.text)


async def test_what_is_not_there_has_a_digest_that_is_never_the_same(store: KeyStore) -> None:
    digests = {await store.digest_of(KeyId("0" * 16)) for _ in range(5)}
    assert [len(each) for each in digests] == [32] * 5
    assert await store.find(KeyId("0" * 16)) is None


async def test_a_key_needs_a_tenant(store: KeyStore) -> None:
    with pytest.raises(NotFound, match="an API key needs a tenant that exists"):
        await make(store, TenantId("nobody"))
    assert await list_keys(store) == ()


async def test_keys_are_listed_by_tenant_and_age(store: KeyStore) -> None:
    second, first = await make(store, GLOBEX), await make(store, ACME)
    assert await list_keys(store) == (first.key, second.key)
    assert await list_keys(store, tenant=GLOBEX) == (second.key,)
    assert await list_keys(store, tenant=TenantId("nobody")) == ()


async def test_a_key_is_found_by_its_text_and_by_nothing_like_it(store: KeyStore) -> None:
    new, other = await make(store), await make(store)
    assert await present_key(store, new.text) == new.key
    swapped = other.text[:20] + new.text[20:]
    for wrong in ("", "ask_", new.text[:-1], new.text + "x", new.text.upper(), swapped, f"ask_{'0' * 16}_{'A' * 43}"):
        assert await present_key(store, wrong) is None


async def test_a_key_is_revoked_once_and_for_ever(store: KeyStore) -> None:
    key = (await make(store)).key
    assert await revoke_key(store, key.id, now=NOW) == Revocation(key.id, KeyState.VALID, KeyState.REVOKED)
    later = NOW + timedelta(hours=1)
    assert await revoke_key(store, key.id, now=later) == Revocation(key.id, KeyState.REVOKED, KeyState.REVOKED)
    (kept,) = await list_keys(store)
    assert kept.revoked_at == NOW


async def test_a_key_that_is_not_there_can_not_be_revoked(store: KeyStore) -> None:
    with pytest.raises(NotFound, match="key 0000000000000000: no such key"):
        await revoke_key(store, KeyId("0" * 16), now=NOW)
    assert not await store.revoke(KeyId("0" * 16), NOW, UNNAMED)


async def test_use_is_noted_at_most_once_a_minute(store: KeyStore) -> None:
    key = (await make(store)).key
    seen: list[datetime | None] = []
    for seconds in (0, 59, 61):
        await store.note_use(key.id, NOW + timedelta(seconds=seconds))
        seen.append((await list_keys(store))[0].last_used_at)
    assert seen == [NOW, NOW, NOW + timedelta(seconds=61)]


async def test_a_tenants_keys_go_with_it(registry: PostgresRegistry, sql: asyncpg.Connection) -> None:
    await add_cell(registry, Cell(id=CellId("cell-a")))
    await add_tenant(registry, Tenant(ACME, CellId("cell-a")))
    key = await make(registry.api_keys)
    await sql.execute("DELETE FROM tenants")
    assert await present_key(registry.api_keys, key.text) is None


async def test_nothing_in_the_database_is_the_key(registry: PostgresRegistry, sql: asyncpg.Connection) -> None:
    await add_cell(registry, Cell(id=CellId("cell-a")))
    await add_tenant(registry, Tenant(ACME, CellId("cell-a")))
    new = await make(registry.api_keys)
    secret = new.text.split("_", 2)[2]
    for row in await sql.fetch("SELECT api_keys::text AS told FROM api_keys"):
        assert new.key.id in row["told"]
        assert secret not in row["told"]
        assert secret.encode().hex() not in row["told"]


async def test_a_change_of_keys_is_logged_and_changes_no_topology(registry: PostgresRegistry) -> None:
    await add_cell(registry, Cell(id=CellId("cell-a")))
    await add_tenant(registry, Tenant(ACME, CellId("cell-a")))
    before = (await registry.load()).revision
    await revoke_key(registry.api_keys, (await make(registry.api_keys)).key.id, now=NOW)
    changes = await registry.changes_since(before)
    assert changes.revision == before + 2
    assert not changes


async def test_a_database_that_is_down_is_told() -> None:
    async with PostgresRegistry.open("postgresql://user:s3cret@127.0.0.1:1/alphaswarm") as registry:
        with pytest.raises(RegistryUnavailable):
            await registry.api_keys.find(KeyId("0" * 16))
        assert not registry.status.connected
