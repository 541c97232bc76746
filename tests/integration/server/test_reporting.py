"""What a replica tells of its nodes: real streams on one side, what is written on the other."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import pytest

from tests.integration.server.ads import VARIANTS, Client, ControlPlane, Variant, client, until
from tests.support.edge import GROUP, cell, tenant
from xds.errors import RegistryUnavailable
from xds.names import NodeId, TypeUrl
from xds.operations.fleet import FleetNode, FleetView, Replica
from xds.server import reporting
from xds.server.fleet import StreamRecord
from xds.server.reporting import Reporter
from xds.session import Node


@dataclass
class Told:
    """Everything that was told, report by report. Fulfils `xds.operations.fleet.FleetStore`."""

    reports: list[tuple[Sequence[FleetNode], Collection[NodeId]]] = field(default_factory=list)
    is_down: bool = False

    async def report(self, replica: Replica, nodes: Sequence[FleetNode], gone: Collection[NodeId]) -> None:
        """Keep it."""
        assert all(node.replica == replica.name for node in nodes)
        if self.is_down:
            raise RegistryUnavailable("down")
        self.reports.append((tuple(nodes), set(gone)))

    async def view(self) -> FleetView:
        """Nobody asks."""
        raise NotImplementedError

    def take(self) -> list[tuple[Sequence[FleetNode], Collection[NodeId]]]:
        """What was told since the last time."""
        taken, self.reports = self.reports, []
        return taken


@dataclass
class Reported:
    """A reporter of a served control plane, and what it told."""

    reporter: Reporter
    told: Told

    async def news(self) -> FleetNode:
        """Look once; the one node of which something is told."""
        await self.reporter.report()
        ((nodes, gone),) = self.told.take()
        (node,) = nodes
        assert not gone
        return node

    async def is_silent(self) -> bool:
        """Look once; whether nothing is told."""
        await self.reporter.report()
        return not self.told.take()


@pytest.fixture
def reported(plane: ControlPlane) -> Reported:
    """A reporter that has said that it is alive."""
    told = Told()
    life = Replica(name="replica-1", version="1", started_at=1.0, seen_at=0.0, snapshot=1, publishes=True)
    return Reported(Reporter(plane.fleet, told, lambda: life), told)


def set_clock(monkeypatch: pytest.MonkeyPatch, now: float) -> None:
    """Have the reporter, and nobody else, find this monotonic time."""
    monkeypatch.setattr(reporting, "time", SimpleNamespace(monotonic=lambda: now, time=time.time))


@asynccontextmanager
async def settled(plane: ControlPlane, variant: Variant, node_id: str = "edge-1") -> AsyncIterator[Client]:
    """A client that holds its clusters."""
    async with client(plane, variant, node_id=node_id) as envoy:
        await envoy.open()
        await envoy.ack(await envoy.read())
        await acked(plane, node_id, 1)
        yield envoy


async def acked(plane: ControlPlane, node_id: str, count: int) -> None:
    """Wait until a node's answer is on record."""
    await until(
        lambda: any(
            each.acked + each.nacked >= count
            for node in plane.fleet.nodes()
            if node.node_id == node_id
            for each in node.types
        ),
        f"{node_id} has answered",
    )


@pytest.mark.parametrize("variant", VARIANTS)
async def test_a_node_is_told_once_and_again_when_it_is_behind_and_when_it_no_longer_is(
    plane: ControlPlane, reported: Reported, variant: Variant
) -> None:
    async with settled(plane, variant) as envoy:
        first = await reported.news()
        assert (first.id, first.group, first.lane, first.variant) == ("edge-1", GROUP, GROUP, variant)
        assert (first.is_settled, first.behind_since, first.error, first.gone_at) == (True, None, "", None)
        assert first.peer.startswith("ipv4:127.0.0.1:")
        assert (first.types["cds"]["sent"], first.types["cds"]["acked"]) == (1, 1)
        assert await reported.is_silent()

        await plane.publish(cell(), cell("cell-b"), tenant())
        pushed = await envoy.read()
        behind = await reported.news()
        assert (behind.is_settled, behind.behind_since is not None) == (False, True)
        assert await reported.is_silent(), "it is behind since then, whatever the time is"

        await envoy.ack(pushed)
        await acked(plane, "edge-1", 2)
        again = await reported.news()
        assert again == replace(first, types=again.types)
        assert (again.types["cds"]["sent"], again.types["cds"]["acked"]) == (2, 2)


