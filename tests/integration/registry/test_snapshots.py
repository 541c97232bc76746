"""Snapshots in a real PostgreSQL: recorded whole or not at all, by one at a time, and served again as they were."""

import asyncio
import time
from dataclasses import replace

import asyncpg
import pytest

from tests.support.edge import GROUP, cell, edge_options, tenant, topology
from xds.errors import Conflict, NotFound, RegistryError
from xds.names import Revision, TypeUrl
from xds.operations.snapshots import compare
from xds.publish import Candidate, Entry, Kind, Lead, Policy, Recorded
from xds.registry import PostgresRegistry
from xds.snapshot import Content
from xds.translate import translate

OPTIONS = edge_options()
EMPTY = Content(tables={})


def content(*tenants: str, extra: tuple[str, ...] = ()) -> Content:
    """What is served for these tenants and, besides the one cell, `extra` ones."""
    cells, lodged = [cell(each) for each in extra], [tenant(each) for each in tenants]
    return translate(topology(cell(), *cells, *lodged), OPTIONS).content


def entry(number: int, held: Content, **fields: object) -> Entry:
    """What is known of a snapshot, as a publisher would write it."""
    known = Entry(
        number=number,
        revision=Revision(10 * number),
        digest=held.digest,
        at=round(time.time(), 3),
        by="replica-1",
        kind=Kind.CHANGE,
        message="",
        counts={"tenants": number},
        structure="{}",
    )
    return replace(known, **fields)  # type: ignore[arg-type]


async def record(lead: Lead, number: int, held: Content, before: Content = EMPTY, **fields: object) -> Recorded:
    """Record a snapshot."""
    known = entry(number, held, **fields)
    await lead.record(known, held, held.changed_since(before))
    return Recorded(entry=known, content=held)


def bodies(held: Content) -> dict[object, bytes]:
    """Every byte of it."""
    return {place: resource.body for place, resource in held.items()}


async def test_what_was_recorded_is_read_back_byte_for_byte(registry: PostgresRegistry) -> None:
    async with registry.snapshots.lead() as lead:
        assert await registry.snapshots.newest() is None
        recorded = await record(lead, 1, content("acme", "b"))
    newest = await registry.snapshots.newest()

    assert newest is not None
    assert newest.entry == recorded.entry
    assert bodies(newest.content) == bodies(recorded.content)
    assert newest.content.digest == recorded.content.digest
    read, written = newest.content.snapshots(1, Revision(10)), recorded.content.snapshots(1, Revision(10))
    assert read.keys() == written.keys()
    for type_url in TypeUrl:
        held = {each.name: (each.needs, each.awaits, each.ttl) for each in read[GROUP].table(type_url).values()}
        assert held == {
            each.name: (each.needs, each.awaits, each.ttl) for each in written[GROUP].table(type_url).values()
        }


async def test_any_snapshot_of_before_is_a_query_and_only_changes_are_written(
    registry: PostgresRegistry, sql: asyncpg.Connection
) -> None:
    versions = [content("a"), content("a", "b"), content("b"), content("b", extra=("cell-two",)), content("a", "b")]
    before = EMPTY
    async with registry.snapshots.lead() as lead:
        for number, held in enumerate(versions, start=1):
            rows = await sql.fetchval("SELECT count(*) FROM snapshot_resources")
            await record(lead, number, held, before)
            change = held.changed_since(before)
            assert await sql.fetchval("SELECT count(*) FROM snapshot_resources") == rows + len(change.upserts)
            before = held

    for number, held in enumerate(versions, start=1):
        read = await registry.snapshots.content(number)
        assert (read.entry.number, bodies(read.content)) == (number, bodies(held))
    with pytest.raises(NotFound, match="snapshot 6: there is none"):
        await registry.snapshots.content(6)


async def test_who_follows_is_sent_what_differs_and_has_the_same_in_the_end(registry: PostgresRegistry) -> None:
    async with registry.snapshots.lead() as lead:
        await record(lead, 1, content("a", "b"))
        base = await registry.snapshots.newest()
        assert base is not None
        assert await registry.snapshots.follow(base) is base

        await record(lead, 2, content("b", "c"), content("a", "b"))
        await record(lead, 3, content("c", "d"), content("b", "c"))
        followed = await registry.snapshots.follow(base)

    assert followed is not None
    assert followed.entry.number == 3
    assert bodies(followed.content) == bodies(content("c", "d"))
    untouched = followed.content.tables[GROUP][TypeUrl.LISTENER]
    assert untouched is base.content.tables[GROUP][TypeUrl.LISTENER]


