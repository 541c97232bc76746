import asyncio
from contextlib import ExitStack

import pytest

from tests.support.edge import GROUP, cell, edge_options, topology
from tests.unit.publish.conftest import turn
from xds.names import NodeGroup, NodeId
from xds.publish import Feed
from xds.publish.rollout import Rollout
from xds.publish.waves import Waves
from xds.session import Node
from xds.snapshot import Snapshot
from xds.translate import translate

OTHER = NodeGroup("canary")
TRANSLATION = translate(topology(cell()), edge_options(listeners={GROUP: ("::1", 1), OTHER: ("::1", 2)}))


def snapshots(number: int = 1) -> dict[NodeGroup, Snapshot]:
    return TRANSLATION.snapshots(number)


def test_before_the_first_publish_there_is_nothing() -> None:
    feed = Feed()

    assert (feed.latest(GROUP), feed.groups, feed.published.is_set()) == (None, (), False)


async def test_a_publish_is_there_for_every_group() -> None:
    feed = Feed()
    await feed.publish(snapshots())

    slot = feed.latest(OTHER)
    assert slot is not None
    assert (slot.snapshot.group, slot.snapshot.number) == (OTHER, 1)
    assert set(feed.groups) == {GROUP, OTHER}
    assert feed.published.is_set()
    assert feed.latest(NodeGroup("no such")) is None


async def test_the_newest_takes_the_place_of_all_before() -> None:
    feed = Feed()
    for number in (1, 2, 3):
        await feed.publish(snapshots(number))

    slot = feed.latest(GROUP)
    assert slot is not None
    assert slot.snapshot.number == 3
    assert slot.published_at <= asyncio.get_running_loop().time()


async def test_a_subscriber_is_woken_by_each_publish_and_not_after_its_context() -> None:
    feed, woken = Feed(), list[int]()
    with feed.subscription(GROUP, lambda: woken.append(1)):
        await feed.publish(snapshots())
        await feed.publish(snapshots())
    await feed.publish(snapshots())

    assert woken == [1, 1]


async def test_a_subscriber_finds_the_new_snapshot_when_it_is_woken() -> None:
    feed, found = Feed(), list[int]()

    def look() -> None:
        slot = feed.latest(GROUP)
        assert slot is not None
        found.append(slot.snapshot.number)

    with feed.subscription(GROUP, look):
        await feed.publish(snapshots(7))
    assert found == [7]


async def test_one_wake_may_be_subscribed_twice() -> None:
    feed, woken = Feed(), list[int]()

    def wake() -> None:
        woken.append(1)

    with feed.subscription(GROUP, wake):
        with feed.subscription(GROUP, wake):
            await feed.publish(snapshots())
        await feed.publish(snapshots())
    assert woken == [1, 1, 1]


async def test_a_subscription_ends_with_a_failure_too() -> None:
    feed, woken = Feed(), list[int]()
    with pytest.raises(RuntimeError, match="on purpose"), feed.subscription(GROUP, lambda: woken.append(1)):
        raise RuntimeError("on purpose")
    await feed.publish(snapshots())
    assert woken == []


async def test_thousands_of_wakes_leave_turns_to_others() -> None:
    feed, woken, turns = Feed(), list[int](), list[int]()

    async def bystander() -> None:
        while len(woken) < 1000:
            turns.append(len(woken))
            await turn()

    with ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(feed.subscription(GROUP, lambda: woken.append(1)))
        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            tasks.create_task(bystander())
            await feed.publish(snapshots())

    assert len(woken) == 1000
    assert len(turns) >= 10


async def test_who_comes_and_goes_during_a_publish_misses_nothing_and_harms_nothing() -> None:
    feed, woken = Feed(), list[str]()
    with ExitStack() as staying, ExitStack() as leaving:
        for stack, count in ((staying, 100), (leaving, 100)):
            for _ in range(count):
                stack.enter_context(feed.subscription(GROUP, lambda: woken.append("early")))

        async def come_and_go() -> None:
            staying.enter_context(feed.subscription(GROUP, lambda: woken.append("late")))
            leaving.close()

        async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
            tasks.create_task(come_and_go())
            await feed.publish(snapshots(2))

    # The latecomer is not woken: it found the newest when it came.
    assert set(woken) == {"early"}
    slot = feed.latest(GROUP)
    assert slot is not None
    assert slot.snapshot.number == 2


# Two structures side by side


NEXT = NodeGroup(f"{GROUP}~next")
CANARY, OTHERS = Node(id=NodeId("canary"), group=GROUP), Node(id=NodeId("b"), group=GROUP)
RUNNING = Rollout(id=1, structure="", waves=Waves("node=canary"), soak_seconds=0).started(0.0, by="")


async def test_a_node_is_served_the_structure_that_the_rollout_gives_it_and_goes_back_when_it_is_stopped() -> None:
    feed = Feed()
    both = snapshots()
    await feed.publish({**both, NEXT: both[OTHER]})
    stable, new = feed.latest(GROUP), both[OTHER]
    assert (feed.slot(CANARY), feed.latest(NEXT), NEXT in feed.groups) == (stable, None, False)

    await feed.steer(RUNNING)
    given = feed.slot(CANARY)
    assert given is not None
    assert given.snapshot is new
    assert feed.slot(OTHERS) is stable

    await feed.steer(RUNNING.stopped("no"))
    assert feed.slot(CANARY) is stable


async def test_without_a_second_structure_a_node_keeps_its_groups_and_a_strange_group_has_none() -> None:
    feed = Feed()
    await feed.publish(snapshots())
    await feed.steer(RUNNING)

    assert feed.slot(CANARY) is feed.latest(GROUP)
    assert feed.slot(Node(id=NodeId("canary"), group=NEXT)) is None


async def test_subscribers_are_woken_when_the_rollout_changes_and_only_then() -> None:
    feed, woken = Feed(), list[int]()
    await feed.publish(snapshots())
    with feed.subscription(GROUP, lambda: woken.append(1)):
        for rollout in (None, RUNNING, RUNNING, RUNNING.stopped("no")):
            await feed.steer(rollout)

    assert woken == [1, 1]
