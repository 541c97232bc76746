"""`alphaswarm-xds rollout`, on a real database where a publisher has written."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import asyncpg
import pytest

from tests.integration.cli.conftest import DOWN, Run, run_program
from xds.cli import rollout as module

COMMANDS = ("list", "start", "abort", "watch")

PUT = """
INSERT INTO rollouts (structure, waves, soak_seconds, state, wave, wave_since, settled_at, nodes, reason, by, ended_at)
VALUES ('{}', 'node=canary-*', 30, $1, 1, '2027-01-15T08:00:00Z', NULL, '{canary-1,edge-1}', $2, 'replica-1',
        CASE WHEN $1 IN ('done', 'stopped') THEN timestamptz '2027-01-15T09:00:00Z' END)"""
REPLICA = "INSERT INTO replicas VALUES ('replica-1', '1', clock_timestamp(), clock_timestamp(), 1, true)"
NODE = """
INSERT INTO fleet_nodes VALUES ('replica-1', $1, 'edge', $2, '', '', '{}', '', 'delta', '', clock_timestamp(), NULL,
                                $3, NULL, '', '{}')"""

Sql = Callable[..., None]


@pytest.fixture
def sql(database_url: str) -> Sql:
    """Runs a statement with its values."""

    async def execute(statement: str, *values: object) -> None:
        connection = await asyncpg.connect(database_url, timeout=10)
        try:
            await connection.execute(statement, *values)
        finally:
            await connection.close()

    return lambda statement, *values: asyncio.run(execute(statement, *values))


@contextmanager
def shortly(act: Callable[[], None]) -> Iterator[None]:
    """Have something happen in another thread while a command runs."""
    happening = threading.Timer(1.0, act)
    happening.start()
    try:
        yield
    finally:
        happening.join(timeout=30)


def test_every_command_has_a_help_that_says_what_it_does(xds: Run) -> None:
    assert sorted(module.rollout.commands) == sorted(COMMANDS)
    for command in COMMANDS:
        helped = xds("rollout", command, "--help")
        assert (helped.status, helped.err) == (0, "")
        assert "--json" in helped.out
        assert module.rollout.commands[command].help


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["start", "--yes"], "rollout: there is nothing to roll out"),
        (["abort"], "rollout: none is running"),
        (["watch"], "rollout: there is none"),
    ],
)
def test_where_nothing_was_rolled_out_each_command_says_so(xds: Run, arguments: list[str], expected: str) -> None:
    refused = xds("rollout", *arguments)

    assert (refused.status, refused.out) == (1, "")
    assert expected in refused.err
    assert (xds("rollout", "list").err, xds("rollout", "list", "--json").json) == (
        "nothing was rolled out yet\n",
        {"data": []},
    )


def test_the_newest_are_listed_first(xds: Run, sql: Sql) -> None:
    sql(PUT, "done", "")
    sql(PUT, "stopped", "node canary-1 rejected it: no")

    head, first, second = xds("rollout", "list").out.splitlines()
    assert head.split() == ["ID", "STATE", "WAVE", "WAVES", "NODES", "BY", "REASON"]
    assert first.split(maxsplit=6) == [
        "2", "stopped", "2/2", "node=canary-*", "2", "replica-1", "node canary-1 rejected it: no",
    ]  # fmt: skip
    assert second.split() == ["1", "done", "2/2", "node=canary-*", "2", "replica-1"]
    assert xds("rollout", "list", "--limit", "1", "--json").json == {
        "data": [
            {
                "id": 2,
                "state": "stopped",
                "waves": ["node=canary-*", "all"],
                "wave": 1,
                "wave_since": "2027-01-15T08:00:00.000+00:00",
                "settled_at": None,
                "soak_seconds": 30.0,
                "nodes": ["canary-1", "edge-1"],
                "reason": "node canary-1 rejected it: no",
                "by": "replica-1",
                "message": "",
                "ended_at": "2027-01-15T09:00:00.000+00:00",
            }
        ]
    }


@pytest.mark.parametrize("state", ["pending", "stopped"])
def test_what_waits_is_started_and_aborted_again(xds: Run, sql: Sql, state: str) -> None:
    sql(PUT, state, "")

    started = xds(
        "rollout", "start", "--yes", "--waves", "10%,zone=a", "--soak", "0", "-m", "go", "--by", "ann", "--json"
    ).json
    assert (started["state"], started["wave"], started["nodes"]) == ("running", 0, [])
    assert (started["waves"], started["soak_seconds"]) == (["10%", "zone=a", "all"], 0.0)
    assert (started["by"], started["message"], started["ended_at"]) == ("ann", "go", None)
    assert xds("rollout", "list", "--json").json["data"] == [started]

    again = xds("rollout", "start", "--yes")
    assert (again.status, again.out) == (1, "")
    assert "rollout 1: is running already" in again.err

    aborted = xds("rollout", "abort", "-m", "too slow", "--by", "bob")
    assert (aborted.status, aborted.out) == (0, "rollout 1: stopped: aborted by bob: too slow\n")
    (stands,) = xds("rollout", "list", "--json").json["data"]
    assert (stands["state"], stands["ended_at"] is not None) == ("stopped", True)


def test_nothing_is_started_while_publishing_is_held(xds: Run, sql: Sql) -> None:
    sql(PUT, "pending", "")
    sql("INSERT INTO publish_policy (is_frozen) VALUES (true) ON CONFLICT (only_row) DO UPDATE SET is_frozen = true")

    refused = xds("rollout", "start", "--yes")
    assert refused.status == 1
    assert "publishing is held (frozen)" in refused.err
    assert xds("rollout", "list", "--json").json["data"][0]["state"] == "pending"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [(["--waves", "120%"], "got '120%'"), (["--soak", "-1"], "got -1.0"), (["--soak", "soon"], "'soon'")],
)
def test_a_plan_that_makes_no_sense_is_refused(xds: Run, sql: Sql, arguments: list[str], expected: str) -> None:
    sql(PUT, "pending", "")

    refused = xds("rollout", "start", "--yes", *arguments)
    assert refused.status != 0
    assert expected in refused.err
    assert "Traceback" not in refused.err
    assert xds("rollout", "list", "--json").json["data"][0]["state"] == "pending"


@pytest.mark.parametrize(
    ("state", "status", "expected"),
    [
        ("done", 0, ""),
        ("stopped", 1, "rollout 1: stopped, every node is back where it was: because"),
        ("pending", 1, "rollout 1: is pending: alphaswarm-xds rollout start"),
    ],
)
def test_a_watch_ends_as_the_rollout_did(xds: Run, sql: Sql, state: str, status: int, expected: str) -> None:
    sql(PUT, state, "because")

    watched = xds("rollout", "watch", "--json")
    assert (watched.status, watched.json["state"]) == (status, state)
    assert expected in watched.err


def test_a_watch_goes_on_until_the_end_and_shows_each_wave(xds: Run, sql: Sql) -> None:
    sql(PUT, "running", "")
    sql(REPLICA)
    for name, lane, is_settled in (
        ("canary-1", "edge~next", True),
        ("edge-1", "edge~next", False),
        ("b", "edge", True),
    ):
        sql(NODE, name, lane, is_settled)

    with shortly(lambda: sql("UPDATE rollouts SET state = 'done', ended_at = clock_timestamp()")):
        watched = xds("rollout", "watch")

    assert (watched.status, watched.out) == (0, "")
    bars = {line.split()[0]: line for line in watched.err.splitlines() if "/" in line}
    assert "1/1" in bars["node=canary-*"]
    assert "1/2" in bars["all"], "the one that is not settled is not counted"
    assert bars["all"].rstrip().endswith("done")


def test_a_start_can_be_watched_to_its_end(xds: Run, sql: Sql) -> None:
    sql(PUT, "pending", "")

    with shortly(lambda: sql("UPDATE rollouts SET state = 'stopped', reason = 'node edge-1 rejected it'")):
        watched = xds("rollout", "start", "--yes", "--watch", "--by", "ann")

    assert (watched.status, watched.out) == (1, "rollout 1: running\n")
    assert "rollout 1: stopped, every node is back where it was: node edge-1 rejected it" in watched.err


def test_nothing_is_started_without_a_yes() -> None:
    asked = run_program(["rollout", "start"], DOWN)

    assert (asked.status, "Say --yes: there is no terminal to ask" in asked.err) == (2, True)


@pytest.mark.parametrize("command", ["list", "watch"])
def test_a_database_that_is_down_is_one_clear_error(command: str) -> None:
    ran = run_program(["rollout", command], DOWN)

    assert (ran.status != 0, ran.out) == (True, "")
    assert "s3cret" not in ran.err
    assert "Traceback" not in ran.err
