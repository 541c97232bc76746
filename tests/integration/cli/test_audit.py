"""`alphaswarm-xds audit`, and who every command says it was."""

import asyncio
import getpass
import socket
from datetime import UTC, datetime

import pytest

from tests.integration.cli.conftest import Run, run_program
from tests.support.postgres import execute


@pytest.fixture
def seeded(xds: Run) -> Run:
    for cell in ("cell-a", "cell-b"):
        assert xds("cells", "add", cell, "--state", "active").status == 0
    assert xds("tenants", "add", "acme", "--cell", "cell-a", "--actor", "anna", "-m", "new customer").status == 0
    return xds


def test_the_main_path_as_a_user_types_it(seeded: Run, database_url: str) -> None:
    run_program(["tenants", "move", "acme", "--to", "cell-b", "-m", "closer"], database_url)
    listed = run_program(["audit", "list", "--tenant", "acme"], database_url)
    header, moved, added = listed.out.splitlines()
    assert header.split() == ["AT", "ACTOR", "ACTION", "WHAT", "WHY", "OPERATION"]
    assert moved.startswith(f"{datetime.now(UTC):%Y-%m-%d}")
    assert f"{getpass.getuser()}@{socket.gethostname()}" in moved
    assert "tenants move" in moved
    assert "tenant acme: cell_id cell-a → cell-b" in moved
    assert "closer" in moved
    assert "anna" in added
    assert "tenant acme: added: state active, cell_id cell-a" in added
    assert "new customer" in added


def test_decisions_about_publishing_and_rollouts_are_there(xds: Run, database_url: str) -> None:
    assert xds("snapshot", "freeze", "--no-wait", "--by", "ann", "-m", "incident 7").status == 0
    for statement in (
        "INSERT INTO rollouts (structure, waves, soak_seconds, state) VALUES ('{}', '10%', 30, 'pending')",
        "UPDATE rollouts SET state = 'stopped', reason = 'no', nodes = '{edge-1,edge-2}'",
    ):
        asyncio.run(execute(database_url, statement))
    stopped, pending, frozen = run_program(["audit", "list"], database_url).out.splitlines()[1:]

    assert "snapshot freeze" in frozen
    assert "publishing: is_frozen False → True" in frozen
    assert ("ann" in frozen, "incident 7" in frozen) == (True, True)
    assert "rollout: added: wave 0, state pending, waves 10%" in pending
    assert all(each in stopped for each in ("state pending → stopped", "nodes 0 → 2", "reason  → no"))
    assert stopped.rstrip().endswith("rollout-1")


def test_the_json_has_everything(seeded: Run) -> None:
    (event,) = seeded("audit", "list", "--tenant", "acme", "--json").json["data"]
    assert event | {"id": 0, "at": "", "operation": ""} == {
        "id": 0,
        "at": "",
        "actor": "anna",
        "action": "tenants add",
        "operation": "",
        "message": "new customer",
        "kind": "tenant",
        "cell": "cell-a",
        "tenant": "acme",
        "before": None,
        "after": {"cell_id": "cell-a", "state": "active"},
    }
    assert datetime.fromisoformat(event["at"]).tzinfo


@pytest.mark.parametrize(
    "arguments",
    [
        ("cells", "add", "cell-c", "--capacity", "3"),
        ("cells", "set-capacity", "cell-a", "5"),
        ("cells", "cordon", "cell-a"),
        ("cells", "set-state", "cell-a", "draining"),
        ("cells", "set-endpoints", "cell-a", "--endpoint", "10.0.0.9:80"),
        ("cells", "drain", "cell-a", "--pause", "0", "--yes"),
        ("cells", "evacuate", "cell-a", "--yes"),
        ("tenants", "add", "globex"),
        ("tenants", "move", "acme", "--to", "cell-b"),
        ("tenants", "move", "--from", "cell-a", "--to", "cell-b", "--share", "100%", "--yes"),
        ("tenants", "move", "acme", "--to", "cell-b", "--hold"),
        ("tenants", "set-state", "acme", "suspended"),
        ("tenants", "override", "set", "acme", "--cell", "cell-b", "--expires", "1h", "--reason", "x"),
        ("keys", "create", "acme", "--name", "ci"),
    ],
    ids=" ".join,
)
def test_every_command_says_who_and_why(seeded: Run, arguments: tuple[str, ...]) -> None:
    before = len(seeded("audit", "list", "--json").json["data"])
    ran = seeded(*arguments, "--actor", "bob", "-m", "as told", "--json")
    assert ran.status == 0, ran.err
    events = seeded("audit", "list", "--json").json["data"]
    new = events[: len(events) - before]
    assert new
    assert {(event["actor"], event["message"]) for event in new} == {("bob", "as told")}
    assert all(event["cell"] for event in new)


def test_questions(seeded: Run) -> None:
    assert len(seeded("audit", "list", "--cell", "cell-b", "--json").json["data"]) == 2  # it and its endpoint
    assert len(seeded("audit", "list", "--since", "1h", "--limit", "2", "--json").json["data"]) == 2
    assert seeded("audit", "list", "--since", "2999-01-01").err == "no events\n"
    (event,) = seeded("audit", "list", "--tenant", "acme", "--json").json["data"]
    assert seeded("audit", "list", "--operation", event["operation"], "--json").json["data"] == [event]
    assert seeded("audit", "list", "--since", "soon").status == 2
