"""`alphaswarm-xds cells drain`, `undrain`, `evacuate`: as users and scripts type them, killed and gone on with."""

import os
import signal
import subprocess
import time

import pytest

from tests.integration.cli.conftest import PROGRAM, Run, run_program
from tests.support.postgres import execute, run_in_thread

TENANTS = 40


@pytest.fixture
def seeded(xds: Run, database_url: str) -> Run:
    for cell in ("cell-a", "cell-b", "cell-c"):
        assert xds("cells", "add", cell, "--state", "active").status == 0
    many = f"INSERT INTO tenants (id, cell_id) SELECT 't' || i, 'cell-a' FROM generate_series(1, {TENANTS}) i"
    run_in_thread(execute(database_url, many))
    return xds


def placed(xds: Run) -> dict[str, int]:
    return {row["id"]: row["tenants"] for row in xds("cells", "list", "--json").json["data"] if row["tenants"]}


def test_the_main_path_as_a_user_types_it(seeded: Run, database_url: str) -> None:
    command = [
        "cells",
        "drain",
        "cell-a",
        "--yes",
        "--batch",
        "15",
        "--pause",
        "0",
        "-m",
        "new kernel",
        "--actor",
        "anna",
    ]
    drained = run_program([*command, "--actor", "anna"], database_url)
    assert drained.status == 0, drained.err
    assert drained.out.startswith("cell cell-a: draining, 40 tenants moved in ")
    assert drained.err == ""  # no progress bar where there is no terminal
    assert placed(seeded) == {"cell-b": 20, "cell-c": 20}
    again = seeded("cells", "drain", "cell-a", "--yes", "--json")
    assert (again.status, again.json["moved"], again.json["resumed"]) == (0, 0, True)
    undone = seeded("cells", "undrain", "cell-a")
    assert undone.out == "cell cell-a: active, 40 tenants brought back\n"
    events = seeded("audit", "list", "--cell", "cell-a", "--json", "--limit", "1000").json["data"]
    assert sum(event["message"] == "new kernel" and event["actor"] == "anna" for event in events) == TENANTS + 1


