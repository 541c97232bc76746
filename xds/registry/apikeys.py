"""API keys in PostgreSQL.

Fulfils `xds.operations.apikeys.KeyStore`: what a key is good for is decided there. Holds hashes, never a key.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime

from xds.model import ApiKey
from xds.names import KeyId, TenantId
from xds.operations import Author
from xds.registry.auditing import name_author
from xds.registry.queries import Queries
from xds.registry.rows import Row
from xds.tokens import nobodys_digest

COLUMNS = "id, tenant_id, name, created_at, created_by, expires_at, revoked_at, last_used_at"
INSERT = """
INSERT INTO api_keys (id, tenant_id, name, hash, created_at, created_by, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)"""
# One row of 32 bytes whether the key is there or not, so that the time tells nobody which.
DIGEST = "SELECT coalesce((SELECT hash FROM api_keys WHERE id = $1), $2) AS digest"
FIND = f"SELECT {COLUMNS} FROM api_keys WHERE id = $1"  # noqa: S608 -- our constant
LIST = f"""
SELECT {COLUMNS} FROM api_keys WHERE $1::text IS NULL OR tenant_id = $1
 ORDER BY tenant_id COLLATE "C", created_at, id"""  # noqa: S608 -- our constant
REVOKE = "UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL"
USE = """
UPDATE api_keys SET last_used_at = $2::timestamptz
 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $2::timestamptz - interval '1 minute')"""


class ApiKeys:
    """The table of keys, on connections that `queries` lends."""

    def __init__(self, queries: Callable[[], AbstractAsyncContextManager[Queries]]) -> None:
        self._queries = queries

    async def add(self, key: ApiKey, stored: bytes, by: Author) -> None:
        """Keep a key and the digest of its text; raises `NotFound` if there is no such tenant."""
        values = (key.id, key.tenant, key.name, stored, key.created_at, key.created_by, key.expires_at)
        async with self._queries() as queries, queries.writing():
            await name_author(queries, by, "keys create")
            await queries.execute(INSERT, *values)

    async def digest_of(self, key_id: KeyId) -> bytes:
        """What is kept of that key's text; for an id that is not there, at the same cost, the digest of nobody's."""
        async with self._queries() as queries:
            (row,) = await queries.fetch(DIGEST, key_id, nobodys_digest())
        return bytes(row["digest"])

    async def find(self, key_id: KeyId) -> ApiKey | None:
        """The key with that id."""
        async with self._queries() as queries:
            row = await queries.fetch_row(FIND, key_id)
        return None if row is None else _to_key(row)

    async def listed(self, tenant: TenantId | None) -> Sequence[ApiKey]:
        """The keys of a tenant, or all, by tenant and age."""
        async with self._queries() as queries:
            return [_to_key(row) for row in await queries.fetch(LIST, tenant)]

    async def revoke(self, key_id: KeyId, at: datetime, by: Author) -> bool:
        """Note that a key is revoked, and by whom; whether that is news."""
        async with self._queries() as queries, queries.writing():
            await name_author(queries, by, "keys revoke")
            return await queries.execute(REVOKE, key_id, at) > 0

    async def note_use(self, key_id: KeyId, at: datetime) -> None:
        """Note that a key was used, unless it was within a minute before."""
        async with self._queries() as queries:
            await queries.execute(USE, key_id, at)


def _to_key(row: Row) -> ApiKey:
    return ApiKey(
        id=KeyId(row["id"]),
        tenant=TenantId(row["tenant_id"]),
        name=row["name"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
        last_used_at=row["last_used_at"],
    )
