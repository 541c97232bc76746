"""A rehearsal: operations run for real, with every rule and every lock, and nothing is committed.

What would have come of them is read before it is undone: the audit trail, and what would be published.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from types import MappingProxyType

from xds.errors import XdsError
from xds.model import Topology
from xds.names import Revision, TenantId
from xds.operations import UNNAMED, AuditEvent, Author
from xds.registry.auditing import list_rehearsed, name_author
from xds.registry.queries import Queries, Written
from xds.registry.reading import SOME_TENANTS, read_cells
from xds.registry.rows import Reading
from xds.registry.writing import PostgresTransaction


class Rehearsal:
    """Fulfils `xds.operations.Transactions`, for an operation that is one transaction.

    `events` are what would be audited; `before` and `after` have every cell, and the tenants that are concerned.
    """

    def __init__(self, queries: Callable[[], AbstractAsyncContextManager[Queries]]) -> None:
        self._queries = queries
        self.events: tuple[AuditEvent, ...] = ()
        self.before = self.after = Topology(revision=Revision(0))

    @asynccontextmanager
    async def transaction(self, by: Author = UNNAMED, action: str = "") -> AsyncIterator[PostgresTransaction]:
        """A transaction that is undone at its end."""
        async with self._queries() as queries:
            await queries.execute("BEGIN")
            try:
                await name_author(queries, by, action)
                yield PostgresTransaction(queries, Written())
                self.events = tuple(await list_rehearsed(queries))
                tenants = sorted({event.tenant for event in self.events if event.tenant is not None})
                self.after = await _read(queries, tenants)
            finally:
                with suppress(XdsError):
                    await queries.execute("ROLLBACK")
            self.before = await _read(queries, tenants)


async def _read(queries: Queries, tenants: list[TenantId]) -> Topology:
    reading = Reading()
    await read_cells(queries, reading, None)
    reading.add_tenants(await queries.fetch(SOME_TENANTS, tenants))
    return Topology(
        revision=Revision(0), cells=MappingProxyType(reading.cells), tenants=MappingProxyType(reading.tenants)
    )
