"""`alphaswarm-xds tenants`."""

import time
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Run, run_program


@pytest.fixture
def seeded(xds: Run) -> Run:
    for cell in ("cell-a", "cell-b"):
        assert xds("cells", "add", cell, "--state", "active").status == 0
    return xds


def test_the_main_path_as_a_user_types_it(seeded: Run, database_url: str) -> None:
    added = run_program(["tenants", "add", "acme", "--cell", "cell-a"], database_url)
    assert (added.status, added.out) == (0, "tenant acme: added to cell-a, active\n")
    moved = run_program(["tenants", "move", "acme", "--to", "cell-b"], database_url)
    assert (moved.status, moved.out) == (0, "tenant acme: cell-a → cell-b\n")
    listed = run_program(["tenants", "list"], database_url)
    assert [line.split() for line in listed.out.splitlines()] == [["ID", "CELL", "STATE"], ["acme", "cell-b", "active"]]


def test_json_shapes(seeded: Run) -> None:
    acme = {"id": "acme", "cell": "cell-a", "state": "active", "arrival": None}
    assert seeded("tenants", "add", "acme", "--cell", "cell-a", "--json").json == acme | {"changed": True}
    assert seeded("tenants", "add", "acme", "--cell", "cell-a", "--json").json == acme | {"changed": False}
    assert seeded("tenants", "add", "acme").out == "tenant acme: there already, in cell-a, active\n"
    assert seeded("tenants", "add", "acme", "--cell", "cell-b").status == 1
    assert seeded("tenants", "list", "--json").json == {"data": [acme]}
    assert seeded("tenants", "list", "--cell", "cell-b", "--json").json == {"data": []}
    move = {"tenant": "acme", "was": "cell-a", "now": "cell-b"}
    assert seeded("tenants", "move", "acme", "--to", "cell-b", "--json").json == {"data": [move | {"changed": True}]}
    stay = move | {"was": "cell-b", "changed": False}
    assert seeded("tenants", "move", "acme", "--to", "cell-b", "--json").json == {"data": [stay]}
    (moved,) = seeded("tenants", "list", "--json").json["data"]
    assert moved["arrival"]["previous"] == "cell-a"
    assert abs(moved["arrival"]["at"] - time.time()) < 60
    change = {"tenant": "acme", "was": "active", "now": "suspended", "changed": True}
    assert seeded("tenants", "set-state", "acme", "suspended", "--json").json == change
    assert seeded("tenants", "list", "--state", "active", "--json").json == {"data": []}


def test_a_move_of_several_is_all_or_none(seeded: Run) -> None:
    seeded("tenants", "add", "acme", "--cell", "cell-a")
    refused = seeded("tenants", "move", "acme", "nobody", "--to", "cell-b")
    assert (refused.status, refused.out) == (1, "")
    assert refused.err == "alphaswarm-xds: tenant nobody: no such tenant\n"
    assert seeded("tenants", "move", "acme", "--to", "cell-a").out == "tenant acme: in cell-a already\n"


@pytest.mark.parametrize(
    ("tenant", "cell", "words"),
    [("-", "cell-a", "got '-'"), ("acme", "cell-q", "cell cell-q: no such cell")],
)
def test_nonsense_is_refused_in_one_line(seeded: Run, tenant: str, cell: str, words: str) -> None:
    ran = seeded("tenants", "add", "--cell", cell, "--", tenant)
    assert ran.status == 1
    assert words in ran.err
    assert ran.err.count("\n") == 1


def test_a_limit_limits_and_a_long_table_says_that_it_is_cut(seeded: Run, tmp_path: Path) -> None:
    file = tmp_path / "tenants.csv"
    file.write_text("tenant,cell\n" + "".join(f"t{number:04},cell-a\n" for number in range(1001)))
    assert seeded("tenants", "import", str(file)).out == "tenants: 1001 added, 0 changed, 0 unchanged\n"
    assert len(seeded("tenants", "list", "--limit", "2").out.splitlines()) == 3
    cut = seeded("tenants", "list")
    assert len(cut.out.splitlines()) == 1001
    assert cut.err == "only the first 1000 are shown: use --limit N or --json for more\n"
    assert len(seeded("tenants", "list", "--json").json["data"]) == 1001


def test_an_import_from_the_standard_input(seeded: Run, database_url: str) -> None:
    stdin = "\ufefftenant,cell,state\r\nacme,cell-a,\r\nglobex,cell-b,suspended\r\n"
    ran = run_program(["tenants", "import", "-", "--json"], database_url, stdin=stdin)
    assert ran.status == 0, ran.err
    assert ran.json == {"added": 2, "changed": 0, "unchanged": 0}
    assert ran.err == ""  # no progress bar where there is no terminal


def test_a_bad_import_has_a_line_for_each_bad_line(seeded: Run, tmp_path: Path) -> None:
    file = tmp_path / "tenants.csv"
    file.write_text("tenant,cell\ngood,cell-a\n-,cell-a\nx,cell-q\n")
    ran = seeded("tenants", "import", str(file))
    assert (ran.status, ran.out) == (1, "")
    first, second = ran.err.splitlines()
    assert first.startswith("alphaswarm-xds: line 3: tenant: expected")
    assert second == "alphaswarm-xds: line 4: cell: expected one that exists, got 'cell-q'"
    assert seeded("tenants", "list", "--json").json == {"data": []}


@pytest.mark.parametrize(
    ("content", "words"), [(None, "No such file or directory"), (b"tenant,cell\n\xff", "expected UTF-8 text")]
)
def test_a_file_that_cannot_be_read(seeded: Run, tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "tenants.csv"
    if content is not None:
        file.write_bytes(content)
    ran = seeded("tenants", "import", str(file))
    assert ran.status == 1
    assert f"alphaswarm-xds: cannot read {file}" in ran.err
    assert words in ran.err
