"""Optimistic concurrency: nothing is changed but what its caller has seen.

An etag is a hash of what it stands for. It is compared inside the transaction that changes it, on rows that are locked
by then, so nobody can come in between. Operations know nothing of it: they are given a store that looks first.
"""

import dataclasses
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import cast

from xds.control.shapes import to_time
from xds.errors import Stale
from xds.model import Cell, Tenant
from xds.names import CellId, TenantId
from xds.operations import Store, Transaction
from xds.operations.auditing import UNNAMED, Author
from xds.operations.snapshots import SnapshotStore
from xds.publish.policy import Policy

ANY = "*"


def etag_of(thing: Cell | Tenant | Policy) -> str:
    """Equal for equal things, and for no others."""
    fields = dataclasses.asdict(thing)
    if isinstance(thing, Policy):
        fields["at"] = to_time(thing.at).isoformat()  # what PostgreSQL keeps of it
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


def check(etag: str, thing: Cell | Tenant | Policy, name: str) -> None:
    """Raise `Stale` unless `etag` is, or has among several, that of `thing`."""
    expected = {each.strip() for each in etag.split(",")}
    if not expected & {ANY, etag_of(thing)}:
        raise Stale(f"{name}: has changed since you looked: look again")


def expecting_cell(store: Store, cell: CellId, etag: str) -> Store:
    """The store, which changes something only if the cell is as `etag` says; one that does not exist is let through."""

    async def look(transaction: Transaction) -> None:
        for found in (await transaction.cells([cell], to_change=True)).values():
            check(etag, found, f"cell {cell}")

    return cast(Store, _Looking(store, look))


def expecting_tenant(store: Store, tenant: TenantId, etag: str, *, cells: Sequence[CellId] = ()) -> Store:
    """The same of a tenant; `cells` are those that the operation locks, which must come first."""

    async def look(transaction: Transaction) -> None:
        if cells:
            await transaction.cells(cells, to_change=True)
        found: Mapping[TenantId, Tenant] = await transaction.tenants([tenant])
        if tenant in found:
            check(etag, found[tenant], f"tenant {tenant}")

    return cast(Store, _Looking(store, look))


def expecting_policy(store: SnapshotStore, etag: str) -> SnapshotStore:
    """The store of snapshots, whose policy is only given as `etag` says; to change it, it must be as given then."""
    return cast(SnapshotStore, _PolicyLooking(store, etag))


class _Looking:
    """A store, each transaction of which begins with a look."""

    def __init__(self, store: Store, look: Callable[[Transaction], Awaitable[None]]) -> None:
        self._store = store
        self._look = look

    @asynccontextmanager
    async def transaction(self, by: Author = UNNAMED, action: str = "") -> AsyncIterator[Transaction]:
        async with self._store.transaction(by, action) as transaction:
            await self._look(transaction)
            yield transaction

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


class _PolicyLooking:
    """A store of snapshots, with another `policy`."""

    def __init__(self, store: SnapshotStore, etag: str) -> None:
        self._store = store
        self._etag = etag

    async def policy(self) -> Policy:
        policy = await self._store.policy()
        check(self._etag, policy, "publishing")
        return policy

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)