async def test_a_rejection_is_told_in_the_nodes_own_words(plane: ControlPlane, reported: Reported) -> None:
    async with client(plane, "delta") as envoy:
        await envoy.open()
        await envoy.nack(await envoy.read(), "bad cluster")
        await acked(plane, "edge-1", 1)

        refused = await reported.news()
        assert (refused.is_settled, refused.error) == (False, "cds: bad cluster")
        assert refused.types["cds"]["nacked"] == 1


async def test_a_node_that_left_is_told_as_gone_once(plane: ControlPlane, reported: Reported) -> None:
    async with settled(plane, "delta", "edge-2"):
        async with settled(plane, "delta"):
            await reported.reporter.report()
            reported.told.take()
        await until(lambda: len(plane.fleet.nodes()) == 1, "it is gone")

        await reported.reporter.report()
        assert reported.told.take() == [((), {"edge-1"})]
        assert await reported.is_silent()


async def test_a_node_with_two_streams_is_one_and_behind_if_either_is(plane: ControlPlane, reported: Reported) -> None:
    async with settled(plane, "delta"), client(plane, "delta") as second:
        await second.open(TypeUrl.LISTENER)
        response = await second.read()
        assert not (await reported.news()).is_settled

        await second.nack(response, "bad listener")
        await until(lambda: any(t.nacked for n in plane.fleet.nodes() for t in n.types), "it is rejected")
        both = await reported.news()
        assert (both.error, set(both.types)) == ("lds: bad listener", {"cds", "lds"})
        assert both.types["lds"]["error"] == "bad listener"
        assert reported.reporter.seen().nodes == (both,)


async def test_a_replica_with_nothing_to_say_says_that_it_is_alive(
    reported: Reported, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_clock(monkeypatch, 1_000.0)
    await reported.reporter.report()
    assert reported.told.take() == [((), set())]

    set_clock(monkeypatch, 999.9 + reporting.HEARTBEAT_SECONDS)
    assert await reported.is_silent()
    set_clock(monkeypatch, 1_000.0 + reporting.HEARTBEAT_SECONDS)
    await reported.reporter.report()
    assert reported.told.take() == [((), set())]


async def test_what_could_not_be_told_is_told_later(plane: ControlPlane, reported: Reported) -> None:
    async with settled(plane, "delta"):
        reported.told.is_down = True
        with pytest.raises(RegistryUnavailable):
            await reported.reporter.report()
        reported.told.is_down = False
        assert (await reported.news()).id == "edge-1"


async def test_every_node_is_told_again_when_the_replica_may_have_been_forgotten(
    plane: ControlPlane, reported: Reported, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with settled(plane, "delta"):
        await reported.news()
        assert await reported.is_silent()

        set_clock(monkeypatch, time.monotonic() + reporting.TELL_AGAIN_SECONDS)
        assert (await reported.news()).id == "edge-1"


async def test_a_large_fleet_is_looked_at_while_others_have_their_turn(plane: ControlPlane, reported: Reported) -> None:
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    with ExitStack() as members:
        for number in range(1000):
            node = Node(id=NodeId(f"edge-{number}"), group=GROUP)
            members.enter_context(plane.fleet.member(StreamRecord(node, "delta", "peer", GROUP)))
        other = asyncio.get_running_loop().create_task(take_turns())
        await reported.reporter.report()
        other.cancel()

    ((nodes, gone),) = reported.told.take()
    assert (len(nodes), gone) == (1000, set())
    assert turns >= 20
