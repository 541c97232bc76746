"""`snapshot check`: a real Envoy asked about what is held, in force, or was, in a real registry."""

import asyncio
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Run
from tests.integration.registry.test_snapshots import EMPTY, content, entry
from tests.support.edge import cell, edge_options, tenant, topology
from xds.names import Revision
from xds.publish import Candidate
from xds.registry import PostgresRegistry
from xds.snapshot import Content
from xds.translate import translate

GOOD = content("acme")
BAD = translate(topology(cell(), tenant("acme")), edge_options(jwks='{"keys":[]}')).content


def publish(url: str, *published: Content, held: Content | None = None) -> None:
    """Have these be the snapshots, and this what is held."""

    async def record() -> None:
        async with PostgresRegistry.open(url, timeout=10) as registry, registry.snapshots.lead() as lead:
            before = EMPTY
            for number, each in enumerate(published, start=1):
                await lead.record(entry(number, each), each, each.changed_since(before))
                before = each
            if held is not None:
                change = held.changed_since(before)
                await lead.note_candidate(
                    Candidate(digest=held.digest, revision=Revision(9), reason="frozen", change=change, counts={})
                )

    asyncio.run(record())


def test_what_is_in_force_is_taken(xds: Run, database_url: str) -> None:
    publish(database_url, BAD, GOOD)

    ran = xds("snapshot", "check")
    assert (ran.status, ran.out) == (0, "Envoy takes snapshot 2\n")
    assert xds("snapshot", "check", "2", "--json").json == {
        "snapshot": 2,
        "digest": GOOD.digest,
        "accepted": True,
        "rejections": [],
    }


def test_what_is_rejected_is_shown_beside_its_origin_in_envoys_words(xds: Run, database_url: str) -> None:
    publish(database_url, BAD, GOOD)

    ran = xds("snapshot", "check", "1", "--json")
    (rejection,) = ran.json["rejections"]
    assert (ran.status, ran.json["accepted"]) == (1, False)
    assert (rejection["type"], rejection["name"], rejection["row"]) == ("ecds", "envoy.filters.http.jwt_authn", "")
    assert "Jwks doesn't have any valid public key" in rejection["error"]
    shown = xds("snapshot", "check", "1").out.splitlines()
    assert shown[0] == "Envoy rejects 1 resources of snapshot 1"
    assert shown[1].split() == ["TYPE", "NAME", "FROM", "ENVOY", "SAYS"]
    assert shown[2].split()[:3] == ["ecds", "envoy.filters.http.jwt_authn", "settings"]


def test_what_is_held_comes_first(xds: Run, database_url: str) -> None:
    publish(database_url, GOOD, held=BAD)

    ran = xds("snapshot", "check", "--json")

    assert (ran.status, ran.json["snapshot"], ran.json["digest"]) == (1, None, BAD.digest)
    assert xds("snapshot", "check").out.startswith("Envoy rejects 1 resources of what is held\n")
    assert xds("snapshot", "check", "1").status == 0


def test_what_is_held_is_checked_whole_however_much_it_is(xds: Run, database_url: str) -> None:
    publish(database_url, content("a"), held=content(*(f"b{number}" for number in range(1_500))))

    assert xds("snapshot", "check").out == "Envoy takes what is held\n"


def test_what_an_envoy_rejects_is_not_published_and_shown_in_its_words(xds: Run, database_url: str) -> None:
    publish(database_url, GOOD, held=BAD)

    refused = xds("snapshot", "publish", "--yes", "--no-wait")
    assert refused.status == 1
    assert refused.out.startswith("Envoy rejects 1 resources of what is held\n")
    assert "Jwks doesn't have any valid public key" in refused.out
    assert refused.err == "Error: nothing was published; --no-check publishes it all the same\n"
    told = xds("snapshot", "publish", "--yes", "--no-wait", "--json")
    assert (told.status, told.json["changed"], told.json["accepted"]) == (1, False, False)
    assert [each["name"] for each in told.json["rejections"]] == ["envoy.filters.http.jwt_authn"]
    forced = xds("snapshot", "publish", "--yes", "--no-wait", "--no-check", "--json")
    assert (forced.status, forced.json["changed"]) == (0, True)


def test_what_an_envoy_takes_is_published(xds: Run, database_url: str) -> None:
    publish(database_url, BAD, held=GOOD)

    assert xds("snapshot", "publish", "--yes", "--no-wait", "--json").json["changed"] is True


def test_without_an_envoy_what_is_held_is_published_unchecked(
    xds: Run, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(database_url, GOOD, held=BAD)
    monkeypatch.setattr("xds.publish.validating.find_envoy", lambda _named: None)

    assert xds("snapshot", "publish", "--yes", "--no-wait", "--json").json["changed"] is True


def test_without_an_envoy_it_says_so_by_its_status(
    xds: Run, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(database_url, GOOD)
    monkeypatch.setattr("xds.publish.validating.find_envoy", lambda _named: None)

    ran = xds("snapshot", "check")

    assert (ran.status, ran.out) == (3, "")
    assert "no Envoy here" in ran.err


def test_an_envoy_that_is_none_and_a_snapshot_that_is_not_there_are_said(
    xds: Run, database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "nothing was published yet" in xds("snapshot", "check").err
    publish(database_url, GOOD)
    assert "snapshot 7: there is none" in xds("snapshot", "check", "7").err
    monkeypatch.setenv("ENVOY_BINARY", str(tmp_path / "none"))

    ran = xds("snapshot", "check")

    assert ran.status != 0
    assert "ENVOY_BINARY: expected a program that can be run" in ran.err
    assert "Traceback" not in ran.err
