"""A history of snapshots in a real PostgreSQL grows by what changes, and so does what is read of it.

The same history as `python -m tests.bench.history` makes, but smaller; there it is timed, here its rows are counted.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import asyncpg
import pytest

from tests.bench.history import record
from xds.operations import snapshots as operations
from xds.registry import PostgresRegistry
from xds.registry import snapshotrows as rows

TENANTS, SNAPSHOTS, MOVES = 2_000, 60, 10


@pytest.fixture
async def added(registry: PostgresRegistry, database_url: str, sql: asyncpg.Connection) -> int:
    """The history, recorded; how many rows came after the first snapshot."""
    _, _, (first, last) = await record(registry, database_url, SNAPSHOTS, TENANTS, MOVES)
    assert first.rows > TENANTS
    await sql.execute("ANALYZE snapshot_resources")
    return last.rows - first.rows


def scans(plan: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Each node of a plan that reads a table: its kind, and how many rows it has looked at."""
    if "Relation Name" in plan:
        looked_at = sum(plan.get(each, 0) for each in ("Actual Rows", "Rows Removed by Filter"))
        yield plan["Node Type"], round(looked_at * plan["Actual Loops"])
    for each in plan.get("Plans", ()):
        yield from scans(each)


async def read(sql: asyncpg.Connection, query: str, *values: object) -> list[tuple[str, int]]:
    """How a query is answered, as it really was."""
    (explained,) = json.loads(await sql.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", *values))
    return list(scans(explained["Plan"]))


async def test_a_history_grows_by_what_changes_and_what_is_asked_of_it_reads_no_more(
    registry: PostgresRegistry, sql: asyncpg.Connection, added: int
) -> None:
    assert added == (SNAPSHOTS - 1) * MOVES, "a row a move, whatever the number of tenants"
    for older, newer, changes in ((SNAPSHOTS - 1, SNAPSHOTS, MOVES), (1, SNAPSHOTS, added)):
        for query in (rows.GAINED, rows.LOST, rows.LOST_PLACES):
            for kind, looked_at in await read(sql, query, older, newer):
                assert looked_at <= 2 * changes, (query, kind, older)
                assert kind != "Seq Scan" or changes == added, query
    differences = await operations.compare(registry.snapshots, SNAPSHOTS - 1, SNAPSHOTS)
    assert {each.sign for each in differences} == {"~"}
    assert len(differences) == MOVES


async def test_any_snapshot_is_read_whole_from_no_more_rows_than_it_and_all_changes_have(
    registry: PostgresRegistry, sql: asyncpg.Connection, added: int
) -> None:
    oldest, newest = await registry.snapshots.content(1), await registry.snapshots.newest()
    assert newest is not None
    assert oldest.content.digest == oldest.entry.digest != newest.entry.digest
    assert len(oldest.content) == len(newest.content)
    for number in (1, SNAPSHOTS // 2, SNAPSHOTS):
        ((_, looked_at),) = await read(sql, rows.AT, number)
        assert looked_at <= len(oldest.content) + added
        shown = await operations.show(registry.snapshots, number, kind="srds", name="tenant-0000000")
        assert len(shown.resources) == 1


@pytest.mark.usefixtures("added")
async def test_a_replica_that_is_behind_takes_up_what_it_has_missed(registry: PostgresRegistry) -> None:
    base = await registry.snapshots.content(SNAPSHOTS - 2)
    followed = await registry.snapshots.follow(base)
    assert followed is not None
    assert followed.content.digest == followed.entry.digest
    assert len(followed.content.changed_since(base.content)) <= 2 * MOVES
