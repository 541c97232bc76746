"""`alphaswarm-xds cells`."""

import subprocess

import pytest

from tests.integration.cli.conftest import PROGRAM, Run, run_program


def test_the_main_path_as_a_user_types_it(database_url: str) -> None:
    added = run_program(["cells", "add", "cell-shared-std-local", "--state", "active"], database_url)
    assert added.status == 0, added.err
    assert added.out == ("cell cell-shared-std-local: added, active, at alphaswarm-cell-shared-std-local-api:8000\n")
    listed = run_program(["cells", "list"], database_url)
    assert listed.err == ""
    header, row = listed.out.splitlines()
    assert header.split() == [
        "ID",
        "STATE",
        "TENANCY",
        "TIER",
        "REGION",
        "PROTOCOL",
        "TENANTS",
        "CAPACITY",
        "ENDPOINTS",
    ]
    assert row.split()[:2] == ["cell-shared-std-local", "active"]
    again = run_program(["cells", "add", "cell-shared-std-local"], database_url)
    assert (again.status, again.out) == (1, "")
    assert again.err == "alphaswarm-xds: cell cell-shared-std-local: exists already, and has another state\n"


def test_the_json_of_a_list(xds: Run) -> None:
    assert xds("cells", "list", "--json").json == {"data": []}
    arguments = ("--endpoint", "10.0.0.1:81,zone=a,weight=2", "--endpoint", "[fd00::1]", "--label", "k=v=w")
    added = xds("cells", "add", "cell-a", "--protocol", "http2", "--tenancy", "dedicated", *arguments, "--json")
    cell = {
        "id": "cell-a",
        "state": "provisioning",
        "tenancy": "dedicated",
        "tier": "std",
        "region": "local",
        "labels": {"k": "v=w"},
        "protocol": "http2",
        "endpoints": [
            {"address": "10.0.0.1", "port": 81, "zone": "a", "weight": 2},
            {"address": "fd00::1", "port": 8000, "zone": "", "weight": 1},
        ],
    }
    assert added.json == cell | {"capacity": None, "changed": True}
    again = xds("cells", "add", "cell-a", "--protocol", "http2", "--tenancy", "dedicated", *arguments)
    assert (again.status, again.out.split(", at ")[0]) == (0, "cell cell-a: there already, provisioning")
    assert xds("cells", "list", "--json").json == {"data": [cell | {"tenants": 0, "capacity": None}]}
    assert xds("cells", "list", "--state", "active", "--json").json == {"data": []}


def test_an_empty_table_says_so_beside_the_output(xds: Run) -> None:
    listed = xds("cells", "list")
    assert (listed.status, listed.out, listed.err) == (0, "", "no cells\n")


def test_states_are_set_along_the_table(xds: Run) -> None:
    xds("cells", "add", "cell-a")
    assert xds("cells", "set-state", "cell-a", "active").out == "cell cell-a: provisioning → active\n"
    assert xds("cells", "set-state", "cell-a", "active").out == "cell cell-a: active already\n"
    assert xds("cells", "set-state", "cell-a", "draining", "--json").json == {
        "cell": "cell-a",
        "was": "active",
        "now": "draining",
        "changed": True,
    }
    refused = xds("cells", "set-state", "cell-a", "provisioning")
    assert refused.status == 1
    assert refused.err.endswith("draining cannot become provisioning, only active, cordoned, retired\n")


def test_endpoints_are_replaced(xds: Run) -> None:
    xds("cells", "add", "cell-a")
    changed = xds("cells", "set-endpoints", "cell-a", "--endpoint", ":81")
    assert changed.out == "cell cell-a: alphaswarm-cell-a-api:8000 → alphaswarm-cell-a-api:81\n"
    assert xds("cells", "set-endpoints", "cell-a").status == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--endpoint", "h:port"],
        ["--endpoint", "h,weight=x"],
        ["--endpoint", "h,colour=red"],
        ["--endpoint", "h,zone=a,zone=b"],
        ["--endpoint", "fd00::1"],
        ["--label", "novalue"],
        ["--label", "a=1", "--label", "a=2"],
        ["--state", "asleep"],
    ],
)
def test_wrong_arguments_end_with_2(xds: Run, arguments: list[str]) -> None:
    ran = xds("cells", "add", "cell-a", *arguments)
    assert ran.status == 2
    assert "Usage: " in ran.err


def test_every_fault_of_a_cell_is_named_at_once(xds: Run) -> None:
    ran = xds("cells", "add", "Cell", "--tier", "a b", "--endpoint", "h:0")
    assert ran.status == 1
    assert ran.err.count("expected") == 3
    assert ran.err.count("\n") == 1


def test_a_closed_pipe_is_silent(xds: Run, database_url: str) -> None:
    xds("cells", "add", "cell-a")
    command = f'{PROGRAM} cells list --json | true; echo "${{PIPESTATUS[0]}}"'
    done = subprocess.run(
        ["/bin/bash", "-c", command],
        env={"PATH": "/usr/bin:/bin", "DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == "141\n"


def test_a_cell_becomes_another_but_for_what_is_not_named(xds: Run) -> None:
    xds("cells", "add", "cell-a", "--label", "a=1", "--label", "b=2", "--state", "active")
    changed = xds("cells", "change", "cell-a", "--tier", "ent", "--label", "b=3", "--remove-label", "a")
    assert (changed.status, changed.err) == (0, "")
    assert changed.out == "cell cell-a: tier std → ent, labels {'a': '1', 'b': '2'} → {'b': '3'}\n"
    told = xds("cells", "change", "cell-a", "--region", "eu", "--tenancy", "dedicated", "--protocol", "http2", "--json")
    assert told.json["changed"] is True
    assert told.json["was"]["region"] == "local"
    now = xds("cells", "list", "--json").json["data"][0]
    assert {name: now[name] for name in told.json["now"]} == told.json["now"]
    assert (now["tier"], now["region"], now["tenancy"], now["protocol"], now["labels"]) == (
        "ent", "eu", "dedicated", "http2", {"b": "3"},
    )  # fmt: skip
    assert xds("cells", "change", "cell-a", "--tier", "ent").out == "cell cell-a: is so already\n"
    (event, *_) = xds("audit", "list", "--cell", "cell-a", "--json").json["data"]
    assert (event["action"], event["before"]["region"], event["after"]["region"]) == ("cells change", "local", "eu")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["cell-a"], 2, "expected what is to be another"),
        (["cell-a", "--tier", "no tier"], 1, "tier: expected 1 to 63 letters"),
        (["cell-q", "--tier", "ent"], 1, "cell cell-q: no such cell"),
    ],
)
def test_a_change_that_makes_no_sense_is_refused(xds: Run, arguments: list[str], status: int, words: str) -> None:
    xds("cells", "add", "cell-a")
    ran = xds("cells", "change", *arguments)
    assert (ran.status, ran.out, words in ran.err) == (status, "", True), ran.err
