"""The last snapshot, in a file of this machine: a process whose database is down starts from it.

One SQLite file, so that a change writes what changed, and a crash leaves the snapshot before.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path

from xds.names import NodeGroup, Revision
from xds.publish.history import Entry, Kind, Recorded
from xds.snapshot import ContentChange, FlatResource, Place, flatten, gather
from xds.telemetry import get_logger

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1), entry TEXT, groups TEXT, apart TEXT
);
CREATE TABLE IF NOT EXISTS resources (
    node_group TEXT, kind TEXT, name TEXT, version TEXT, body BLOB, needs TEXT, awaits TEXT, ttl INTEGER,
    PRIMARY KEY (node_group, kind, name)
) WITHOUT ROWID;
"""


class Shelf:
    """One file. Used by one process at a time, and by one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: Recorded | None = None

    def load(self) -> Recorded | None:
        """The snapshot in the file; None if there is no file, or it can't be read."""
        if not self._path.exists():
            return None
        try:
            with self._open() as database:
                recorded = _read(database)
        except (OSError, ValueError, KeyError, TypeError) as error:
            get_logger().warning("snapshot.not_read_from_disk", path=str(self._path), error=str(error))
            return None
        self._kept = recorded
        return recorded

    def save(self, recorded: Recorded) -> None:
        """Have the file hold this snapshot; raises `OSError`."""
        kept = self._kept
        if kept is None:
            self._path.unlink(missing_ok=True)
            self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as database:
            change = (
                recorded.content.changed_since(kept.content)
                if kept is not None
                else ContentChange(upserts=dict(recorded.content.items()))
            )
            _write(database, recorded, change)
        self._kept = recorded

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path)) as database, database:
                database.executescript(_SCHEMA)
                yield database
        except sqlite3.Error as error:
            raise OSError(f"{self._path}: {error}") from error


def _read(database: sqlite3.Connection) -> Recorded:
    row = database.execute("SELECT entry, groups, apart FROM entry").fetchone()
    if row is None:
        raise ValueError("there is no snapshot in it")
    fields, groups, apart = map(json.loads, row)
    flats = (
        FlatResource(
            row[0], row[1], row[2], row[3], row[4], needs=json.loads(row[5]), awaits=json.loads(row[6]), ttl=row[7]
        )
        for row in database.execute("SELECT * FROM resources ORDER BY node_group, kind, name")
    )
    content = gather(flats, groups=map(NodeGroup, groups), apart=[NodeGroup(each) for each in apart])
    entry = Entry(**{**fields, "kind": Kind(fields["kind"]), "revision": Revision(fields["revision"])})
    if content.digest != entry.digest or not all(each.is_sound for _, each in content.items()):
        raise ValueError("it is not what was written")
    return Recorded(entry=entry, content=content)


def _write(database: sqlite3.Connection, recorded: Recorded, change: ContentChange) -> None:
    content = recorded.content
    entry = json.dumps({**asdict(recorded.entry), "counts": dict(recorded.entry.counts)})
    database.execute(
        "INSERT OR REPLACE INTO entry VALUES (1, ?, ?, ?)",
        (entry, json.dumps(content.groups), json.dumps(sorted(content.apart))),
    )
    database.executemany(
        "DELETE FROM resources WHERE (node_group, kind, name) = (?, ?, ?)", map(_flat_place, change.removed)
    )
    database.executemany(
        "INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (*flat[:5], json.dumps(flat.needs), json.dumps(flat.awaits), flat.ttl)
            for flat in (flatten(place, resource) for place, resource in change.upserts.items())
        ),
    )


def _flat_place(place: Place) -> tuple[str, str, str]:
    return place.group, place.kind, place.name
