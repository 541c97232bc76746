"""The registry in PostgreSQL: what the publisher reads, and what operations write.

Fulfils `xds.publish.source.Registry` and `xds.operations.Store`. A connection is made when it is first
needed, so a database that is down is an answer to a question and not a failure to start.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from types import MappingProxyType
from typing import NamedTuple

import asyncpg

from xds.errors import RegistryMismatch, RegistryUnavailable, XdsError
from xds.model import Cell, Changes, Override, Tenant, TenantState, Topology
from xds.names import CellId, Revision, TenantId
from xds.operations import UNNAMED, AuditEvent, AuditQuery, Author, Drain, Fill, PhasedMove
from xds.registry.apikeys import ApiKeys
from xds.registry.auditing import list_events, name_author
from xds.registry.dsn import describe
from xds.registry.faults import mismatch, translated, translated_connecting
from xds.registry.health import Health
from xds.registry.listening import Listener
from xds.registry.overrides import list_overrides
from xds.registry.queries import Queries
from xds.registry.reading import LISTED_TENANTS, PLACED_TENANTS, read_all, read_cells, read_changes, read_fills
from xds.registry.rehearsing import Rehearsal
from xds.registry.rollouts import PostgresRollouts
from xds.registry.rows import Reading
from xds.registry.schema import CHANNEL, SCHEMA_REVISION, SNAPSHOTS_CHANNEL, VERSION_TABLE
from xds.registry.snapshots import Connecting, PostgresSnapshots
from xds.registry.underway import DUE_DRAINS, LIST_DRAINS, MOVES, to_drain, to_move
from xds.registry.writing import PostgresTransaction
from xds.telemetry import get_logger
from xds.telemetry.status import RegistryStatus

# The log's order is by revision and, in effect, by time: the oldest come first and the search stops early.
PRUNE = """
DELETE FROM change_log WHERE revision IN (
    SELECT revision FROM (SELECT revision, at FROM change_log ORDER BY revision LIMIT $2) AS oldest
     WHERE at < clock_timestamp() - $1 * interval '1 second'
) AND revision < (SELECT max(revision) FROM change_log)"""
PRUNE_BATCH = 20_000
LAST_LOGGED = "SELECT coalesce(max(revision), 0) FROM change_log WHERE kind = 'tenant' AND id = $1"

_log = get_logger()


class _Listeners(NamedTuple):
    registry: Listener
    snapshots: Listener


class PostgresRegistry:
    """A registry in one PostgreSQL database; made by `open`."""

    def __init__(self, pool: asyncpg.Pool, listeners: "_Listeners", health: Health, connecting: Connecting) -> None:
        self._pool = pool
        self._listener = listeners.registry
        self._health = health
        self._where = connecting.where
        self._timeout = connecting.timeout
        self._problems: dict[str, str] = {}
        self.api_keys = ApiKeys(self._queries)
        """The API keys."""
        self.snapshots = PostgresSnapshots(connecting, listeners.snapshots, self._queries)
        """What was published."""
        self.rollouts = PostgresRollouts(self._queries)
        """What is rolled out, and to whom."""

    @classmethod
    @asynccontextmanager
    async def open(
        cls, dsn: str, *, pool_size: int = 4, timeout: float = 10, poll_seconds: float = 5
    ) -> AsyncIterator["PostgresRegistry"]:
        """A registry at `dsn`, closed at the end; connects to nothing yet.

        Raises `SettingsError` if `dsn` is no URL. `timeout` is for each query and each connection.
        """
        where, health = describe(dsn), Health(time.time)
        pool = await asyncpg.create_pool(
            dsn,
            min_size=0,
            max_size=pool_size,
            timeout=timeout,
            command_timeout=timeout,
            server_settings={"application_name": "alphaswarm-xds"},
        )
        listeners = _Listeners(
            *(
                Listener(dsn, where, health, timeout=timeout, poll_seconds=poll_seconds, channel=channel)
                for channel in (CHANNEL, SNAPSHOTS_CHANNEL)
            )
        )
        try:
            yield cls(pool, listeners, health, Connecting(dsn=dsn, where=where, timeout=timeout))
        finally:
            try:
                async with asyncio.timeout(timeout):
                    await pool.close()
            except TimeoutError:
                pool.terminate()

    @property
    def status(self) -> RegistryStatus:
        """Whether the database answered last, else why not, and since when."""
        return self._health.status

    @property
    def problems(self) -> Mapping[str, str]:
        """The rows that are left out of the topology because they make no sense: `kind id` → the reason."""
        return MappingProxyType(self._problems)

    async def check_schema(self) -> None:
        """Raise `RegistryMismatch` unless the database has the schema that this version needs."""
        async with self._queries() as queries:
            exists = await queries.fetch_row("SELECT to_regclass($1) AS found", VERSION_TABLE)
            row = None
            if exists is not None and exists["found"] is not None:
                row = await queries.fetch_row(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 -- our constant
        found = row["version_num"] if row is not None else "no revision"
        if found != SCHEMA_REVISION:
            raise mismatch(self._where, f"is at {found}")

    async def load(self) -> Topology:
        """Everything, at one revision."""
        async with self._queries() as queries:
            revision, reading = await read_all(queries)
        self._report(dict.fromkeys(self._problems, "") | reading.problems)
        return Topology(
            revision=revision, cells=MappingProxyType(reading.cells), tenants=MappingProxyType(reading.tenants)
        )

    async def changes_since(self, revision: Revision) -> Changes:
        """What became of all that was committed after `revision`.

        Raises `ChangesPruned` when the change log cannot tell; then `load`.
        """
        async with self._queries() as queries:
            newest, logged, reading = await read_changes(queries, revision)
        self._report({f"{row['kind']} {row['id']}": "" for row in logged} | reading.problems)
        cells = [CellId(row["id"]) for row in logged if row["kind"] == "cell"]
        tenants = [TenantId(row["id"]) for row in logged if row["kind"] == "tenant"]
        return Changes(
            revision=newest,
            cells={cell: reading.cells.get(cell) for cell in cells},
            tenants={tenant: reading.tenants.get(tenant) for tenant in tenants},
        )

    async def watch(self, wake: Callable[[], None]) -> None:
        """Call `wake` whenever something may have been committed; runs until cancelled."""
        await self._listener.watch(wake)

    async def prune(self, keep_seconds: float) -> int:
        """Delete what the change log holds from before `keep_seconds` ago, the newest excepted; how many rows."""
        pruned = 0
        async with self._queries() as queries:
            while True:
                count = await queries.execute(PRUNE, keep_seconds, PRUNE_BATCH)
                pruned += count
                if count < PRUNE_BATCH:
                    return pruned

    @asynccontextmanager
    async def transaction(self, by: Author = UNNAMED, action: str = "") -> AsyncIterator[PostgresTransaction]:
        """A transaction: committed at the end, undone if the end is an exception."""
        async with self._queries() as queries, queries.writing() as written:
            await name_author(queries, by, action)
            yield PostgresTransaction(queries, written)

    def rehearsal(self) -> Rehearsal:
        """Where an operation can be tried: it is done and undone."""
        return Rehearsal(self._queries)

    async def list_audit(self, query: AuditQuery) -> Sequence[AuditEvent]:
        """The events that are asked for, the newest first."""
        async with self._queries() as queries:
            return await list_events(queries, query)

    async def list_overrides(
        self, *, cell: CellId | None = None, tenants: Collection[TenantId] | None = None
    ) -> Sequence[Override]:
        """The overrides into `cell` (None: any), of `tenants` (None: any), by tenant."""
        async with self._queries() as queries:
            return list((await list_overrides(queries, tenants, cell)).values())

    async def list_drains(
        self, *, cell: CellId | None, is_open: bool | None, limit: int, before: str | None = None
    ) -> Sequence[Drain]:
        """The drains of `cell` (None: any) that have not ended, or have; those begun before drain `before`."""
        async with self._queries() as queries:
            return [to_drain(row) for row in await queries.fetch(LIST_DRAINS, cell, is_open, before, limit)]

    async def due_drains(self) -> Sequence[Drain]:
        """The drains that servers work off and whose pause is over."""
        async with self._queries() as queries:
            return [to_drain(row) for row in await queries.fetch(DUE_DRAINS)]

    async def list_moves(self) -> Sequence[PhasedMove]:
        """The moves in phases that are under way, by tenant."""
        async with self._queries() as queries:
            return [to_move(row) for row in await queries.fetch(MOVES, None)]

    async def logged(self, tenant: TenantId) -> Revision:
        """The revision of a tenant's last change; 0 if the change log has none."""
        async with self._queries() as queries:
            return Revision(await queries.fetch_count(LAST_LOGGED, tenant))

    async def list_cells(self) -> Sequence[tuple[Cell, Fill]]:
        """Every cell and how full it is, by id."""
        reading = Reading()
        async with self._queries() as queries, queries.snapshot():
            await read_cells(queries, reading, None)
            fills = await read_fills(queries, None)
        self._report(reading.problems)
        return [(cell, fills[cell.id]) for _, cell in sorted(reading.cells.items())]

    async def find_cell(self, cell: CellId) -> tuple[Cell, Fill] | None:
        """A cell and how full it is."""
        reading = Reading()
        async with self._queries() as queries, queries.snapshot():
            await read_cells(queries, reading, [cell])
            fills = await read_fills(queries, [cell])
        self._report(reading.problems)
        return (reading.cells[cell], fills[cell]) if cell in reading.cells else None

    async def find_tenant(self, tenant: TenantId) -> Tenant | None:
        """A tenant, where it is placed."""
        reading = Reading()
        async with self._queries() as queries:
            reading.add_tenants(await queries.fetch(PLACED_TENANTS, [tenant]))
        self._report(reading.problems)
        return reading.tenants.get(tenant)

    async def list_tenants(
        self, *, cell: CellId | None, state: TenantState | None, limit: int | None, after: TenantId | None = None
    ) -> Sequence[Tenant]:
        """The tenants in `cell` and `state` (None: any), by id, those after `after`, at most `limit`."""
        reading = Reading()
        async with self._queries() as queries:
            reading.add_tenants(await queries.fetch(LISTED_TENANTS, cell, state, limit, after))
        self._report(reading.problems)
        return list(reading.tenants.values())

    @asynccontextmanager
    async def _queries(self) -> AsyncIterator[Queries]:
        try:
            with translated_connecting(self._where):
                connection = await self._pool.acquire(timeout=self._timeout)
            try:
                yield Queries(connection, self._where, self._timeout)
            finally:
                # What was asked is answered; a connection that cannot be given back is dropped by the pool.
                with suppress(XdsError), translated(self._where):
                    await self._pool.release(connection, timeout=self._timeout)
        except (RegistryUnavailable, RegistryMismatch) as error:
            self._health.failed("queries", str(error))
            raise
        self._health.succeeded("queries")

    def _report(self, found: Mapping[str, str]) -> None:
        """Note what became of rows: an empty text is for one that is no problem any more."""
        for row, problem in found.items():
            if not problem:
                self._problems.pop(row, None)
            elif self._problems.get(row) != problem:
                self._problems[row] = problem
                _log.warning("registry.row_left_out", row=row, problem=problem)
