"""What all commands that change something have in common: each has a dry run that changes nothing."""

from pathlib import Path

import pytest

from tests.integration.cli.conftest import Run


@pytest.mark.parametrize(
    "arguments",
    [
        ("cells", "add", "cell-c"),
        ("cells", "set-state", "cell-a", "cordoned"),
        ("cells", "cordon", "cell-a"),
        ("cells", "uncordon", "cell-b"),
        ("cells", "set-capacity", "cell-a", "5"),
        ("cells", "change", "cell-a", "--tier", "ent"),
        ("cells", "set-endpoints", "cell-a", "--endpoint", "10.0.0.9:80"),
        ("cells", "drain", "cell-a", "--to", "cell-d"),
        ("cells", "evacuate", "cell-a", "--to", "cell-d"),
        ("cells", "retire", "cell-b"),
        ("tenants", "add", "globex"),
        ("tenants", "move", "acme", "--to", "cell-d"),
        ("tenants", "move", "acme", "--to", "cell-d", "--hold"),
        ("tenants", "move", "--from", "cell-a", "--to", "cell-d", "--share", "100%"),
        ("cells", "set-state", "cell-b", "retired"),
        ("tenants", "set-state", "acme", "moving"),
        ("tenants", "import", "FILE"),
        ("tenants", "override", "set", "acme", "--cell", "cell-d", "--expires", "1h", "--reason", "x"),
    ],
    ids=" ".join,
)
def test_a_dry_run_says_something_and_changes_nothing(xds: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    for cell in ("cell-a", "cell-b", "cell-d"):
        assert xds("cells", "add", cell, "--state", "active").status == 0
    xds("cells", "cordon", "cell-b")
    xds("tenants", "add", "acme", "--cell", "cell-a")
    file = tmp_path / "tenants.csv"
    file.write_text("tenant,cell\nacme,cell-d\n")
    before = xds("audit", "list", "--json").json
    told = xds(*(str(file) if each == "FILE" else each for each in arguments), "--dry-run", "--json")
    assert told.status == 0, told.err
    assert told.json["changes"]
    assert told.json["each_envoy"].keys() == {"tenants", "resources", "removed", "bytes"}
    assert xds("audit", "list", "--json").json == before


def test_a_dry_run_of_what_is_refused_is_refused(xds: Run) -> None:
    ran = xds("tenants", "move", "nobody", "--to", "cell-a", "--dry-run")
    assert (ran.status, ran.err) == (1, "alphaswarm-xds: tenant nobody: no such tenant\n")
