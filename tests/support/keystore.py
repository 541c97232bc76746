"""API keys in memory. Passes the same contract as the real store: tests/integration/registry/test_apikeys.py."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from xds.errors import NotFound
from xds.model import ApiKey
from xds.names import KeyId, TenantId
from xds.operations import StoredKey


class MemoryKeys:
    """Keys of these tenants; `asked` has every id that was looked up."""

    def __init__(self, tenants: Iterable[str]) -> None:
        self._tenants = frozenset(tenants)
        self._kept: dict[KeyId, StoredKey] = {}
        self.asked: list[KeyId] = []

    async def add(self, key: ApiKey, stored: bytes) -> None:
        if key.tenant not in self._tenants:
            raise NotFound(f"an API key needs a tenant that exists, got {key.tenant}")
        self._kept[key.id] = StoredKey(key, stored)

    async def find(self, key_id: KeyId) -> StoredKey | None:
        self.asked.append(key_id)
        return self._kept.get(key_id)

    async def listed(self, tenant: TenantId | None) -> Sequence[ApiKey]:
        keys = (stored.key for stored in self._kept.values() if tenant in (None, stored.key.tenant))
        return sorted(keys, key=lambda key: (key.tenant, key.created_at, key.id))

    async def revoke(self, key_id: KeyId, at: datetime) -> bool:
        held = self._kept.get(key_id)
        if held is None or held.key.revoked_at is not None:
            return False
        self._change(held, revoked_at=at)
        return True

    async def note_use(self, key_id: KeyId, at: datetime) -> None:
        held = self._kept[key_id]
        if held.key.last_used_at is None or held.key.last_used_at < at - timedelta(minutes=1):
            self._change(held, last_used_at=at)

    def _change(self, held: StoredKey, **times: datetime) -> None:
        self._kept[held.key.id] = replace(held, key=replace(held.key, **times))  # type: ignore[arg-type]
