"""Snapshots as rows: what a row says. The SQL is held by tests/integration/registry/test_snapshots.py."""

from datetime import UTC, datetime
from typing import Any

from xds.names import Revision, TypeUrl
from xds.publish import Entry, Kind, Mode, Policy
from xds.registry import snapshotrows as rows

AT = datetime(2027, 1, 2, 3, 4, 5, 678901, UTC)


def test_a_snapshots_row_is_its_entry_and_its_groups() -> None:
    row: dict[str, Any] = {
        "number": 3,
        "at": AT,
        "published_by": "ann",
        "kind": "rollback",
        "message": "back",
        "revision": 9,
        "digest": "d",
        "counts": '{"tenants": 2}',
        "upserts": 4,
        "removed": 5,
        "structure": "{}",
        "node_groups": ["a", "b"],
        "apart": ["b"],
    }

    assert set(rows.ENTRY_COLUMNS.split(", ")) == set(row)
    assert rows.to_entry(row) == Entry(
        number=3,
        revision=Revision(9),
        digest="d",
        at=AT.timestamp(),
        by="ann",
        kind=Kind.ROLLBACK,
        message="back",
        counts={"tenants": 2},
        upserts=4,
        removed=5,
        structure="{}",
    )
    assert rows.to_groups(row) == (["a", "b"], ["b"])


def test_a_policys_row() -> None:
    row: dict[str, Any] = {
        "mode": "manual",
        "is_frozen": True,
        "pinned": 7,
        "approved": "d",
        "by": "ann",
        "message": "why",
        "at": AT,
    }

    assert rows.to_policy(row) == Policy(
        mode=Mode.MANUAL, is_frozen=True, pinned=7, approved="d", by="ann", message="why", at=AT.timestamp()
    )


def test_what_is_held_has_no_body_where_it_is_to_go() -> None:
    row: dict[str, Any] = {
        "digest": "d",
        "revision": 9,
        "reason": "frozen",
        "counts": "{}",
        "upserts": 1,
        "removed": 1,
        "at": AT,
    }
    nothing = {"version": None, "body": None, "was_version": None, "was_body": None}
    gone: dict[str, Any] = {
        **nothing,
        "node_group": "",
        "kind": "srds",
        "name": "a",
        "was_version": "u",
        "was_body": b"y",
    }
    new: dict[str, Any] = {**nothing, "node_group": "g", "kind": "lds", "name": "edge", "version": "v", "body": b"x"}
    went, came = rows.to_held(row, [gone, new]).differences

    assert (went.place.type_url, went.place.name, went.sign, went.after) == (TypeUrl.SCOPE, "a", "-", None)
    assert (came.place.type_url, came.place.name, came.sign, came.before) == (TypeUrl.LISTENER, "edge", "+", None)
    assert went.before is not None
    assert came.after is not None
    assert (went.before.body, came.after.version, came.after.body) == (b"y", "v", b"x")


def test_a_resources_row_is_flat_already() -> None:
    row: dict[str, Any] = {
        "node_group": "",
        "kind": "rds",
        "name": "r",
        "version": "v",
        "body": b"x",
        "needs": ["cds c"],
        "awaits": [],
        "ttl": None,
    }
    (flat,) = rows.to_flats([row])

    assert flat == ("", "rds", "r", "v", b"x", ["cds c"], [], None)
