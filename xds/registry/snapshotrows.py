"""Snapshots as rows, and the SQL that reads them.

Knows nothing about connections.
"""

import json
from collections.abc import Iterable

from xds.names import NodeGroup, Revision, Version
from xds.operations.snapshots import Difference, Held
from xds.publish.history import Entry, Kind
from xds.publish.policy import Mode, Policy
from xds.registry.rows import Row
from xds.snapshot import FlatResource, Place, Resource, place_of

RESOURCE_COLUMNS = ("node_group", "kind", "name", "version", "body", "needs", "awaits", "ttl")
ENTRY_COLUMNS = (
    "number, at, published_by, kind, message, revision, digest, counts, upserts, removed, structure, node_groups, apart"
)

NEWEST = f"SELECT {ENTRY_COLUMNS} FROM snapshots ORDER BY number DESC LIMIT 1"  # noqa: S608 -- our constants, here and below
ENTRY = f"SELECT {ENTRY_COLUMNS} FROM snapshots WHERE number = $1"  # noqa: S608
LIST = f"SELECT {ENTRY_COLUMNS} FROM snapshots WHERE number < $1 ORDER BY number DESC LIMIT $2"  # noqa: S608
_RESOURCES = ", ".join(RESOURCE_COLUMNS)
IN_FORCE = f"SELECT {_RESOURCES} FROM snapshot_resources WHERE valid_to IS NULL"  # noqa: S608
# Snapshots of long ago are few rows away from the one in force, so a scan of all is right.
AT = f"""
SELECT {_RESOURCES} FROM snapshot_resources
 WHERE valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)
 ORDER BY node_group, kind, name COLLATE "C" """  # noqa: S608
SOME = f"""
SELECT {_RESOURCES} FROM snapshot_resources
 WHERE valid_from <= $1 AND (valid_to IS NULL OR valid_to > $1)
   AND ($2::text IS NULL OR kind = $2) AND ($3::text IS NULL OR name = $3)"""  # noqa: S608
# What differs between two snapshots of which $1 is the older: found by its ends, so in time that the change takes.
GAINED = f"""
SELECT {_RESOURCES} FROM snapshot_resources
 WHERE valid_from > $1 AND valid_from <= $2 AND (valid_to IS NULL OR valid_to > $2)"""  # noqa: S608
LOST = f"""
SELECT {_RESOURCES} FROM snapshot_resources
 WHERE valid_to > $1 AND valid_to <= $2 AND valid_from <= $1"""  # noqa: S608
LOST_PLACES = """
SELECT node_group, kind, name FROM snapshot_resources
 WHERE valid_to > $1 AND valid_to <= $2 AND valid_from <= $1"""
POLICY = "SELECT mode, is_frozen, pinned, approved, by, message, at FROM publish_policy"
IS_ACTED_ON = "SELECT acted_at = at AS is_acted_on FROM publish_policy"
DECIDE = """
UPDATE publish_policy
   SET mode = $1, is_frozen = $2, pinned = $3, approved = $4, by = $5, message = $6, at = $7 WHERE at = $8"""
CANDIDATE = "SELECT digest, revision, reason, counts, upserts, removed, at FROM snapshot_candidate"
# What is to become of each resource, and what is in force there: a version of NULL is for one that is not there.
CANDIDATE_RESOURCES = """
SELECT node_group, kind, name, held.version, held.body, was.version AS was_version, was.body AS was_body
  FROM snapshot_candidate_resources AS held
  LEFT JOIN (SELECT * FROM snapshot_resources WHERE valid_to IS NULL) AS was USING (node_group, kind, name)
 WHERE $1::text IS NULL OR (node_group COLLATE "C", kind COLLATE "C", name COLLATE "C") > ($1, $2, $3)
 ORDER BY node_group COLLATE "C", kind COLLATE "C", name COLLATE "C" LIMIT $4"""
PRUNE = """
DELETE FROM snapshots
 WHERE number < (SELECT number FROM snapshots ORDER BY number DESC OFFSET greatest($1, 1) - 1 LIMIT 1)
   AND at < clock_timestamp() - $2 * interval '1 second'
   AND number IS DISTINCT FROM (SELECT pinned FROM publish_policy)"""
# A row that no kept snapshot shows.
PRUNE_RESOURCES = """
DELETE FROM snapshot_resources AS held
 WHERE valid_to IS NOT NULL
   AND NOT EXISTS (SELECT FROM snapshots WHERE number >= held.valid_from AND number < held.valid_to)"""


def to_entry(row: Row) -> Entry:
    """What is known of a snapshot."""
    return Entry(
        number=row["number"],
        at=row["at"].timestamp(),
        by=row["published_by"],
        kind=Kind(row["kind"]),
        message=row["message"],
        revision=Revision(row["revision"]),
        digest=row["digest"],
        counts=json.loads(row["counts"]),
        upserts=row["upserts"],
        removed=row["removed"],
        structure=row["structure"],
    )


def to_groups(row: Row) -> tuple[list[NodeGroup], list[NodeGroup]]:
    """The node groups of a snapshot, and those of them that stand apart."""
    return [NodeGroup(each) for each in row["node_groups"]], [NodeGroup(each) for each in row["apart"]]


def to_flats(rows: Iterable[Row]) -> Iterable[FlatResource]:
    """The resources of rows that have `RESOURCE_COLUMNS`."""
    return (FlatResource(*(row[column] for column in RESOURCE_COLUMNS)) for row in rows)


def to_policy(row: Row) -> Policy:
    """What operators have decided."""
    return Policy(
        mode=Mode(row["mode"]),
        is_frozen=row["is_frozen"],
        pinned=row["pinned"],
        approved=row["approved"],
        by=row["by"],
        message=row["message"],
        at=row["at"].timestamp(),
    )


def to_held(row: Row, resources: Iterable[Row]) -> Held:
    """What is held."""
    return Held(
        digest=row["digest"],
        revision=Revision(row["revision"]),
        reason=row["reason"],
        counts=json.loads(row["counts"]),
        upserts=row["upserts"],
        removed=row["removed"],
        at=row["at"].timestamp(),
        differences=tuple(map(_to_difference, resources)),
    )


def _to_difference(row: Row) -> Difference:
    place = place_of(row["node_group"], row["kind"], row["name"])
    before, after = ((row[f"{side}version"], row[f"{side}body"]) for side in ("was_", ""))
    return Difference(place=place, before=_to_resource(place, *before), after=_to_resource(place, *after))


def _to_resource(place: Place, version: str | None, body: bytes) -> Resource | None:
    return None if version is None else Resource(place.name, Version(version), body)
