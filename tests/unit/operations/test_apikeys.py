"""The rules about API keys; that stores keep them is in tests/integration/registry/test_apikeys.py."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.keystore import MemoryKeys
from xds.errors import RequestError
from xds.model import KeyState
from xds.names import KeyId, TenantId
from xds.operations import Author, Revocation, create_key, present_key
from xds.operations.apikeys import NewKey

NOW = datetime(2027, 1, 1, tzinfo=UTC)
ACME = TenantId("acme")


async def make(store: MemoryKeys, *, name: str = "ci", expires_at: datetime = NOW + timedelta(1)) -> NewKey:
    return await create_key(store, ACME, name, by=Author("me"), now=NOW, expires_at=expires_at)


@pytest.mark.parametrize("name", ["", "a\nb", "\x1b[2J", "x" * 101])
async def test_a_name_is_for_people(name: str) -> None:
    store = MemoryKeys(["acme"])
    with pytest.raises(RequestError, match="key name: expected 1 to 100 printable characters"):
        await make(store, name=name)
    assert await store.listed(None) == []


async def test_a_key_expires_in_the_future() -> None:
    with pytest.raises(RequestError, match="key expiry: expected a time to come, got 2027-01-01T00:00:00"):
        await make(MemoryKeys(["acme"]), expires_at=NOW)


async def test_a_new_key_is_shown_without_its_text() -> None:
    new = await make(MemoryKeys(["acme"]))
    assert new.text not in repr(new)
    assert new.text not in str(new.key)


async def test_a_key_that_is_not_there_is_looked_up_all_the_same() -> None:
    store = MemoryKeys(["acme"])
    new = await make(store)
    unknown = KeyId("f" * 16)
    for text in (new.text, f"ask_{unknown}_{'A' * 43}", "no key at all", ""):
        await present_key(store, text)
    assert store.asked == [new.key.id, unknown, "0" * 16, "0" * 16]


def test_what_was_revoked_already_is_no_change() -> None:
    assert Revocation(KeyId("k"), KeyState.EXPIRED, KeyState.REVOKED).is_change
    assert not Revocation(KeyId("k"), KeyState.REVOKED, KeyState.REVOKED).is_change
