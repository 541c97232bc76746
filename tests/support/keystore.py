"""API keys in memory. Passes the same contract as the real store: tests/integration/registry/test_apikeys.py."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from xds.errors import NotFound
from xds.model import ApiKey
from xds.names import KeyId, TenantId
from xds.operations import Author
from xds.tokens import nobodys_digest


class MemoryKeys:
    """Keys of these tenants; `asked` has every id whose digest was asked for."""

    def __init__(self, tenants: Iterable[str]) -> None:
        self._tenants = frozenset(tenants)
        self._kept: dict[KeyId, ApiKey] = {}
        self._digests: dict[KeyId, bytes] = {}
        self.asked: list[KeyId] = []
        self.done_by: dict[KeyId, str] = {}

    async def add(self, key: ApiKey, stored: bytes, by: Author) -> None:
        if key.tenant not in self._tenants:
            raise NotFound(f"an API key needs a tenant that exists, got {key.tenant}")
        self._kept[key.id] = key
        self._digests[key.id] = stored
        self.done_by[key.id] = by.actor

    async def digest_of(self, key_id: KeyId) -> bytes:
        self.asked.append(key_id)
        return self._digests.get(key_id, nobodys_digest())

    async def find(self, key_id: KeyId) -> ApiKey | None:
        return self._kept.get(key_id)

    async def listed(self, tenant: TenantId | None) -> Sequence[ApiKey]:
        keys = (key for key in self._kept.values() if tenant in (None, key.tenant))
        return sorted(keys, key=lambda key: (key.tenant, key.created_at, key.id))

    async def revoke(self, key_id: KeyId, at: datetime, by: Author) -> bool:
        held = self._kept.get(key_id)
        if held is None or held.revoked_at is not None:
            return False
        self._change(held, revoked_at=at)
        self.done_by[key_id] = by.actor
        return True

    async def note_use(self, key_id: KeyId, at: datetime) -> None:
        held = self._kept[key_id]
        if held.last_used_at is None or held.last_used_at < at - timedelta(minutes=1):
            self._change(held, last_used_at=at)

    def _change(self, held: ApiKey, **times: datetime) -> None:
        self._kept[held.id] = replace(held, **times)  # type: ignore[arg-type]
