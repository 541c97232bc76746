"""Optimistic concurrency: nothing is changed but what its caller has seen.

An etag is a hash of what it stands for. It is compared inside the transaction that changes it, on rows that are locked
by then, so nobody can come in between. Operations know nothing of it: they are given a store that looks first.
"""

import dataclasses
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import cast

from xds.control.shapes import to_time
from xds.errors import Stale
from xds.model import Cell, Override, Tenant
from xds.names import CellId, TenantId
from xds.operations import Drain, Store, Transaction
from xds.operations.auditing import UNNAMED, Author
from xds.operations.rollouts import RolloutStore
from xds.operations.snapshots import SnapshotStore
from xds.publish.policy import Policy
from xds.publish.rollout import Rollout

ANY = "*"

Look = Callable[[Transaction], Awaitable[None]]


def etag_of_cell(cell: Cell, capacity: int | None) -> str:
    """Equal for cells that are equal and have equal room."""
    return _hash(dataclasses.asdict(cell), capacity)


def etag_of_tenant(tenant: Tenant, override: Override | None) -> str:
    """Equal for a tenant that is placed, and kept elsewhere, as before."""
    return _hash(dataclasses.asdict(tenant), override and dataclasses.asdict(override))


def etag_of_policy(policy: Policy) -> str:
    """Equal for equal decisions."""
    return _hash(dataclasses.asdict(policy) | {"at": to_time(policy.at).isoformat()})  # what PostgreSQL keeps of it


def etag_of_rollout(rollout: Rollout) -> str:
    """Equal for a rollout as it was planned, started or stopped, however far it has come."""
    return _hash(rollout.id, rollout.structure, rollout.state, rollout.waves.text, rollout.soak_seconds)


def etag_of_drain(drain: Drain) -> str:
    """Equal for a drain as it was started, stopped or undone, however far it has come."""
    decided = (drain.id, drain.to, drain.stopped, drain.ended_at, drain.undone_at)
    return _hash(*decided, drain.orders and dataclasses.asdict(drain.orders))


def check(etag: str, actual: str, name: str) -> None:
    """Raise `Stale` unless `etag` is, or has among several, `actual`."""
    if not {each.strip() for each in etag.split(",")} & {ANY, actual}:
        raise Stale(f"{name}: has changed since you looked: look again")


def expecting_cell(store: Store, cell: CellId, etag: str, *, lock: Look | None = None) -> Store:
    """The store, which changes something only if the cell is as `etag` says; one that does not exist is let through.

    `lock` locks what the operation locks beside the cell, where all must be locked at once.
    """

    async def look(transaction: Transaction) -> None:
        if lock is not None:
            await lock(transaction)
        for found in (await transaction.cells([cell], to_change=True)).values():
            capacity = (await transaction.fills([cell]))[cell].capacity
            check(etag, etag_of_cell(found, capacity), f"cell {cell}")

    return cast(Store, _Looking(store, look))


def expecting_tenant(store: Store, tenant: TenantId, etag: str, *, cells: Sequence[CellId] = ()) -> Store:
    """The same of a tenant; `cells` are those that the operation locks, which must come first."""

    async def look(transaction: Transaction) -> None:
        if cells:
            await transaction.cells(cells, to_change=True)
        for found in (await transaction.tenants([tenant])).values():
            override = (await transaction.overrides(tenants=[tenant])).get(tenant)
            check(etag, etag_of_tenant(found, override), f"tenant {tenant}")

    return cast(Store, _Looking(store, look))


def expecting_drain(store: Store, cell: CellId, etag: str) -> Store:
    """The same of the drain of a cell that began last."""

    async def look(transaction: Transaction) -> None:
        await transaction.cells([cell], to_change=True)
        drain = await transaction.last_drain(cell)
        if drain is not None:
            check(etag, etag_of_drain(drain), f"the drain of cell {cell}")

    return cast(Store, _Looking(store, look))


def expecting_policy(store: SnapshotStore, etag: str) -> SnapshotStore:
    """The store of snapshots, whose policy is only given as `etag` says; to change it, it must be as given then."""
    return cast(SnapshotStore, _PolicyLooking(store, etag))


def expecting_rollout(store: RolloutStore, etag: str) -> RolloutStore:
    """The store of rollouts, whose newest one is only given as `etag` says; to change it, it must be as given then."""
    return cast(RolloutStore, _RolloutLooking(store, etag))


def _hash(*values: object) -> str:
    text = json.dumps(values, default=str, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


class _Looking:
    """A store, each transaction of which begins with a look."""

    def __init__(self, store: Store, look: Look) -> None:
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
        check(self._etag, etag_of_policy(policy), "publishing")
        return policy

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


class _RolloutLooking:
    """A store of rollouts, with another `rollout`."""

    def __init__(self, store: RolloutStore, etag: str) -> None:
        self._store = store
        self._etag = etag

    async def rollout(self) -> Rollout | None:
        rollout = await self._store.rollout()
        if rollout is not None:
            check(self._etag, etag_of_rollout(rollout), f"rollout {rollout.id}")
        return rollout

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)
