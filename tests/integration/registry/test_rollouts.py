"""Rollouts and the fleet in a real PostgreSQL: one word at a time stands, and who was silent is gone."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from tests.integration.registry.test_snapshots import content, record
from tests.support.deciding import ANN
from xds.errors import Conflict
from xds.names import NodeGroup, NodeId
from xds.operations.fleet import FleetNode, Replica
from xds.publish.policy import Policy
from xds.publish.rollout import Rollout, RolloutState
from xds.publish.waves import Waves
from xds.registry import PostgresRegistry

NOW = 1_800_000_000.123456
DRAFT = Rollout(id=0, structure='{"a": 1}', waves=Waves("node=canary-*, 10%"), soak_seconds=2.5)
RUNNING = DRAFT.started(NOW, by="replica-1", message="because")


def replica(name: str = "replica-1", **fields: object) -> Replica:
    """A replica as it describes itself."""
    made = Replica(name=name, version="1", started_at=NOW, seen_at=0.0, snapshot=7, publishes=False)
    return replace(made, **fields)  # type: ignore[arg-type]


def node(name: str, of: str = "replica-1", **fields: object) -> FleetNode:
    """A node that is settled."""
    made = FleetNode(
        replica=of,
        id=NodeId(name),
        group=NodeGroup("edge"),
        lane=NodeGroup("edge"),
        connected_at=NOW,
        is_settled=True,
    )
    return replace(made, **fields)  # type: ignore[arg-type]


async def proposed(registry: PostgresRegistry, rollout: Rollout = RUNNING) -> Rollout:
    """The rollout as it stands once it was proposed."""
    async with registry.snapshots.lead() as lead:
        await lead.propose(rollout)
    newest = await registry.rollouts.rollout()
    assert newest is not None
    return newest


async def connected(registry: PostgresRegistry) -> dict[tuple[str, str], bool]:
    """Whether each node is connected to each replica."""
    view = await registry.rollouts.view()
    return {(each.replica, each.id): each.gone_at is None for each in view.nodes}


# Rollouts


async def test_what_is_proposed_is_read_back_and_runs_if_its_structure_is_new(registry: PostgresRegistry) -> None:
    assert await registry.rollouts.rollout() is None

    assert await proposed(registry) == replace(RUNNING, id=1)
    assert await registry.snapshots.rollout() == await registry.rollouts.rollout()


async def test_a_structure_that_was_proposed_before_waits_for_an_operator(registry: PostgresRegistry) -> None:
    await proposed(registry)

    assert (await proposed(registry)).state is RolloutState.PENDING
    assert (await proposed(registry, replace(RUNNING, structure="{}"))).state is RolloutState.RUNNING
    assert [each.id for each in await registry.rollouts.rollouts(2)] == [3, 2]


async def test_a_structure_that_was_published_before_waits_for_an_operator(registry: PostgresRegistry) -> None:
    async with registry.snapshots.lead() as lead:
        await record(lead, 1, content("a"), structure=RUNNING.structure)

    assert (await proposed(registry)).state is RolloutState.PENDING


async def test_what_was_stopped_before_it_began_stays_so_even_if_its_structure_is_known(
    registry: PostgresRegistry,
) -> None:
    for _ in range(2):
        stopped = await proposed(registry, RUNNING.stopped("Envoy rejects it"))

        assert (stopped.state, stopped.reason) == (RolloutState.STOPPED, "Envoy rejects it")
        assert stopped.ended_at is not None


async def test_a_step_is_read_back_whole(registry: PostgresRegistry) -> None:
    was = await proposed(registry)
    now = replace(was, wave=1, wave_since=NOW + 1, settled_at=NOW + 2, nodes=frozenset(map(NodeId, ("b", "a"))))
    async with registry.snapshots.lead() as lead:
        await lead.advance_rollout(was, now, "replica-1")

    assert await registry.rollouts.rollout() == now


@pytest.mark.parametrize("ended", [RUNNING.stopped("no"), replace(RUNNING, state=RolloutState.DONE)])
async def test_its_end_has_a_time_until_it_is_started_again(registry: PostgresRegistry, ended: Rollout) -> None:
    was = await proposed(registry)
    await registry.rollouts.exchange_rollout(was, replace(ended, id=was.id), ANN)
    stands = await registry.rollouts.rollout()
    assert stands is not None
    assert (stands.state, stands.reason) == (ended.state, ended.reason)
    assert stands.ended_at is not None

    await registry.rollouts.exchange_rollout(stands, stands.started(NOW + 5, by="ann"), ANN)
    again = await registry.rollouts.rollout()
    assert again is not None
    assert (again.state, again.ended_at) == (RolloutState.RUNNING, None)


@pytest.mark.parametrize(
    "first",
    [
        RUNNING.stopped("by an operator"),
        replace(RUNNING, wave=1),
        # Aborted and started once more between two looks.
        RUNNING.planned(Waves("label.tier=canary"), 60.0).started(NOW + 0.000001, by="ann"),
    ],
)
async def test_a_publisher_does_not_undo_what_stands_there_since(registry: PostgresRegistry, first: Rollout) -> None:
    was = await proposed(registry)
    await registry.rollouts.exchange_rollout(was, replace(first, id=was.id), ANN)
    stands = await registry.rollouts.rollout()

    async with registry.snapshots.lead() as lead:
        with pytest.raises(Conflict, match="rollout 1: has just become another: look again"):
            await lead.advance_rollout(was, replace(was, settled_at=NOW), "replica-1")
    assert await registry.rollouts.rollout() == stands


async def test_watchers_are_woken_by_rollouts(registry: PostgresRegistry) -> None:
    woken = asyncio.Event()
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(registry.snapshots.watch(woken.set))
        await woken.wait()  # for the connection
        woken.clear()
        was = await proposed(registry)
        await woken.wait()
        woken.clear()
        await registry.rollouts.exchange_rollout(was, was.stopped("no"), ANN)
        await woken.wait()
        watching.cancel()


async def test_the_policy_is_the_one_that_operators_decided(registry: PostgresRegistry) -> None:
    frozen = Policy(is_frozen=True, by="ann", message="incident 7", at=NOW)
    await registry.snapshots.decide(await registry.rollouts.policy(), frozen)

    assert await registry.rollouts.policy() == frozen


# The fleet


async def test_what_replicas_report_is_seen_by_all(registry: PostgresRegistry) -> None:
    full = node(
        "edge-2",
        "replica-2",
        lane=NodeGroup("edge~next"),
        region="eu",
        zone="a",
        labels={"tier": "canary"},
        user_agent="envoy",
        variant="delta",
        peer="ipv4:127.0.0.1:1",
        is_settled=False,
        behind_since=NOW + 1,
        error="cds: no",
        types={"cds": {"sent": 2, "acked": 1, "nacked": 1, "version": "v"}},
    )
    await registry.rollouts.report(replica("replica-2", publishes=True), [full], ())
    await registry.rollouts.report(replica(), [node("edge-1")], ())

    view = await registry.rollouts.view()
    assert view.nodes == (node("edge-1"), full)
    assert [(each.name, each.snapshot, each.publishes) for each in view.replicas] == [
        ("replica-1", 7, False),
        ("replica-2", 7, True),
    ]
    assert await registry.snapshots.nodes() == view.nodes


async def test_only_what_is_new_is_said_and_the_rest_stays(registry: PostgresRegistry) -> None:
    await registry.rollouts.report(replica(), [node("a"), node("b"), node("c")], ())
    changed = node("b", is_settled=False, behind_since=NOW)
    await registry.rollouts.report(replica(snapshot=8), [changed], [NodeId("c")])

    view = await registry.rollouts.view()
    assert view.nodes[:2] == (node("a"), changed)
    assert view.replicas[0].snapshot == 8
    assert await connected(registry) == {("replica-1", "a"): True, ("replica-1", "b"): True, ("replica-1", "c"): False}

    await registry.rollouts.report(replica(), [node("c")], ())
    assert (await connected(registry))["replica-1", "c"]


async def test_a_replica_that_was_silent_is_gone_and_its_nodes_with_it(
    registry: PostgresRegistry, sql: asyncpg.Connection
) -> None:
    await registry.rollouts.report(replica(), [node("a")], ())
    await registry.rollouts.report(replica("replica-2"), [node("b", "replica-2")], ())
    silent = "UPDATE replicas SET seen_at = seen_at - interval '16 seconds' WHERE name = 'replica-1' RETURNING seen_at"
    seen_at = await sql.fetchval(silent)

    view = await registry.rollouts.view()
    assert [each.name for each in view.replicas] == ["replica-2"]
    assert {each.id: each.gone_at for each in view.nodes} == {"a": seen_at.timestamp(), "b": None}

    await registry.rollouts.report(replica(), [], ())
    assert all((await connected(registry)).values()), "it was only slow"


async def test_a_process_that_takes_the_name_of_another_has_none_of_its_nodes(registry: PostgresRegistry) -> None:
    await registry.rollouts.report(replica(), [node("a"), node("b")], ())
    await registry.rollouts.report(replica("replica-2"), [node("c", "replica-2")], ())

    await registry.rollouts.report(replica(started_at=NOW + 60), [node("b")], ())

    assert await connected(registry) == {
        ("replica-1", "a"): False,
        ("replica-1", "b"): True,
        ("replica-2", "c"): True,
    }


async def test_who_was_gone_for_an_hour_is_forgotten(registry: PostgresRegistry, sql: asyncpg.Connection) -> None:
    await registry.rollouts.report(replica(), [node("a"), node("b"), node("c")], ())
    await registry.rollouts.report(replica(), [], [NodeId("b"), NodeId("c")])
    await registry.rollouts.report(replica("replica-2"), [node("d", "replica-2")], ())
    await sql.execute("UPDATE fleet_nodes SET gone_at = gone_at - interval '61 minutes' WHERE node_id = 'b'")
    await sql.execute("UPDATE replicas SET seen_at = seen_at - interval '61 minutes' WHERE name = 'replica-2'")

    await registry.rollouts.forget("replica-1")

    assert await connected(registry) == {("replica-1", "a"): True, ("replica-1", "c"): False}
