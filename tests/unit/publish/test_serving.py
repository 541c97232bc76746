"""What a process serves: the newest snapshot, for a while more than that, and from disk."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.support.edge import GROUP, cell, edge_options, tenant, topology
from tests.support.translations import GRPC
from tests.unit.publish.conftest import turn
from tests.unit.publish.test_deciding import recorded
from xds.errors import InconsistentSnapshot
from xds.names import ResourceName, TypeUrl
from xds.publish import Feed, Recorded, Shelf
from xds.publish.deciding import Draft, draft_of
from xds.publish.serving import Serving
from xds.snapshot import SHARED, ContentChange, Place
from xds.translate import EdgeOptions, translate

OPTIONS = edge_options()


def draft(*tenants: str, options: EdgeOptions = OPTIONS) -> Draft:
    return draft_of(translate(topology(cell(), *map(tenant, tenants)), options), None)


def served(feed: Feed) -> tuple[int, set[str]]:
    """The number of what is served, and its tenants."""
    slot = feed.latest(GROUP)
    assert slot is not None
    return slot.snapshot.number, {name for name in slot.snapshot.table(TypeUrl.SCOPE) if not name.startswith("-")}


@contextmanager
def wakes(feed: Feed) -> Iterator[list[None]]:
    """How often streams are woken."""
    count: list[None] = []
    with feed.subscription(GROUP, lambda: count.append(None)):
        yield count


async def test_a_snapshot_is_handed_over_under_its_number() -> None:
    feed = Feed()
    serving = Serving(feed, None)
    await serving.serve(recorded(draft("a"), 7))

    assert served(feed) == (7, {"a"})
    assert serving.recorded is not None
    assert not serving.is_ahead


async def test_what_is_ahead_is_served_under_the_old_number_until_a_snapshot_is() -> None:
    feed = Feed()
    serving = Serving(feed, None)
    await serving.serve(recorded(draft("a"), 7))
    await serving.serve_ahead(draft("a", "b").content)
    assert served(feed) == (7, {"a", "b"})
    assert serving.is_ahead

    await serving.serve(recorded(draft("a", "b"), 8))
    assert (served(feed), serving.is_ahead) == ((8, {"a", "b"}), False)


async def test_what_is_served_already_wakes_nobody() -> None:
    feed = Feed()
    serving = Serving(feed, None)
    await serving.serve(recorded(draft("a")))
    with wakes(feed) as woken, capture_logs() as lines:
        await serving.serve_ahead(draft("a").content)
        assert (len(woken), serving.is_ahead) == (0, False)
        for _ in range(3):
            await serving.serve_ahead(draft("a", "b").content)

    assert (len(woken), len(lines)) == (1, 1)


async def test_going_back_to_what_is_recorded_is_served_too() -> None:
    feed = Feed()
    serving = Serving(feed, None)
    await serving.serve(recorded(draft("a")))
    await serving.serve_ahead(draft("a", "b").content)
    await serving.serve_ahead(draft("a").content)

    assert served(feed) == (1, {"a"})


def test_a_draft_that_names_what_it_does_not_hold_is_refused() -> None:
    whole = draft("a")
    (cluster,) = (name for name in whole.content.tables[SHARED][TypeUrl.CLUSTER])
    gone = frozenset([Place(SHARED, TypeUrl.CLUSTER, ResourceName(cluster))])
    torn = replace(whole, content=whole.content.apply(ContentChange(removed=gone)))

    Serving(Feed(), None).check(whole)
    with pytest.raises(
        InconsistentSnapshot, match=f"rds names '{cluster}' of cds, which is not there .* not published"
    ):
        Serving(Feed(), None).check(torn)


async def test_what_is_counted_is_what_one_envoy_is_served() -> None:
    options = replace(edge_options(listeners={GROUP: ("::1", 1)}), grpc_group=GRPC)
    serving = Serving(Feed(), None)
    await serving.serve(recorded(draft("a", "b", options=options)))

    assert serving.counts() == {"cds": 1, "eds": 1, "lds": 1, "ecds": 1, "rds": 4, "srds": 7}


# On disk


async def kept(serving: Serving, path: Path, number: int) -> None:
    """Run what keeps until that snapshot is in the file."""
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(serving.keep())
        while (held := Shelf(path).load()) is None or held.entry.number != number:
            await turn()
        keeping.cancel()


async def test_a_process_starts_with_what_another_has_kept(tmp_path: Path) -> None:
    path, feed = tmp_path / "snapshot", Feed()
    first = Serving(Feed(), Shelf(path))
    await first.start()
    assert first.recorded is None
    await first.serve(recorded(draft("a"), 1))
    await first.serve(recorded(draft("a", "b"), 2))
    await kept(first, path, 2)

    second = Serving(feed, Shelf(path))
    await second.start()
    assert served(feed) == (2, {"a", "b"})
    assert second.recorded is not None
    assert second.recorded.content.digest == draft("a", "b").content.digest


async def test_a_disk_that_can_not_be_written_is_logged_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    serving = Serving(Feed(), Shelf(tmp_path / "file" / "snapshot"))
    with capture_logs() as lines:
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            keeping = tasks.create_task(serving.keep())
            await serving.serve(recorded(draft("a")))
            while not lines:
                await turn()
            keeping.cancel()

    assert [(line["event"], line["log_level"]) for line in lines] == [("snapshot.not_kept", "error")]


async def test_without_a_file_there_is_nothing_to_start_with() -> None:
    feed = Feed()
    serving = Serving(feed, None)
    await serving.start()

    assert (feed.groups, serving.recorded) == ((), None)


async def test_what_is_ahead_is_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "snapshot"
    serving = Serving(Feed(), Shelf(path))
    base: Recorded = recorded(draft("a"))
    await serving.serve(base)
    await serving.serve_ahead(draft("a", "b").content)
    await kept(serving, path, 1)

    held = Shelf(path).load()
    assert held is not None
    assert held.content.digest == base.content.digest