def test_a_drain_is_taken_back(seeded: Run) -> None:
    drained = seeded("cells", "drain", "cell-a", "--yes", "--to", "cell-b", "--pause", "0", "--json")
    assert drained.json | {"seconds": 0} == {
        "cell": "cell-a",
        "operation": drained.json["operation"],
        "moved": TENANTS,
        "batches": 1,
        "resumed": False,
        "left": [],
        "kept_by_override": [],
        "seconds": 0,
    }
    seeded("tenants", "move", "t7", "--to", "cell-c")
    assert seeded("cells", "undrain", "cell-a").out == (
        "cell cell-a: active, 39 tenants brought back, 1 stay where they were moved since\n"
    )
    assert placed(seeded) == {"cell-a": 39, "cell-c": 1}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_drain_that_is_killed_leaves_whole_batches_and_is_gone_on_with(
    seeded: Run, database_url: str, number: signal.Signals
) -> None:
    command = [str(PROGRAM), "cells", "drain", "cell-a", "--yes", "--to", "cell-b", "--batch", "7", "--pause", "0.5s"]
    process = subprocess.Popen(
        command,
        env={"PATH": os.environ["PATH"], "DATABASE_URL": database_url},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while "cell-b" not in placed(seeded):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    if number is signal.SIGINT:
        assert process.returncode == 130
        assert "To go on: alphaswarm-xds cells drain cell-a --to cell-b\n" in err
        assert "To bring everybody back: alphaswarm-xds cells undrain cell-a\n" in err
        assert "Traceback" not in err
    moved = placed(seeded)["cell-b"]
    assert moved % 7 == 0
    assert 0 < moved < TENANTS
    rest = seeded("cells", "drain", "cell-a", "--yes", "--to", "cell-b", "--pause", "0", "--json").json
    assert (rest["moved"], rest["resumed"]) == (TENANTS - moved, True)
    assert placed(seeded) == {"cell-b": TENANTS}


def test_a_dry_run_says_what_a_drain_would_do_and_does_nothing(seeded: Run) -> None:
    tried = seeded("cells", "drain", "cell-a", "--dry-run")
    assert tried.status == 0, tried.err
    *lines, last = tried.out.splitlines()
    assert lines[1:] == ["20 tenants: cell_id cell-a → cell-b", "20 tenants: cell_id cell-a → cell-c"]
    assert lines[0] == "cell cell-a: state active → draining"
    assert last.startswith(
        "dry run: nothing was changed; 40 tenants would be affected; each Envoy would get 40 resources"
    )
    told = seeded("cells", "evacuate", "cell-a", "--to", "cell-b", "--dry-run", "--json").json
    assert (told["dry_run"], told["each_envoy"]["tenants"], len(told["changes"])) == (True, 40, 41)
    assert 40 * 100 < told["each_envoy"]["bytes"] < 40 * 300
    assert placed(seeded) == {"cell-a": TENANTS}
    assert seeded("cells", "list", "--state", "active", "--json").json["data"][0]["id"] == "cell-a"


def test_what_is_dangerous_wants_a_yes(seeded: Run, database_url: str) -> None:
    asked = run_program(["cells", "evacuate", "cell-a"], database_url)
    assert asked.status == 2
    assert "Say --yes: there is no terminal to ask" in asked.err
    assert placed(seeded) == {"cell-a": TENANTS}
    assert seeded("cells", "evacuate", "cell-a", "--to", "cell-c", "--yes", "--json").json["moved"] == TENANTS
    assert placed(seeded) == {"cell-c": TENANTS}
    assert run_program(["cells", "retire", "cell-a"], database_url).status == 2
    assert run_program(["cells", "set-state", "cell-a", "retired"], database_url).status == 2
    assert run_program(["cells", "drain", "cell-c"], database_url).status == 2
    assert seeded("cells", "retire", "cell-a", "--yes").out == "cell cell-a: draining → retired\n"
    assert seeded("cells", "retire", "cell-c", "--yes").status == 1


def test_a_cell_that_is_not_empty_in_the_end_is_status_1(seeded: Run) -> None:
    seeded("tenants", "add", "guest", "--cell", "cell-b")
    seeded("tenants", "override", "set", "guest", "--cell", "cell-a", "--expires", "1h", "--reason", "x")
    drained = seeded("cells", "drain", "cell-a", "--yes", "--pause", "0")
    assert drained.status == 1
    assert drained.err == "still there, kept there by an override: guest\n"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["drain", "cell-q", "--yes"], 1, "cell cell-q: no such cell"),
        (["drain", "cell-a", "--to", "cell-a", "--yes"], 1, "expected another cell"),
        (["drain", "cell-a", "--to", "cell-b", "--by-capacity"], 2, "expected one of them"),
        (["drain", "cell-a", "--pause", "soon"], 2, "expected a duration such as 2s or 5m"),
        (["drain", "cell-a", "--batch", "0"], 2, "0 is not in the range"),
        (["undrain", "cell-a"], 1, "cell cell-a: has no drain that could be undone"),
        (["set-capacity", "cell-a", "-1"], 2, "No such option"),
        (["set-capacity", "cell-a", "many"], 2, "expected a number of tenants, or none, got 'many'"),
        (["drain", "cell-a", "--actor", "", "--yes"], 1, "actor: expected 1 to 200 printable characters"),
    ],
)
def test_nonsense_is_refused_in_a_line(seeded: Run, arguments: list[str], status: int, words: str) -> None:
    ran = seeded("cells", *arguments)
    assert (ran.status, ran.out) == (status, "")
    assert words in ran.err
    assert placed(seeded) == {"cell-a": TENANTS}
