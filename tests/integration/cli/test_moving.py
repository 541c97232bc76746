"""`alphaswarm-xds tenants move`: many from a file, a share, in phases; `moves` and `abort-move`."""

from pathlib import Path

import pytest

from tests.integration.cli.conftest import Run, run_program
from tests.support.postgres import execute, run_in_thread


@pytest.fixture
def seeded(xds: Run, database_url: str) -> Run:
    for cell in ("cell-a", "cell-b"):
        assert xds("cells", "add", cell, "--state", "active").status == 0
    many = "INSERT INTO tenants (id, cell_id) SELECT 't' || i, 'cell-a' FROM generate_series(1, 100) i"
    run_in_thread(execute(database_url, many))
    return xds


def test_many_from_a_file(seeded: Run, tmp_path: Path, database_url: str) -> None:
    file = tmp_path / "moves.csv"
    file.write_text("tenant,cell\nt1,cell-b\nt2,cell-b\nt3,cell-a\n")
    tried = seeded("tenants", "move", "--file", str(file), "--dry-run")
    assert tried.out.splitlines()[:2] == ["tenant t1: cell_id cell-a → cell-b", "tenant t2: cell_id cell-a → cell-b"]
    moved = seeded("tenants", "move", "--file", str(file))
    assert moved.out == "tenant t1: cell-a → cell-b\ntenant t2: cell-a → cell-b\ntenant t3: in cell-a already\n"
    piped = run_program(
        ["tenants", "move", "--file", "-", "--json"], database_url, stdin='{"t1": "cell-a", "t2": "cell-b"}'
    )
    assert [each["changed"] for each in piped.json["data"]] == [True, False]
    file.write_text("tenant,cell\nt1,cell-b\nnobody,cell-b\n")
    refused = seeded("tenants", "move", "--file", str(file))
    assert (refused.status, refused.out) == (1, "")
    assert refused.err == "alphaswarm-xds: tenant nobody: no such tenant\n"


def test_a_share(seeded: Run) -> None:
    first = seeded("tenants", "move", "--from", "cell-a", "--to", "cell-b", "--share", "30%", "--yes", "--json").json[
        "data"
    ]
    assert 15 < len(first) < 45
    again = seeded("tenants", "move", "--from", "cell-a", "--to", "cell-b", "--share", "30%", "--yes")
    assert again.out == "0 tenants were there already\n"
    rest = seeded("tenants", "move", "--from", "cell-a", "--to", "cell-b", "--share", "100%", "--yes")
    assert rest.out.startswith(f"{100 - len(first)} tenants: cell-a → cell-b\n")


def test_many_are_not_moved_without_a_yes(seeded: Run, database_url: str) -> None:
    asked = run_program(["tenants", "move", "--from", "cell-a", "--to", "cell-b", "--share", "30%"], database_url)
    assert asked.status == 2
    assert "Move 30 % of the tenants of cell-a to cell-b? Say --yes: there is no terminal to ask" in asked.err
    assert seeded("tenants", "list", "--cell", "cell-b", "--json").json == {"data": []}


def test_in_phases_each_step_is_told(seeded: Run) -> None:
    moved = seeded("tenants", "move", "t1", "--to", "cell-b", "--hold")
    assert moved.status == 0, moved.err
    assert moved.out.splitlines() == [
        "tenant t1: prepared, in cell-a",
        "tenant t1: held, in cell-a",
        "tenant t1: switched, in cell-b",
        "tenant t1: finished, in cell-b",
    ]
    assert seeded("tenants", "move", "t1", "--to", "cell-b", "--hold").out == "tenant t1: in cell-b already\n"
    told = seeded("tenants", "move", "t1", "--to", "cell-a", "--hold", "--json").json
    assert [step["step"] for step in told["steps"]] == ["prepared", "held", "switched", "finished"]


def test_one_that_can_not_be_verified_stays_and_can_be_aborted(seeded: Run) -> None:
    stopped = seeded("tenants", "move", "t1", "--to", "cell-b", "--hold", "--verify", "--server", "http://127.0.0.1:1")
    assert stopped.status == 1
    assert "server http://127.0.0.1:1: cannot be asked" in stopped.err
    assert seeded("tenants", "moves").out.splitlines()[1].split()[:4] == ["t1", "cell-a", "cell-b", "held"]
    assert seeded("tenants", "list", "--state", "moving", "--json").json["data"][0]["id"] == "t1"
    aborted = seeded("tenants", "abort-move", "t1", "-m", "no server")
    assert aborted.out == "tenant t1: its move to cell-b is aborted (held); it is in cell-a\n"
    assert seeded("tenants", "moves", "--json").json == {"data": []}
    again = seeded("tenants", "abort-move", "t1")
    assert (again.status, again.out) == (0, "tenant t1: no move in phases is under way\n")
    assert seeded("tenants", "abort-move", "t1", "--json").json == {"tenant": "t1", "changed": False}
    assert seeded("tenants", "abort-move", "nobody").status == 1
    assert seeded("tenants", "list", "--state", "moving", "--json").json == {"data": []}


def test_a_tenant_is_placed_by_policy(seeded: Run) -> None:
    assert seeded("tenants", "add", "new").out == "tenant new: added to cell-b, active\n"
    assert seeded("tenants", "add", "x", "--region", "eu").status == 1
    assert seeded("tenants", "add", "x", "--cell", "cell-a", "--tier", "std").status == 2


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        ([], 2, "expected ID... --to CELL, or --file FILE"),
        (["t1"], 2, "Missing option '--to'"),
        (["t1", "--file", "x"], 2, "expected ID... --to CELL, or --file"),
        (["--from", "cell-a", "--to", "cell-b"], 2, "--from and --share need each other"),
        (["--from", "cell-a", "--to", "cell-b", "--share", "0.1"], 2, "expected a share such as 10%, got '0.1'"),
        (["--from", "cell-a", "--to", "cell-b", "--share", "0%", "--yes"], 1, "share: expected more than 0 %"),
        (["t1", "t2", "--to", "cell-b", "--hold"], 2, "for one tenant at a time"),
        (["t1", "--to", "cell-b", "--verify"], 2, "--verify: expected every --server"),
        (["t1", "--to", "cell-b", "--hold", "--verify", "--dry-run"], 2, "--verify: expected every --server"),
        (["t1", "--to", "cell-b", "--verify", "--server", "ftp://x"], 2, "--server: expected a URL like http://"),
        (["--file", "/nowhere"], 1, "cannot read /nowhere"),
    ],
)
def test_nonsense_is_refused(seeded: Run, arguments: list[str], status: int, words: str) -> None:
    ran = seeded("tenants", "move", *arguments)
    assert (ran.status, ran.out) == (status, "")
    assert words in ran.err
    assert seeded("tenants", "list", "--cell", "cell-b", "--json").json == {"data": []}
