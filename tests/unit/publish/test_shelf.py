"""The last snapshot in a file: a real one, that may be cut short."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.support.edge import cell, edge_options, many_tenants, tenant, topology
from tests.support.translations import GRPC
from tests.unit.publish.test_deciding import recorded
from xds.model import Tenant
from xds.publish import Recorded, Shelf
from xds.publish.deciding import draft_of
from xds.snapshot import Content, Place
from xds.translate import translate

OPTIONS = replace(edge_options(), grpc_group=GRPC)


def snapshot(number: int, *tenants: Tenant) -> Recorded:
    """A snapshot of these tenants."""
    made = recorded(draft_of(translate(topology(cell(), *tenants), OPTIONS), None), number)
    return replace(made, entry=replace(made.entry, by="ann", message="wärüm", at=1.25, upserts=3, removed=2))


def everything(of: Content) -> dict[Place, tuple[object, ...]]:
    return {
        place: (each.name, each.version, each.body, each.needs, each.awaits, each.ttl) for place, each in of.items()
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "snapshot"


def test_a_snapshot_is_read_back_whole(path: Path) -> None:
    kept = snapshot(7, tenant(), tenant("b"))
    Shelf(path).save(kept)
    held = Shelf(path).load()

    assert held is not None
    assert held.entry == kept.entry
    assert everything(held.content) == everything(kept.content)
    assert (held.content.groups, held.content.apart) == (kept.content.groups, kept.content.apart)
    assert held.content.digest == kept.content.digest


def test_where_there_is_no_file_there_is_no_snapshot_and_none_is_made(path: Path) -> None:
    assert Shelf(path).load() is None
    assert not path.exists()


@pytest.mark.parametrize("starts_anew", [True, False])
def test_saving_step_by_step_is_saving_in_full(path: Path, starts_anew: bool) -> None:
    steps = [
        snapshot(1, tenant(), tenant("b")),
        snapshot(2, tenant("b", suspended=True), *many_tenants(20)),
        snapshot(3, *many_tenants(10)),
    ]
    shelf = Shelf(path)
    for each in steps:
        if starts_anew:
            shelf = Shelf(path)
            shelf.load()
        shelf.save(each)
    held = Shelf(path).load()

    assert held is not None
    assert held.entry == steps[-1].entry
    assert everything(held.content) == everything(steps[-1].content)


def test_only_what_differs_is_written(path: Path) -> None:
    shelf = Shelf(path)
    shelf.save(snapshot(1, *many_tenants(20)))
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(
            "CREATE TABLE written (name TEXT);"
            "CREATE TRIGGER log AFTER INSERT ON resources BEGIN INSERT INTO written VALUES (new.name); END;"
        )
    shelf.save(snapshot(2, *many_tenants(20), tenant("late")))

    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT name FROM written").fetchall() == [("late",)]


def test_a_file_of_another_snapshot_that_was_not_read_is_replaced(path: Path) -> None:
    Shelf(path).save(snapshot(1, tenant("old")))
    kept = snapshot(9, tenant("new"))
    Shelf(path).save(kept)
    held = Shelf(path).load()

    assert held is not None
    assert everything(held.content) == everything(kept.content)


# Files that are no good


def told(path: Path) -> list[str]:
    """What is logged when it is read, which must be nothing else than that it can't be."""
    with capture_logs() as lines:
        assert Shelf(path).load() is None
    assert [(line["event"], line["log_level"], line["path"]) for line in lines] == [
        ("snapshot.not_read_from_disk", "warning", str(path))
    ]
    return [line["error"] for line in lines]


def test_a_file_that_was_cut_short_is_left_aside(path: Path) -> None:
    kept = snapshot(1, *many_tenants(200))
    Shelf(path).save(kept)
    whole = path.read_bytes()
    assert len(whole) > 40_000
    for length in (1, 100, 4096, 12_288, len(whole) // 2, len(whole) - 8192):
        path.write_bytes(whole[:length])
        assert told(path)
    path.write_bytes(whole[:-1])  # of a page that is half empty
    held = Shelf(path).load()
    assert held is None or everything(held.content) == everything(kept.content)


@pytest.mark.parametrize("content", [b"garbage", b"garbage" * 10_000, b"\0" * 8192, b"SQLite format 3\0" + b"x" * 9000])
def test_garbage_is_left_aside_and_written_over(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    told(path)

    shelf = Shelf(path)
    with capture_logs():
        shelf.load()
    kept = snapshot(1, tenant())
    shelf.save(kept)
    held = Shelf(path).load()
    assert held is not None
    assert held.content.digest == kept.content.digest


def test_an_empty_file_is_no_snapshot(path: Path) -> None:
    path.parent.mkdir()
    path.touch()

    assert told(path) == ["there is no snapshot in it"]


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM resources WHERE name = 'acme'",
        "UPDATE resources SET version = 'x' WHERE name = 'acme'",
        "UPDATE resources SET body = x'00' WHERE name = 'acme'",
        "UPDATE resources SET kind = 'xds' WHERE name = 'acme'",
        "UPDATE resources SET needs = '{' WHERE name = 'acme'",
        "UPDATE resources SET needs = '[\"xds a\"]' WHERE name = 'acme'",
        "UPDATE entry SET entry = '[]'",
        "UPDATE entry SET entry = '{}'",
        "UPDATE entry SET groups = NULL",
        "UPDATE entry SET entry = replace(entry, '\"first\"', '\"unheard-of\"')",
        "DROP TABLE resources; CREATE TABLE resources (a TEXT)",
    ],
)
def test_a_file_that_is_not_what_was_written_is_left_aside(path: Path, damage: str) -> None:
    Shelf(path).save(snapshot(1, tenant()))
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(damage)

    assert told(path)


def test_a_crash_in_the_middle_of_writing_leaves_the_snapshot_before(path: Path) -> None:
    shelf, first = Shelf(path), snapshot(1, *many_tenants(50))
    shelf.save(first)
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(
            "CREATE TRIGGER crash BEFORE INSERT ON resources WHEN new.name = 'late'"
            " BEGIN SELECT raise(ABORT, 'no space left'); END;"
        )
    with pytest.raises(OSError, match="no space left"):
        shelf.save(snapshot(2, *many_tenants(49), tenant("late")))

    held = Shelf(path).load()
    assert held is not None
    assert (held.entry, everything(held.content)) == (first.entry, everything(first.content))


def test_a_file_that_can_not_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OSError, match="file"):
        Shelf(tmp_path / "file" / "snapshot").save(snapshot(1, tenant()))
