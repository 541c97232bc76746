"""One connection's queries: each has a deadline and raises our errors only.

Knows SQL's transactions and cursors, no table.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg

from xds.errors import XdsError
from xds.registry.faults import translated
from xds.registry.rows import Row

BATCH = 5_000
"""Rows taken at once: enough to make round trips cheap, few enough to let other tasks run in between."""

LOG_SECONDS_PER_ROW = 100e-6
"""What a COMMIT may take longer for each row it has to write to the change log; ten times what it does take."""


class Queries:
    """What can be asked on one connection of the pool."""

    def __init__(self, connection: asyncpg.Connection, where: str, timeout: float) -> None:
        self._connection = connection
        self._where = where
        self._timeout = timeout

    async def fetch(self, sql: str, *values: object) -> Sequence[Row]:
        """Every row."""
        with translated(self._where):
            rows: Sequence[Row] = await self._connection.fetch(sql, *values, timeout=self._timeout)
            return rows

    async def fetch_row(self, sql: str, *values: object) -> Row | None:
        """The first row, if there is one."""
        with translated(self._where):
            row: Row | None = await self._connection.fetchrow(sql, *values, timeout=self._timeout)
            return row

    async def fetch_count(self, sql: str, *values: object) -> int:
        """The one number that `sql` selects."""
        with translated(self._where):
            return int(await self._connection.fetchval(sql, *values, timeout=self._timeout))

    async def batches(self, sql: str) -> AsyncIterator[Sequence[Row]]:
        """Every row, in batches; only inside `snapshot`."""
        with translated(self._where):
            cursor = await self._connection.cursor(sql, timeout=self._timeout)
        while True:
            with translated(self._where):
                rows = await cursor.fetch(BATCH, timeout=self._timeout)
            if not rows:
                return
            yield rows

    async def execute(self, sql: str, *values: object, timeout: float | None = None) -> int:
        """Run a statement; the number of rows that it touched."""
        with translated(self._where):
            tag = await self._connection.execute(sql, *values, timeout=timeout or self._timeout)
        count = tag.rpartition(" ")[2]
        return int(count) if count.isdecimal() else 0

    async def copy(self, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Put `rows` into `table` the fast way."""
        with translated(self._where):
            await self._connection.copy_records_to_table(table, records=rows, columns=columns, timeout=self._timeout)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[None]:
        """Let every query inside see the database at one instant."""
        transaction = self._connection.transaction(isolation="repeatable_read", readonly=True)
        with translated(self._where):
            await transaction.start()
        try:
            yield
        finally:
            # Nothing was written: rolling back is the same as committing, and works after a failure too.
            with suppress(XdsError), translated(self._where):
                await transaction.rollback()

    @asynccontextmanager
    async def writing(self) -> AsyncIterator["Written"]:
        """Commit what is done inside, or nothing if it raises."""
        # Not asyncpg's transaction(): its COMMIT has the deadline of any query, ours has more to do.
        written = Written()
        await self.execute("BEGIN")
        try:
            yield written
        except BaseException:
            with suppress(XdsError):
                await self.execute("ROLLBACK")
            raise
        await self.execute("COMMIT", timeout=self._timeout + written.rows * LOG_SECONDS_PER_ROW)


class Written:
    """How many rows a transaction has written so far."""

    def __init__(self) -> None:
        self.rows = 0
