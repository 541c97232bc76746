"""Counts the platform's audit events that have no cell; reads only, in a table whose names the operator gives."""

from datetime import UTC, datetime

import asyncpg
from asyncpg import exceptions as pg

from xds.errors import EvidenceUnavailable, SettingsError
from xds.operations.canary import AuditCount, moment
from xds.registry.dsn import EXPECTED, describe
from xds.registry.faults import reason


class AuditTable:
    """A table of audit events in the database at `dsn`; raises `SettingsError` if that is no URL.

    Args:
        dsn: A postgresql:// URL.
        table: Its name, a schema's before a dot.
        column: The column of the cell's id.
        time_column: The column of the time; one without a time zone is taken for UTC.
        timeout: For connecting and for the query, in seconds.
    """

    def __init__(self, dsn: str, *, table: str, column: str, time_column: str, timeout: float = 10) -> None:
        self._dsn = dsn
        self._where = describe(dsn)
        self._timeout = timeout
        cell, time = _quoted(column), _quoted(time_column)
        # Identifiers can't be parameters; they are quoted above.
        self._query = (
            f"SELECT count(*) AS events, count(*) FILTER (WHERE {cell} IS NULL) AS unresolved,"  # noqa: S608
            f" min({time}) FILTER (WHERE {cell} IS NULL) AS first"
            f" FROM {'.'.join(map(_quoted, table.split('.')))} WHERE {time} >= $1::timestamptz"
        )

    async def count_unresolved(self, since: float) -> AuditCount:
        """The events since then; raises `EvidenceUnavailable`."""
        try:
            row = await self._fetch(since)
        except pg.ClientConfigurationError:
            raise SettingsError((EXPECTED,)) from None  # its text quotes the URL
        except (pg.UndefinedTableError, pg.UndefinedColumnError) as error:
            raise self._unavailable(f"{error}; expected the platform's schema at 0083_audit_cell_id_column") from None
        except TimeoutError:
            raise self._unavailable(f"no answer in {self._timeout:g} s") from None
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
            raise self._unavailable(reason(error)) from error
        first = row["first"]
        return AuditCount(
            events=row["events"],
            unresolved=row["unresolved"],
            first=first.isoformat(timespec="seconds") if first else "",
            query=f"{self._where}: {self._query.replace('$1', repr(moment(since)))}",
        )

    async def _fetch(self, since: float) -> asyncpg.Record:
        connection = await asyncpg.connect(
            self._dsn,
            timeout=self._timeout,
            command_timeout=self._timeout,
            server_settings={
                "application_name": "alphaswarm-xds canary",
                "default_transaction_read_only": "on",
                "timezone": "UTC",
            },
        )
        try:
            return await connection.fetchrow(self._query, datetime.fromtimestamp(since, UTC))
        finally:
            await connection.close(timeout=self._timeout)

    def _unavailable(self, reason: str) -> EvidenceUnavailable:
        return EvidenceUnavailable(f"audit events in {self._where}: {reason}")


def _quoted(identifier: str) -> str:
    if not identifier or "\0" in identifier:
        raise SettingsError((f"audit table: expected the name of a table or column, got {identifier!r}",))
    return '"' + identifier.replace('"', '""') + '"'