async def test_who_follows_from_a_snapshot_of_another_database_has_the_right_one(registry: PostgresRegistry) -> None:
    strange = Recorded(entry=entry(7, content("x")), content=content("x"))
    async with registry.snapshots.lead() as lead:
        await record(lead, 1, content("a"))

    followed = await registry.snapshots.follow(strange)

    assert followed is not None
    assert (followed.entry.number, bodies(followed.content)) == (1, bodies(content("a")))


async def test_two_snapshots_are_compared_in_either_order(registry: PostgresRegistry) -> None:
    async with registry.snapshots.lead() as lead:
        await record(lead, 1, content("a", "b"))
        await record(lead, 2, content("b"), content("a", "b"))
        await record(lead, 3, content("b", "c"), content("b"))
        await record(lead, 4, content("b", "c", extra=("cell-two",)), content("b", "c"))

    forward = await compare(registry.snapshots, 1, 3)
    assert [(each.sign, each.place.name) for each in forward] == [("-", "a"), ("+", "c")]
    assert [(each.sign, each.place.name) for each in await compare(registry.snapshots, 3, 1)] == [
        ("+", "a"),
        ("-", "c"),
    ]
    assert await compare(registry.snapshots, 2, 2) == ()


# One publisher


async def test_the_second_publisher_waits_until_the_first_is_gone(registry: PostgresRegistry) -> None:
    order = []

    async def second() -> None:
        async with registry.snapshots.lead() as lead:
            order.append("second")
            await record(lead, 2, content("b"), content("a"))

    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        async with registry.snapshots.lead() as lead:
            waiting = tasks.create_task(second())
            await asyncio.sleep(1.5)  # long enough for it to ask
            order.append("first")
            await record(lead, 1, content("a"))
        await waiting

    assert order == ["first", "second"]


async def test_who_has_lost_the_right_can_write_no_more(registry: PostgresRegistry, sql: asyncpg.Connection) -> None:
    async with asyncio.timeout(10), registry.snapshots.lead() as lead:
        await sql.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'alphaswarm-xds publisher'"
        )
        await lead.lost()
        with pytest.raises(RegistryError):
            await record(lead, 1, content("a"))

    assert await sql.fetchval("SELECT count(*) FROM snapshots") == 0


@pytest.mark.parametrize("number", [1, 3])
async def test_a_number_that_is_not_the_next_one_is_refused_whole(
    registry: PostgresRegistry, sql: asyncpg.Connection, number: int
) -> None:
    async with registry.snapshots.lead() as lead:
        await record(lead, 1, content("a"))
        with pytest.raises(Conflict, match=f"snapshot {number}: is not the next one"):
            await record(lead, number, content("b"), content("a"))
        rows = await sql.fetch("SELECT number FROM snapshots")
        assert [row["number"] for row in rows] == [1]
        await record(lead, 2, content("b"), content("a"))

    assert await sql.fetchval("SELECT count(*) FROM snapshot_resources WHERE valid_from > 2") == 0


# What operators decide


async def test_a_decision_is_read_back_and_one_that_was_overtaken_is_refused(registry: PostgresRegistry) -> None:
    was = await registry.snapshots.policy()
    now = Policy(is_frozen=True, by="ann", message="incident 7", at=1_800_000_000.123456)
    await registry.snapshots.decide(was, now)

    assert await registry.snapshots.policy() == now
    with pytest.raises(Conflict, match="somebody else has just decided"):
        await registry.snapshots.decide(was, replace(was, by="bob"))
    assert await registry.snapshots.policy() == now


async def test_watchers_are_woken_by_snapshots_and_decisions(registry: PostgresRegistry) -> None:
    woken = asyncio.Event()
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(registry.snapshots.watch(woken.set))
        await woken.wait()  # for the connection
        woken.clear()
        async with registry.snapshots.lead() as lead:
            await record(lead, 1, content("a"))
            await woken.wait()
        woken.clear()
        await registry.snapshots.decide(await registry.snapshots.policy(), Policy(pinned=1, by="ann", at=1.0))
        await woken.wait()
        watching.cancel()


