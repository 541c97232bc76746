"""What an operator can do with API keys: make, list, revoke; and what is asked of a key that somebody presents.

The rules are here, and what they need of whoever keeps the keys. Knows no SQL, and keeps no key's text.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from xds.errors import NotFound, RequestError
from xds.model import ApiKey, KeyState
from xds.names import KeyId, TenantId
from xds.operations.auditing import UNNAMED, Author
from xds.tokens import digest, id_of, is_key, make_key

NAME_EXPECTED = "1 to 100 printable characters"


class KeyStore(Protocol):
    """Where keys are kept. Everything raises `RegistryUnavailable` when it cannot be reached."""

    async def add(self, key: ApiKey, stored: bytes, by: Author) -> None:
        """Keep a key and the digest of its text; raises `NotFound` if there is no such tenant."""
        ...

    async def digest_of(self, key_id: KeyId) -> bytes:
        """What is kept of that key's text; for an id that is not there, at the same cost, the digest of nobody's."""
        ...

    async def find(self, key_id: KeyId) -> ApiKey | None:
        """The key with that id."""
        ...

    async def listed(self, tenant: TenantId | None) -> Sequence[ApiKey]:
        """The keys of a tenant, or all, by tenant and age."""
        ...

    async def revoke(self, key_id: KeyId, at: datetime, by: Author) -> bool:
        """Note that a key is revoked, and by whom; whether that is news."""
        ...

    async def note_use(self, key_id: KeyId, at: datetime) -> None:
        """Note that a key was used, unless it was within a minute before."""
        ...


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made, with its text, which is nowhere else."""

    key: ApiKey
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Revocation:
    """A key before and after."""

    key: KeyId
    was: KeyState
    now: KeyState

    @property
    def is_change(self) -> bool:
        """Whether anything was written."""
        return self.was is not self.now


async def create_key(
    store: KeyStore, tenant: TenantId, name: str, *, by: Author, now: datetime, expires_at: datetime
) -> NewKey:
    """Make a key for `tenant`. Its text is in what is returned, and can't be had again."""
    if not (name.isprintable() and 1 <= len(name) <= 100):
        raise RequestError(f"key name: expected {NAME_EXPECTED}, got {name!r}")
    if expires_at <= now:
        raise RequestError(f"key expiry: expected a time to come, got {expires_at.isoformat(timespec='seconds')}")
    key_id, text = make_key()
    key = ApiKey(id=key_id, tenant=tenant, name=name, created_at=now, created_by=by.actor, expires_at=expires_at)
    await store.add(key, digest(text), by)
    return NewKey(key, text)


async def list_keys(store: KeyStore, *, tenant: TenantId | None = None) -> tuple[ApiKey, ...]:
    """The keys of `tenant`, or all: everything about them but the keys."""
    return tuple(await store.listed(tenant))


async def revoke_key(store: KeyStore, key_id: KeyId, *, now: datetime, by: Author = UNNAMED) -> Revocation:
    """Let a key be good for no further token, for ever; raises `NotFound`."""
    found = await store.find(key_id)
    if found is None:
        raise NotFound(f"key {key_id}: no such key")
    is_news = await store.revoke(key_id, now, by)
    was = found.state(now)
    return Revocation(key_id, was if is_news else KeyState.REVOKED, KeyState.REVOKED)


async def present_key(store: KeyStore, text: str) -> ApiKey | None:
    """The key whose text this is; None for a wrong one.

    One that is unknown, and what is no key at all, cost the same as a wrong one: one look-up of 32 bytes by an id, one
    comparison of hashes. More is read only for whoever has the key.
    """
    key_id = id_of(text)
    return await store.find(key_id) if is_key(text, await store.digest_of(key_id)) else None
