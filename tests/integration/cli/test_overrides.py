"""`alphaswarm-xds tenants override`."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.cli.conftest import Run, run_program


@pytest.fixture
def seeded(xds: Run) -> Run:
    for cell in ("cell-a", "cell-b"):
        assert xds("cells", "add", cell, "--state", "active").status == 0
    assert xds("tenants", "add", "acme", "--cell", "cell-a").status == 0
    return xds


SET = ("tenants", "override", "set", "acme", "--cell", "cell-b", "--reason", "too loud")


def test_the_main_path_as_a_user_types_it(seeded: Run, database_url: str) -> None:
    made = run_program([*SET, "--expires", "2h", "--kind", "isolation", "--actor", "anna"], database_url)
    assert made.status == 0, made.err
    assert made.out.startswith("tenant acme: kept in cell-b until 20")
    header, row = run_program(["tenants", "override", "list"], database_url).out.splitlines()
    assert header.split() == ["TENANT", "CELL", "KIND", "OWNER", "EXPIRES", "REASON"]
    assert row.split()[:4] == ["acme", "cell-b", "isolation", "anna"]
    assert row.endswith("too loud")
    cleared = run_program(["tenants", "override", "clear", "acme"], database_url)
    assert cleared.out == "tenant acme: its override is cleared\n"
    assert seeded("tenants", "override", "clear", "acme").out == "tenant acme: has no override\n"
    assert seeded("tenants", "override", "list").err == "no overrides\n"


def test_json_shapes(seeded: Run) -> None:
    change = seeded(*SET, "--expires", "2h", "--owner", "team-a", "--json").json
    now = change.pop("now")
    assert change == {"tenant": "acme", "was": None, "changed": True}
    assert datetime.fromisoformat(now["expires_at"]) - datetime.now(UTC) > timedelta(hours=1)
    assert (now["cell"], now["kind"], now["owner"], now["reason"]) == ("cell-b", "testing", "team-a", "too loud")
    assert seeded("tenants", "override", "list", "--json").json == {"data": [now]}
    assert seeded("tenants", "override", "list", "--cell", "cell-a", "--json").json == {"data": []}
    assert seeded("tenants", "override", "clear", "acme", "--json").json == {
        "tenant": "acme",
        "was": now,
        "now": None,
        "changed": True,
    }


def test_a_dry_run_sets_nothing(seeded: Run) -> None:
    told = seeded(*SET, "--expires", "2h", "--dry-run")
    assert "override acme: added: " in told.out
    assert "1 tenants would be affected; each Envoy would get 1 resources" in told.out
    assert seeded("tenants", "override", "list", "--json").json == {"data": []}


@pytest.mark.parametrize(
    ("more", "status", "words"),
    [
        ([], 2, "Missing option '--expires'"),
        (["--expires", "0s"], 1, "override expiry: expected a time to come"),
        (["--expires", "1h", "--kind", "fun"], 2, "is not one of"),
        (["--expires", "1h", "--owner", ""], 0, ""),
    ],
)
def test_nonsense_is_refused(seeded: Run, more: list[str], status: int, words: str) -> None:
    ran = seeded(*SET, *more)
    assert ran.status == status
    assert words in ran.err
