"""`alphaswarm-xds snapshot`, with a replica that publishes in another thread."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import asyncpg
import pytest

from tests.integration.cli.conftest import DOWN, Run, run_program
from tests.support.publishing import replica, seeded
from xds.cli.snapshot import snapshot

COMMANDS = ("list", "show", "diff", "check", "publish", "rollback", "pin", "freeze", "resume", "mode")


@pytest.fixture
def sql(database_url: str) -> Callable[..., None]:
    """Runs statements, each in a transaction of its own."""

    async def execute(statements: tuple[str, ...]) -> None:
        connection = await asyncpg.connect(database_url, timeout=10)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    return lambda *statements: asyncio.run(execute(statements))


@pytest.fixture
def publishing(database_url: str) -> Iterator[None]:
    """A replica that leads, of the tenants acme and b, while commands run in this thread."""
    started: Future[Callable[[], object]] = Future()

    async def run() -> None:
        connection = await asyncpg.connect(database_url, timeout=10)
        try:
            await seeded(connection, "acme", "b")
        finally:
            await connection.close()
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        async with replica(database_url) as one:
            await one.serves(1)
            started.set_result(lambda: loop.call_soon_threadsafe(ended.set))
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    end = started.result(timeout=30)
    try:
        yield
    finally:
        end()
        thread.join(timeout=30)


def listed(xds: Run) -> list[Any]:
    return list(xds("snapshot", "list", "--json").json["data"])


def until_held(xds: Run, reason: str) -> Any:
    """What is held, once something is for that reason."""
    for _ in range(200):
        held = xds("snapshot", "diff", "--json").json
        if held["held"] and held["held"]["reason"] == reason and held["differences"]:
            return held
    raise AssertionError(f"nothing is held: {reason}")


def until_published(xds: Run, number: int) -> Any:
    for _ in range(200):
        (newest, *_) = listed(xds)
        if newest["number"] >= number:
            return newest
    raise AssertionError(f"snapshot {number} is not there")


def test_every_command_has_a_help_that_says_what_it_does(xds: Run) -> None:
    assert sorted(snapshot.commands) == sorted(COMMANDS)
    for command in COMMANDS:
        helped = xds("snapshot", command, "--help")
        assert (helped.status, helped.err) == (0, "")
        assert "--json" in helped.out
        assert snapshot.commands[command].help
    assert xds("snapshot", "--help").out.count("\n  ") >= len(COMMANDS)


def test_from_what_is_running_to_as_it_was(publishing: None, xds: Run, sql: Callable[..., None]) -> None:
    (first,) = listed(xds)
    assert (first["number"], first["kind"], first["counts"]["tenants"]) == (1, "first", 2)
    shown = xds("snapshot", "show", "1", "--type", "srds", "--name", "acme", "--json").json
    assert shown["digest"] == first["digest"]
    assert [each["content"]["route_configuration_name"] for each in shown["resources"]] == ["cell-a"]

    sql("UPDATE tenants SET cell_id = 'cell-b' WHERE id = 'acme'")
    second = until_published(xds, 2)
    assert (second["number"], second["changed"], second["gone"]) == (2, 1, 0)
    differs = xds("snapshot", "diff", "1", "2", "--json")
    assert differs.status == 1
    (difference,) = differs.json["differences"]
    assert (difference["sign"], difference["name"]) == ("~", "acme")
    assert difference["before_content"]["route_configuration_name"] == "cell-a"
    assert difference["after_content"]["route_configuration_name"] == "cell-b"
    assert xds("snapshot", "diff", "2", "2", "--json").status == 0

    back = xds("snapshot", "rollback", "1", "--yes", "-m", "incident 7", "--by", "ann", "--json")
    assert back.status == 0, back.err
    assert back.json["changed"] is True
    assert (back.json["acted"], back.json["snapshot"], back.json["policy"]["pinned"]) == (True, 3, 1)
    (newest, *_) = listed(xds)
    assert (newest["kind"], newest["by"], newest["message"]) == ("rollback", "ann", "incident 7")
    assert newest["digest"] == first["digest"]
    assert xds("snapshot", "diff", "1", "3").status == 0

    resumed = xds("snapshot", "resume", "--yes", "--json")
    assert (resumed.status, resumed.json["snapshot"], resumed.json["policy"]["pinned"]) == (0, 4, None)
    assert listed(xds)[0]["digest"] == second["digest"]


def test_manual_mode_as_a_user_types_it(
    publishing: None,
    xds: Run,
    sql: Callable[..., None],
    database_url: str,
) -> None:
    assert xds("snapshot", "mode", "manual").out == "manual: snapshot 1 is in force\n"
    sql("INSERT INTO tenants (id, cell_id) VALUES ('c', 'cell-a')")
    held = until_held(xds, "manual: waiting to be published")
    shown = xds("snapshot", "diff")
    assert shown.status == 1
    assert shown.out.splitlines()[0].startswith("held: manual: waiting to be published; revision ")
    assert f"--digest {held['held']['digest']}" in shown.out
    assert shown.out.splitlines()[-1].split() == ["+", "srds", "c"]

    asked = run_program(["snapshot", "publish"], database_url, stdin="y\n")
    assert asked.status == 2
    assert "Publish 1 changed and 0 gone resources, held by: manual: waiting to be published? Say --yes" in asked.err
    wrong = xds("snapshot", "publish", "--digest", "0" * 32)
    assert (wrong.status, "look at it again" in wrong.err) == (1, True)
    published = run_program(["snapshot", "publish", "--yes", "-m", "c is welcome"], database_url)
    assert (published.status, published.out) == (0, "manual: snapshot 2 is in force\n"), published.err
    again = xds("snapshot", "publish", "--yes")
    assert (again.status, "nothing is held" in again.err) == (1, True)
    header, row, _ = xds("snapshot", "list").out.splitlines()
    columns = "NUMBER AT BY KIND REVISION TENANTS CELLS CHANGED GONE MESSAGE"
    assert header.split() == columns.split(" ")
    assert row.split()[3:5] == ["operator", str(held["held"]["revision"])]
    assert row.endswith("c is welcome")


@pytest.mark.parametrize(
    ("arguments", "label"), [(["pin"], "pinned"), (["freeze"], "frozen"), (["mode", "manual"], "manual")]
)
def test_a_decision_is_waited_for_and_undone(publishing: None, xds: Run, arguments: list[str], label: str) -> None:
    assert xds("snapshot", *arguments).out == f"{label}: snapshot 1 is in force\n"
    again = xds("snapshot", *arguments, "--json")
    if label != "manual":
        assert (again.status, again.json["acted"], again.json["changed"]) == (0, True, False)
        assert again.json["policy"]["by"]
    undo = ["mode", "auto"] if label == "manual" else ["resume"]
    assert xds("snapshot", *undo).out == "auto: snapshot 1 is in force\n"


def test_what_is_held_meanwhile_is_not_published_by_resume_without_a_yes(
    publishing: None, xds: Run, sql: Callable[..., None], database_url: str
) -> None:
    xds("snapshot", "freeze")
    sql("INSERT INTO tenants (id, cell_id) VALUES ('c', 'cell-a')")
    until_held(xds, "frozen")
    for command in (["resume"], ["rollback", "1"]):
        asked = run_program(["snapshot", *command], database_url)
        assert (asked.status, "Say --yes: there is no terminal to ask" in asked.err) == (2, True), command
    assert until_held(xds, "frozen")
    assert xds("snapshot", "resume", "--yes").out == "auto: snapshot 2 is in force\n"


def test_with_nobody_who_publishes_it_is_decided_and_said(xds: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xds.cli.snapshot.ACT_SECONDS", 0.2)
    waited = xds("snapshot", "freeze", "--json")
    assert waited.status == 1
    assert "decided, but no publisher has acted on it" in waited.err
    assert json.loads(waited.out)["policy"]["frozen"] is True
    unwaited = xds("snapshot", "resume", "--no-wait")
    assert (unwaited.status, unwaited.out) == (0, "auto: decided\n")


def test_before_the_first_snapshot(xds: Run) -> None:
    assert (xds("snapshot", "list").status, xds("snapshot", "list").err) == (0, "nothing was published yet\n")
    assert xds("snapshot", "list", "--json").json == {"data": []}
    assert xds("snapshot", "diff", "--json").json == {"held": None, "differences": []}
    assert (xds("snapshot", "diff").status, xds("snapshot", "diff").err) == (0, "nothing differs\n")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["show"], 1, "nothing was published yet"),
        (["show", "7"], 1, "snapshot 7: there is none, or it is no longer kept"),
        (["show", "seven"], 2, "is not a valid integer"),
        (["show", "0"], 2, "0 is not in the range"),
        (["diff", "1", "0"], 2, "0 is not in the range"),
        (["diff", "1"], 1, "nothing was published yet"),
        (["rollback", "7", "--yes"], 1, "snapshot 7: there is none"),
        (["rollback"], 2, "Missing argument 'NUMBER'"),
        (["pin"], 1, "nothing was published yet"),
        (["publish", "--yes"], 1, "nothing is held"),
        (["publish", "--digest", "x"], 1, "nothing is held"),
        (["mode", "sometimes"], 2, "is not one of"),
        (["list", "--limit", "0"], 2, "0 is not in the range"),
    ],
)
def test_nonsense_is_refused(xds: Run, arguments: list[str], status: int, words: str) -> None:
    ran = xds("snapshot", *arguments)
    assert (ran.status, ran.out) == (status, "")
    assert words in ran.err
    assert "Traceback" not in ran.err


def test_a_database_that_is_down_is_one_line() -> None:
    ran = run_program(["snapshot", "list"], DOWN)
    assert ran.status == 1
    assert ran.err.count("\n") == 1
    assert "s3cret" not in ran.err
