"""The snapshots in PostgreSQL: what the publisher records and follows, and what operators list and compare.

Fulfils `xds.publish.history.History` and `xds.operations.snapshots.SnapshotStore`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from xds.errors import Conflict, NotFound
from xds.operations.snapshots import Held
from xds.publish.fleetview import FleetNode
from xds.publish.history import Entry, Recorded
from xds.publish.policy import Policy
from xds.publish.rollout import Rollout
from xds.registry import snapshotrows as sql
from xds.registry.faults import translated_connecting
from xds.registry.leading import KEEPALIVE, PostgresLead
from xds.registry.listening import Listener
from xds.registry.queries import Queries
from xds.registry.rollouts import PostgresRollouts
from xds.registry.rows import Row
from xds.snapshot import ContentChange, Place, Resource, gather, place_of, unflatten


@dataclass(frozen=True, slots=True, kw_only=True)
class Connecting:
    """How the database is reached: `where` names it without its password, `timeout` is in seconds."""

    dsn: str
    where: str
    timeout: float


class PostgresSnapshots:
    """The tables of snapshots, on connections that `queries` lends."""

    def __init__(
        self,
        connecting: Connecting,
        listener: Listener,
        queries: Callable[[], AbstractAsyncContextManager[Queries]],
    ) -> None:
        self._connecting = connecting
        self._listener = listener
        self._queries = queries
        self._rollouts = PostgresRollouts(queries)

    @asynccontextmanager
    async def lead(self) -> AsyncIterator[PostgresLead]:
        """The right to publish, as soon as nobody else has it."""
        dsn, where, timeout = self._connecting.dsn, self._connecting.where, self._connecting.timeout
        with translated_connecting(where):
            connection = await asyncpg.connect(
                dsn,
                timeout=timeout,
                command_timeout=timeout,
                server_settings={"application_name": "alphaswarm-xds publisher", **KEEPALIVE},
            )
        try:
            lead = PostgresLead(connection, where, timeout)
            await lead.acquire()
            yield lead
        finally:
            connection.terminate()

    async def watch(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever another snapshot or policy may be in force; runs until cancelled."""
        await self._listener.watch(wake)

    async def policy(self) -> Policy:
        """What operators have decided."""
        async with self._queries() as queries:
            row = await queries.fetch_row(sql.POLICY)
        return sql.to_policy(row) if row is not None else Policy()

    async def rollout(self) -> Rollout | None:
        """The newest rollout."""
        return await self._rollouts.rollout()

    async def nodes(self) -> Sequence[FleetNode]:
        """The nodes that are, or lately were, connected to any replica."""
        return (await self._rollouts.view()).nodes

    async def newest(self) -> Recorded | None:
        """The snapshot in force, with all of its content; None before the first."""
        async with self._queries() as queries, queries.snapshot():
            row = await queries.fetch_row(sql.NEWEST)
            return None if row is None else _gathered(row, [r async for b in queries.batches(sql.IN_FORCE) for r in b])

    async def follow(self, base: Recorded) -> Recorded | None:
        """The snapshot in force, made of `base` and what was published since; `base` itself if nothing was."""
        async with self._queries() as queries, queries.snapshot():
            row = await queries.fetch_row(sql.NEWEST)
            if row is None:
                return None
            if (row["number"], row["digest"]) == (base.entry.number, base.entry.digest):
                return base
            change = await _change(queries, base.entry.number, row["number"])
        followed = Recorded(entry=sql.to_entry(row), content=base.content.apply(change))
        if followed.content.digest == followed.entry.digest:
            return followed
        # The base is none of this database's snapshots, or its change was pruned.
        return await self.newest()

    async def content(self, number: int) -> Recorded:
        """A snapshot as it was; raises `NotFound` if it is not kept."""
        async with self._queries() as queries, queries.snapshot():
            row = await _entry(queries, number)
            resources = await queries.fetch(sql.AT, number)
        return await asyncio.to_thread(_gathered, row, resources)  # a second for 100,000

    async def resources(
        self, number: int, kind: str | None, name: str | None
    ) -> tuple[Entry, Sequence[tuple[Place, Resource]]]:
        """A snapshot's resources of a type's label and a name, None: of any; raises `NotFound`."""
        async with self._queries() as queries, queries.snapshot():
            row = await _entry(queries, number)
            rows = await queries.fetch(sql.SOME, number, kind, name)
        return sql.to_entry(row), [unflatten(flat) for flat in sql.to_flats(rows)]

    async def change(self, older: int, newer: int) -> tuple[ContentChange, ContentChange]:
        """What leads from one snapshot to a newer one, and what leads back; raises `NotFound`."""
        async with self._queries() as queries, queries.snapshot():
            await _entry(queries, older)
            await _entry(queries, newer)
            gained = dict(map(unflatten, sql.to_flats(await queries.fetch(sql.GAINED, older, newer))))
            lost = dict(map(unflatten, sql.to_flats(await queries.fetch(sql.LOST, older, newer))))
        there = ContentChange(upserts=gained, removed=frozenset(lost.keys() - gained.keys()))
        back = ContentChange(upserts=lost, removed=frozenset(gained.keys() - lost.keys()))
        return there, back

    async def entries(self, before: int | None, limit: int) -> Sequence[Entry]:
        """What is known of the newest snapshots older than `before`, the newest first."""
        async with self._queries() as queries:
            return [sql.to_entry(row) for row in await queries.fetch(sql.LIST, before or 2**62, limit)]

    async def entry(self, number: int) -> Entry:
        """What is known of a snapshot; raises `NotFound`."""
        async with self._queries() as queries:
            return sql.to_entry(await _entry(queries, number))

    async def held(self, limit: int | None = 0, after: Place | None = None) -> Held | None:
        """What is held, if anything is; with the resources that differ, by place, from `after` on, None: all."""
        async with self._queries() as queries, queries.snapshot():
            row = await queries.fetch_row(sql.CANDIDATE)
            if row is None:
                return None
            place = (None, None, None) if after is None else (after.group, after.kind, after.name)
            return sql.to_held(row, await queries.fetch(sql.CANDIDATE_RESOURCES, *place, limit) if limit != 0 else ())

    async def decide(self, was: Policy, now: Policy) -> None:
        """Have `now` be what operators have decided; raises `Conflict` if `was` no longer is."""
        values = (now.mode, now.is_frozen, now.pinned, now.approved, now.by, now.message, _time(now.at))
        async with self._queries() as queries:
            if not await queries.execute(sql.DECIDE, *values, _time(was.at)):
                raise Conflict("somebody else has just decided about publishing: look again")

    async def is_acted_on(self) -> bool:
        """Whether the publisher has acted on the latest decision."""
        async with self._queries() as queries:
            row = await queries.fetch_row(sql.IS_ACTED_ON)
        return row is not None and bool(row["is_acted_on"])

    async def prune(self, *, keep: int, keep_seconds: float) -> int:
        """Forget snapshots beyond the newest `keep` that are older than `keep_seconds`; how many.

        Never the one in force, nor the one that is pinned.
        """
        async with self._queries() as queries, queries.writing() as written:
            count = await queries.execute(sql.PRUNE, keep, keep_seconds)
            if count:
                written.rows = await queries.execute(sql.PRUNE_RESOURCES)
        return count


async def _entry(queries: Queries, number: int) -> Row:
    row = await queries.fetch_row(sql.ENTRY, number)
    if row is None:
        raise NotFound(f"snapshot {number}: there is none, or it is no longer kept")
    return row


async def _change(queries: Queries, older: int, newer: int) -> ContentChange:
    gained = dict(map(unflatten, sql.to_flats(await queries.fetch(sql.GAINED, older, newer))))
    lost = {place_of(*row) for row in await queries.fetch(sql.LOST_PLACES, older, newer)}
    return ContentChange(upserts=gained, removed=frozenset(lost - gained.keys()))


def _gathered(row: Row, resources: Iterable[Row]) -> Recorded:
    groups, apart = sql.to_groups(row)
    return Recorded(entry=sql.to_entry(row), content=gather(sql.to_flats(resources), groups=groups, apart=apart))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
