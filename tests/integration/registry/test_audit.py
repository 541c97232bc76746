"""The platform's audit events, in a real PostgreSQL."""

import time

import asyncpg
import pytest

from tests.support.postgres import execute
from xds.errors import EvidenceUnavailable, SettingsError
from xds.registry.audit import AuditTable

SINCE = 1_795_467_592.0
TABLE = """CREATE TABLE audit_events (id bigint GENERATED ALWAYS AS IDENTITY, cell_id text,
           created_at timestamptz NOT NULL DEFAULT now())"""


def audit(
    url: str, table: str = "audit_events", column: str = "cell_id", time_column: str = "created_at"
) -> AuditTable:
    return AuditTable(url, table=table, column=column, time_column=time_column, timeout=5)


async def test_events_since_then_are_counted_and_those_without_a_cell(empty_database_url: str) -> None:
    await execute(
        empty_database_url,
        TABLE,
        f"""INSERT INTO audit_events (cell_id, created_at) VALUES
            (NULL, to_timestamp({SINCE - 1})), ('unresolved', to_timestamp({SINCE})),
            ('cell-a', to_timestamp({SINCE + 1})), (NULL, to_timestamp({SINCE + 60})),
            (NULL, to_timestamp({SINCE + 30}))""",
    )
    count = await audit(empty_database_url).count_unresolved(SINCE)

    assert (count.events, count.unresolved, count.first) == (4, 2, "2026-11-23T21:00:22+00:00")
    asked = count.query.partition("): ")[2]
    connection = await asyncpg.connect(empty_database_url)
    try:
        assert dict(await connection.fetchrow(asked))["unresolved"] == 2, "what is shown can be run"
    finally:
        await connection.close()
    assert (await audit(empty_database_url).count_unresolved(time.time() + 10**9)).events == 0


async def test_names_are_quoted_and_a_time_without_a_zone_is_utc(empty_database_url: str) -> None:
    await execute(
        empty_database_url,
        'CREATE SCHEMA "Pl; DROP"',
        """CREATE TABLE "Pl; DROP"."au""dit" ("Cell Id" text, "select" timestamp)""",
        "ALTER ROLE CURRENT_USER SET timezone = 'Asia/Tokyo'",
        """INSERT INTO "Pl; DROP"."au""dit" VALUES (NULL, '2026-11-23 20:59:51'), (NULL, '2026-11-23 20:59:52')""",
    )
    try:
        table = audit(empty_database_url, 'Pl; DROP.au"dit', "Cell Id", "select")
        assert (await table.count_unresolved(SINCE)).unresolved == 1
    finally:
        await execute(empty_database_url, "ALTER ROLE CURRENT_USER RESET timezone")


async def test_nothing_is_ever_written(empty_database_url: str) -> None:
    await execute(
        empty_database_url,
        TABLE,
        "INSERT INTO audit_events (cell_id) VALUES ('a')",
        "CREATE FUNCTION gone() RETURNS text LANGUAGE sql AS 'DELETE FROM audit_events RETURNING cell_id'",
        "CREATE VIEW evil AS SELECT gone() AS cell_id, created_at FROM audit_events",
    )
    with pytest.raises(EvidenceUnavailable, match="read-only transaction"):
        await audit(empty_database_url, "evil").count_unresolved(0)


@pytest.mark.parametrize("missing", ["table", "column", "time_column"])
async def test_what_is_not_there_is_no_evidence(empty_database_url: str, missing: str) -> None:
    await execute(empty_database_url, TABLE)
    with pytest.raises(EvidenceUnavailable, match=r"does not exist; .* 0083_audit_cell_id_column"):
        await audit(empty_database_url, **{missing: "nothing"}).count_unresolved(SINCE)


async def test_a_database_that_is_down_is_no_evidence_and_its_password_is_not_told() -> None:
    with pytest.raises(EvidenceUnavailable, match="connection refused") as raised:
        await audit("postgresql://user:s3cret@127.0.0.1:1/platform").count_unresolved(SINCE)
    assert "s3cret" not in str(raised.value)


def test_a_name_that_is_none_is_refused() -> None:
    for name in ("", "a..b", "a\0b"):
        with pytest.raises(SettingsError, match="expected the name of a table or column"):
            audit("postgresql://localhost/platform", name)
