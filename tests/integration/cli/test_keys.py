"""`alphaswarm-xds keys`."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests.integration.cli.conftest import Run, run_program


@pytest.fixture
def seeded(xds: Run) -> Run:
    assert xds("cells", "add", "cell-a", "--state", "active").status == 0
    for tenant in ("acme", "globex"):
        assert xds("tenants", "add", tenant, "--cell", "cell-a").status == 0
    return xds


def test_the_main_path_as_a_user_types_it(seeded: Run, database_url: str) -> None:
    made = run_program(["keys", "create", "acme", "--name", "ci", "--expires", "30d"], database_url)
    assert made.status == 0, made.err
    key = re.fullmatch(r"ask_([0-9a-f]{16})_[A-Za-z0-9_-]{43}\n", made.out)
    assert key
    assert made.err.startswith(f"key {key[1]} for acme, until 20")
    assert "shown this once" in made.err
    listed = run_program(["keys", "list"], database_url)
    header, row = listed.out.splitlines()
    assert header.split() == ["ID", "TENANT", "NAME", "STATE", "CREATED", "BY", "EXPIRES", "LAST", "USED"]
    assert row.split()[:4] == [key[1], "acme", "ci", "valid"]
    assert row.endswith("never")
    assert made.out.strip() not in listed.out
    revoked = run_program(["keys", "revoke", key[1]], database_url)
    assert (revoked.status, revoked.out) == (0, f"key {key[1]}: valid → revoked\n")
    again = run_program(["keys", "revoke", key[1]], database_url)
    assert (again.status, again.out) == (0, f"key {key[1]}: revoked already\n")


def test_json_shapes_and_the_key_in_one_of_them_only(seeded: Run) -> None:
    made = seeded("keys", "create", "acme", "--name", "ci", "--json").json
    key = made.pop("key")
    names = "id tenant name state created_at created_by expires_at revoked_at last_used_at"
    assert list(made) == names.split()
    assert (made["tenant"], made["name"], made["state"], made["revoked_at"]) == ("acme", "ci", "valid", None)
    assert datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC) > timedelta(days=89)
    listed = seeded("keys", "list", "--json")
    assert listed.json == {"data": [made]}
    assert key not in listed.out
    assert seeded("keys", "list", "--tenant", "globex", "--json").json == {"data": []}
    change = {"key": made["id"], "was": "valid", "now": "revoked", "changed": True}
    assert seeded("keys", "revoke", made["id"], "--json").json == change
    assert seeded("keys", "list", "--json").json["data"][0]["state"] == "revoked"


def test_no_keys_is_said(seeded: Run) -> None:
    assert (seeded("keys", "list").out, seeded("keys", "list").err) == ("", "no API keys\n")


@pytest.mark.parametrize(
    ("expires", "at"),
    [("2099-01-31", "2099-01-31T00:00:00+00:00"), ("2099-01-31T12:00+02:00", "2099-01-31T10:00:00+00:00")],
)
def test_a_date_is_in_utc_unless_it_says(seeded: Run, expires: str, at: str) -> None:
    made = seeded("keys", "create", "acme", "--name", "ci", "--expires", expires, "--json").json
    assert datetime.fromisoformat(made["expires_at"]) == datetime.fromisoformat(at)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["create", "nobody", "--name", "ci"], 1, "an API key needs a tenant that exists"),
        (["create", "acme", "--name", ""], 1, "key name: expected 1 to 100 printable characters, got ''"),
        (["create", "acme", "--name", "a\nb"], 1, "key name: expected 1 to 100 printable"),
        (["create", "acme", "--name", "ci", "--expires", "2001-01-01"], 1, "key expiry: expected a time to come"),
        (["create", "acme", "--name", "ci", "--expires", "0d"], 1, "key expiry: expected a time to come"),
        (["create", "acme", "--name", "ci", "--expires", "soon"], 2, "expected 30m, 12h, 90d or a date"),
        (["create", "acme", "--name", "ci", "--expires", "99999d" * 9], 2, "expected 30m, 12h, 90d or a date"),
        (["create", "acme"], 2, "Missing option '--name'"),
        (["revoke", "0" * 16], 1, "key 0000000000000000: no such key"),
    ],
)
def test_nonsense_is_refused(seeded: Run, arguments: list[str], status: int, words: str) -> None:
    ran = seeded("keys", *arguments)
    assert (ran.status, ran.out) == (status, "")
    assert words in ran.err
    assert seeded("keys", "list", "--json").json == {"data": []}
