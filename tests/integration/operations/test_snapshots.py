"""What operators can do with snapshots: on a real database, with nobody who publishes."""

from dataclasses import replace

import pytest

from tests.support.recording import content, record
from xds.errors import Conflict, NotFound, RequestError
from xds.names import Revision
from xds.operations import snapshots as operations
from xds.operations.snapshots import Word
from xds.publish import Candidate, Mode, Policy
from xds.registry import PostgresRegistry
from xds.snapshot import Content

ANN = Word(by="ann", message="incident 7")
THREE = (content("a", "b"), content("a", "b", moved="a"), content("b", "c"))


async def held(registry: PostgresRegistry, wanted: Content, before: Content) -> None:
    """Have something held, as the publisher would."""
    change = wanted.changed_since(before)
    async with registry.snapshots.lead() as lead:
        await lead.note_candidate(
            Candidate(digest=wanted.digest, revision=Revision(99), reason="frozen", change=change, counts={})
        )


async def test_before_the_first_there_is_none_to_be_found(registry: PostgresRegistry) -> None:
    for asked in (operations.newest_number(registry.snapshots), operations.pin(registry.snapshots, ANN)):
        with pytest.raises(NotFound, match="nothing was published yet"):
            await asked
    with pytest.raises(NotFound, match="snapshot 1: there is none"):
        await operations.roll_back(registry.snapshots, 1, ANN)


async def test_a_snapshot_is_shown_whole_or_in_part(registry: PostgresRegistry) -> None:
    recorded = await record(registry, *THREE)
    whole = await operations.show(registry.snapshots, 2)
    scopes = await operations.show(registry.snapshots, 2, kind="srds")
    one = await operations.show(registry.snapshots, 2, kind="srds", name="a")

    assert whole.entry == recorded[1].entry
    assert len(whole.resources) == len(THREE[1])
    assert [each.place for each in whole.resources] == sorted(each.place for each in whole.resources)
    assert {each.place.kind for each in scopes.resources} == {"srds"}
    assert [(each.place.name, each.resource.body) for each in one.resources] == [
        (place.name, each.body) for place, each in THREE[1].items() if (place.kind, place.name) == ("srds", "a")
    ]
    assert (await operations.show(registry.snapshots, 2, name="nobody")).resources == ()
    with pytest.raises(RequestError, match="type: expected one of cds, eds, lds, ecds, rds, srds, got 'vhds'"):
        await operations.show(registry.snapshots, 2, kind="vhds")


async def test_two_are_compared_with_what_stood_there_and_what_stands_there(registry: PostgresRegistry) -> None:
    await record(registry, *THREE)
    there = await operations.compare(registry.snapshots, 1, 3)
    back = await operations.compare(registry.snapshots, 3, 1)

    assert [(each.sign, each.place.name) for each in there] == [("-", "a"), ("+", "c")]
    assert [(each.sign, each.place.name) for each in back] == [("+", "a"), ("-", "c")]
    (moved,) = await operations.compare(registry.snapshots, 1, 2)
    assert (moved.sign, moved.place.name) == ("~", "a")
    assert moved.before is not None
    assert moved.after is not None
    assert b"cell-b" not in moved.before.body
    assert b"cell-b" in moved.after.body


async def test_what_became_another_and_came_back_does_not_differ(registry: PostgresRegistry) -> None:
    await record(registry, THREE[0], THREE[1], content("a", "b"))

    assert await operations.compare(registry.snapshots, 1, 3) == ()


async def test_what_is_held_is_compared_with_what_is_in_force(registry: PostgresRegistry) -> None:
    await record(registry, THREE[0])
    await held(registry, THREE[2], THREE[0])
    seen = await registry.snapshots.held(limit=None)
    assert seen is not None
    differences = seen.differences

    assert [(each.sign, each.place.name) for each in differences] == [("-", "a"), ("+", "c")]
    assert "a" in str(operations.readable(differences[1].place, differences[1].after.body))  # type: ignore[union-attr]


async def test_what_is_held_is_published_by_an_operators_word(registry: PostgresRegistry) -> None:
    await record(registry, THREE[0])
    store = registry.snapshots
    with pytest.raises(Conflict, match="nothing is held"):
        await operations.publish_held(store, ANN)
    await held(registry, THREE[2], THREE[0])
    with pytest.raises(Conflict, match="look at it again"):
        await operations.publish_held(store, ANN, digest="0" * 32)
    decided = await operations.publish_held(store, ANN, digest=THREE[2].digest)

    assert decided.is_change
    assert (await store.policy()).approved == THREE[2].digest
    assert not await store.is_acted_on()


async def test_what_is_frozen_or_pinned_is_resumed_before_it_is_published(registry: PostgresRegistry) -> None:
    await record(registry, THREE[0])
    await held(registry, THREE[2], THREE[0])
    store = registry.snapshots
    await operations.freeze(store, ANN)
    with pytest.raises(Conflict, match="frozen: resume first"):
        await operations.publish_held(store, ANN)
    await operations.pin(store, ANN)
    with pytest.raises(Conflict, match="pinned to snapshot 1: resume first"):
        await operations.publish_held(store, ANN)


async def test_decisions_are_written_with_who_and_why_and_undone_by_resume(registry: PostgresRegistry) -> None:
    await record(registry, *THREE)
    store = registry.snapshots
    await operations.set_mode(store, Mode.MANUAL, ANN)
    await operations.freeze(store, ANN)
    decided = await operations.roll_back(store, 2, ANN)

    policy = await store.policy()
    assert policy == decided.now
    assert (policy.mode, policy.is_frozen, policy.pinned) == (Mode.MANUAL, True, 2)
    assert (policy.by, policy.message) == ("ann", "incident 7")
    resumed = await operations.resume(store, Word(by="bob"))
    assert (resumed.was, resumed.is_change) == (policy, True)
    assert await store.policy() == Policy(mode=Mode.MANUAL, by="bob", at=resumed.now.at)


async def test_a_decision_that_stands_already_is_no_change(registry: PostgresRegistry) -> None:
    store = registry.snapshots
    await operations.freeze(store, ANN)
    before = await store.policy()
    again = await operations.freeze(store, Word(by="bob", message="me too"))

    assert (again.is_change, await store.policy()) == (False, before)


async def test_who_decides_must_be_said(registry: PostgresRegistry) -> None:
    with pytest.raises(RequestError, match="who decides must be said"):
        await operations.freeze(registry.snapshots, replace(ANN, by=""))
    assert not (await registry.snapshots.policy()).is_frozen