async def test_all_that_is_held_can_be_seen_page_by_page(registry: PostgresRegistry) -> None:
    many = [f"t{number}" for number in range(2_500)]
    change = content("a", *many).changed_since(content("b"))
    candidate = Candidate(
        digest="d", revision=Revision(9), reason="frozen", change=change, counts={"tenants": len(many) + 1}
    )
    async with registry.snapshots.lead() as lead:
        await record(lead, 1, content("b"))
        await lead.note_candidate(candidate)
        held = await registry.snapshots.held(limit=None)
        assert held is not None
        assert (held.digest, held.revision, held.reason, held.upserts) == ("d", 9, "frozen", len(many) + 1)
        assert sum(each.sign == "+" for each in held.differences) == len(many) + 1
        assert [each.place.name for each in held.differences if each.sign == "-"] == ["b"]
        pages, after = [], None
        while (page := await registry.snapshots.held(1000, after)) is not None and page.differences:
            pages.append(page.differences)
            after = page.differences[-1].place
        assert [len(each) for each in pages] == [1000, 1000, len(held.differences) - 2000]
        assert [each.place for page in pages for each in page] == [each.place for each in held.differences]
        header = await registry.snapshots.held()
        assert header == replace(held, differences=())

        await record(lead, 2, content("a"), content("b"))
        assert await registry.snapshots.held() is None


async def test_what_is_held_already_is_not_written_again(registry: PostgresRegistry, sql: asyncpg.Connection) -> None:
    base = content("a", "b", "c")
    written = "SELECT name, version IS NULL, xmin::text FROM snapshot_candidate_resources ORDER BY name"

    async def note(lead: Lead, *tenants: str) -> dict[str, tuple[bool, str]]:
        change = content(*tenants).changed_since(base)
        await lead.note_candidate(
            Candidate(digest=str(tenants), revision=Revision(9), reason="frozen", change=change, counts={})
        )
        return {name: (is_gone, at) for name, is_gone, at in await sql.fetch(written)}

    async with registry.snapshots.lead() as lead:
        await record(lead, 1, base)
        first = await note(lead, "a", "d", "e")
        assert {name for name, (is_gone, _) in first.items() if is_gone} == {"b", "c"}
        second = await note(lead, "a", "b", "d", "f")
        assert second.keys() == {"c", "d", "f"}
        assert (second["c"], second["d"]) == (first["c"], first["d"])
        await lead.note_candidate(None)
        assert await registry.snapshots.held() is None
        assert (await note(lead, "a", "b", "c", "d")).keys() == {"d"}
    async with registry.snapshots.lead() as another:
        assert (await note(another, "a", "b", "c", "e")).keys() == {"e"}, "whatever the one before has left"


# Retention


async def test_old_snapshots_are_forgotten_but_for_the_newest_and_the_pinned_one(
    registry: PostgresRegistry, sql: asyncpg.Connection
) -> None:
    old = time.time() - 1_000
    before = EMPTY
    async with registry.snapshots.lead() as lead:
        for number in range(1, 8):
            held = content(*[f"t{each}" for each in range(number)], f"only-{number}")
            await record(lead, number, held, before, at=old if number < 6 else time.time())
            before = held
    await registry.snapshots.decide(await registry.snapshots.policy(), Policy(pinned=2, by="ann", at=1.0))

    assert await registry.snapshots.prune(keep=1, keep_seconds=5_000) == 0
    assert await registry.snapshots.prune(keep=3, keep_seconds=500) == 3
    assert [each.number for each in await registry.snapshots.entries(None, 10)] == [7, 6, 5, 2]
    assert bodies((await registry.snapshots.content(2)).content).keys() >= {
        place for place, _ in content("only-2").items()
    }
    names = {row["name"] for row in await sql.fetch("SELECT name FROM snapshot_resources WHERE name LIKE 'only-%'")}
    assert names == {"only-2", "only-5", "only-6", "only-7"}
    assert bodies((await registry.snapshots.content(7)).content) == bodies(before)
