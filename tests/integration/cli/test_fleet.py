"""`alphaswarm-xds fleet`, from what replicas have written down in a real database."""

import asyncio
import time
from dataclasses import replace
from typing import Any

import pytest

from tests.integration.cli.conftest import DOWN, Run, run_program
from tests.integration.registry.test_rollouts import node, replica
from xds.names import NodeGroup, NodeId
from xds.operations.fleet import FleetNode
from xds.registry import PostgresRegistry

TYPES: dict[str, dict[str, object]] = {
    "cds": {"sent": 3, "acked": 2, "nacked": 1, "version": "abc"},
    "lds": {"sent": 1, "acked": 1, "nacked": 0, "version": "d"},
}
FULL = replace(
    node("edge-1"),
    region="eu",
    zone="eu-1a",
    labels={"tier": "canary"},
    user_agent="envoy 1.40.0",
    variant="delta",
    peer="10.0.0.1:7",
    types=TYPES,
)


def told(url: str, *nodes: FleetNode, gone: tuple[str, ...] = ()) -> None:
    """Have each node's replica tell of it."""

    async def report() -> None:
        async with PostgresRegistry.open(url, timeout=10) as registry:
            for name in sorted({each.replica for each in nodes}):
                own = [each for each in nodes if each.replica == name]
                await registry.rollouts.report(replica(name, publishes=name == "replica-1"), own, ())
                await registry.rollouts.report(replica(name), [], [NodeId(each) for each in gone])

    asyncio.run(report())


def test_the_nodes_of_all_replicas_are_there_with_where_they_are_and_how_far(xds: Run, database_url: str) -> None:
    told(database_url, FULL, node("edge-2", "replica-2", lane=NodeGroup("edge~next")), node("edge-3"), gone=("edge-3",))

    document = xds("fleet", "status", "--json").json
    assert [(each["name"], each["snapshot"]) for each in document["replicas"]] == [("replica-1", 7), ("replica-2", 7)]
    first, second, third = document["data"]
    assert {name: first[name] for name in ("id", "group", "region", "zone", "labels", "user_agent", "replica")} == {
        "id": "edge-1",
        "group": "edge",
        "region": "eu",
        "zone": "eu-1a",
        "labels": {"tier": "canary"},
        "user_agent": "envoy 1.40.0",
        "replica": "replica-1",
    }
    assert first["types"][0] == {"type": "cds", "error": "", **TYPES["cds"]}
    assert (first["lag_seconds"], "gone_at" in first) == (0.0, False)
    assert (second["replica"], second["lane"]) == ("replica-2", "edge~next")
    assert "gone_at" in third
    assert document["complete"] is True
    lines = xds("fleet", "status").out.splitlines()
    assert lines[0].split() == ["REPLICA", "VERSION", "SNAPSHOT"]
    assert lines[5].split()[:7] == ["edge-1", "edge", "eu", "eu-1a", "envoy", "1.40.0", "replica-1"]
    assert lines[5].split()[-5:] == ["4", "3", "1", "0.0", "ok"]
    assert lines[6].endswith("ok, has what is rolled out")
    assert " gone since " in lines[7]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 0),
        ({"is_settled": False, "behind_since": -5.0}, 0),
        ({"is_settled": False, "behind_since": -30.0}, 3),
        ({"error": "lds: no"}, 3),
    ],
)
def test_check_says_by_its_status_whether_one_rejects_or_lags(
    xds: Run, database_url: str, fields: dict[str, Any], status: int
) -> None:
    since = {"behind_since": time.time() + fields["behind_since"]} if "behind_since" in fields else {}
    told(database_url, node("edge-1"), node("edge-2", **{**fields, **since}))

    assert xds("fleet", "status", "--check").status == status
    assert xds("fleet", "status").status == 0
    assert xds("fleet", "status", "--check", "--group", "other").status == 0
    lags = fields.get("behind_since", 0.0) < -1
    assert xds("fleet", "status", "--check", "--max-lag", "1").status == (3 if lags else status)
    told(database_url, node("edge-1"), gone=("edge-2",))
    assert xds("fleet", "status", "--check", "--max-lag", "0").status == 0, "who is gone is no longer late"


def test_where_no_replica_is_nothing_is_well(xds: Run) -> None:
    ran = xds("fleet", "status", "--check")

    assert (ran.status, ran.out) == (3, "\n")
    assert ran.err == "no replica has said anything lately\nno Envoy is connected\n"


def test_one_node_is_shown_on_each_replica_that_knows_it(xds: Run, database_url: str) -> None:
    told(database_url, FULL, node("edge-1", "replica-2", error="lds: no such file"))

    one, other = xds("fleet", "node", "edge-1", "--json").json["data"]
    assert (one["replica"], other["replica"], other["error"]) == ("replica-1", "replica-2", "lds: no such file")
    shown = xds("fleet", "node", "edge-1").out
    assert "lds: no such file" in shown
    assert ["cds", "*", "3", "2", "1", "abc"] in [line.split() for line in shown.splitlines()]
    missing = xds("fleet", "node", "edge-9")
    assert (missing.status, missing.out, missing.err) == (1, "", "alphaswarm-xds: node edge-9: no replica knows it\n")


def test_a_database_that_is_down_is_one_line() -> None:
    ran = run_program(["fleet", "status"], DOWN)

    assert (ran.status, ran.out, len(ran.err.splitlines())) == (1, "", 1)
    assert "s3cret" not in ran.err
