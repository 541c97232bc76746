"""The control loop over a registry in memory: what is published, when, and what a failure changes."""

import asyncio
import time
from dataclasses import replace
from typing import Any, cast

from structlog.testing import capture_logs

from tests.support.edge import GROUP, SHARED, cell, endpoint, many_tenants, tenant
from tests.unit.publish.conftest import Start, turn
from tests.unit.publish.memory import MemoryRegistry
from xds.errors import RegistryUnavailable
from xds.model import Cell, CellState
from xds.names import ResourceName, TypeUrl
from xds.session import DeltaRequest, DeltaSession, Limits, Respond
from xds.snapshot import Frames, Snapshot

GONE = RegistryUnavailable("PostgreSQL at db:5432: connection refused")


class Impossible(str):
    """A state that cannot be: takes traffic, though Envoys are not told of its cluster."""

    __slots__ = ()
    is_pushed = False
    takes_tenants = True
    takes_traffic = True
    value = "impossible"


def inconsistent(cell_id: str = "cell-odd") -> Cell:
    """A cell whose routes name a cluster that is not pushed."""
    return replace(cell(cell_id), state=cast(CellState, Impossible("impossible")))


def scopes(snapshot: Snapshot) -> set[str]:
    """The tenants' scopes."""
    return {name for name in snapshot.table(TypeUrl.SCOPE) if not name.startswith("-")}


# Publishing


async def test_what_is_in_the_registry_at_the_start_is_published(publishing: Start) -> None:
    async with publishing(MemoryRegistry(cell(), tenant())) as running:
        snapshot = await running.published(1)

    assert (snapshot.revision, snapshot.group) == (2, GROUP)
    assert scopes(snapshot) == {"acme"}


async def test_a_change_is_the_next_snapshot_and_shares_what_did_not_change(publishing: Start) -> None:
    async with publishing(MemoryRegistry(cell(), tenant())) as running:
        first = await running.published(1)
        running.registry.commit(cell(endpoints=(endpoint("10.9.9.9:80"),)))
        second = await running.published(2)

        assert second.revision == 3
        assert {url for url in TypeUrl if first.table(url) is not second.table(url)} == {TypeUrl.ENDPOINT}
        assert (running.registry.loads, running.publisher.status.snapshot) == (1, 2)


async def test_a_thousand_moves_are_one_publish(publishing: Start) -> None:
    moved = many_tenants(1000, "cell-b")
    async with publishing(MemoryRegistry(cell(), cell("cell-b"), *many_tenants(1000))) as running:
        await running.published(1)
        await running.turns()
        before = running.metric("publish_changes_sum")
        for each in moved:
            running.registry.commit(each)
        second = await running.published(2)
        await running.turns()

        held = second.table(TypeUrl.SCOPE).get(ResourceName(moved[-1].id))
        assert held is not None
        assert [ref.name for ref in held.needs] == ["cell-b"]
        assert running.latest == 2
        assert running.metric("publish_changes_sum") - before == 1000


async def test_changes_within_an_interval_are_one_publish_at_its_end(publishing: Start) -> None:
    async with publishing(MemoryRegistry(cell()), interval=2) as running:
        await running.published(1)
        started = time.monotonic()
        for each in many_tenants(5):
            running.registry.commit(each)
            await asyncio.wait_for(asyncio.to_thread(int), 1)
        second = await running.published(2)

        assert len(scopes(second)) == 5
        assert 0.5 < time.monotonic() - started < 6, "the first publish itself may take a busy machine a second"


async def test_what_is_committed_while_the_registry_is_read_is_not_lost(publishing: Start) -> None:
    async with publishing(MemoryRegistry(cell(), tenant())) as running:
        await running.published(1)
        running.registry.gate.clear()
        running.registry.reached.clear()
        running.registry.commit(tenant("b"))
        await asyncio.wait_for(running.registry.reached.wait(), 5)
        running.registry.commit(tenant("c"))
        running.registry.gate.set()
        await running.turns()

        slot = running.feed.latest(GROUP)
        assert slot is not None
        assert scopes(slot.snapshot) == {"acme", "b", "c"}


async def test_a_registry_that_wakes_nobody_is_not_read(publishing: Start) -> None:
    async with publishing(MemoryRegistry(cell())) as running:
        await running.published(1)
        reads = running.registry.reads
        for _ in range(50):
            await turn()

        assert running.registry.reads == reads == 1


async def test_a_wake_up_for_nothing_publishes_nothing(publishing: Start) -> None:
    async with publishing(MemoryRegistry(cell(), tenant())) as running:
        await running.published(1)
        before = running.publisher.status
        await running.turns()

        assert running.latest == 1
        assert running.publisher.status == before
        assert running.metric("publishes_total") == 1


async def test_a_change_that_alters_no_resource_sends_nothing(publishing: Start) -> None:
    async with publishing(MemoryRegistry(cell(), tenant())) as running:
        first = await running.published(1)
        session = DeltaSession(first, Limits(), Frames())
        (sent,) = (
            each
            for each in session.receive(DeltaRequest(type_url=TypeUrl.ROUTE, subscribe=("*",)), 0.0)
            if isinstance(each, Respond)
        )
        session.receive(DeltaRequest(type_url=TypeUrl.ROUTE, nonce=sent.nonce), 0.0)

        running.registry.commit(replace(cell(), tier="gold", labels=(("owner", "me"),)))
        await running.turns()

        assert running.publisher.status.revision == 3
        assert await running.published(1) is first


# Failures


async def test_a_registry_that_is_down_at_the_start_is_told_and_waited_for(publishing: Start) -> None:
    registry = MemoryRegistry(cell(), tenant())
    registry.fault = GONE
    async with publishing(registry) as running:
        assert await running.failed() == str(GONE)
        assert (running.latest, running.publisher.status.published_at) == (0, None)
        assert running.publisher.cells == ()
        assert running.publisher.published is None

        registry.fault = None
        registry.wake()
        await running.published(1)
        assert running.publisher.published is not None
        assert set(running.publisher.published.topology.tenants) == {"acme"}
        assert running.publisher.status.error == ""


async def test_a_registry_lost_later_changes_nothing_but_the_error(publishing: Start) -> None:
    async with publishing(MemoryRegistry(cell(), tenant())) as running:
        await running.published(1)
        before = running.publisher.status
        running.registry.fault = GONE
        running.registry.commit(tenant("b"))

        assert await running.failed() == str(GONE)
        assert running.publisher.status == replace(before, error=str(GONE))
        assert running.latest == 1

        running.registry.fault = None
        running.registry.wake()
        assert scopes(await running.published(2)) == {"acme", "b"}
        assert running.publisher.status.error == ""


async def test_an_error_is_gone_once_the_registry_answers_that_nothing_changed(publishing: Start) -> None:
    async with publishing(MemoryRegistry(cell())) as running:
        await running.published(1)
        running.registry.fault = GONE
        await running.failed()
        running.registry.fault = None
        await running.turns()

        assert (running.publisher.status.error, running.latest) == ("", 1)


async def test_one_failure_is_one_line_however_often_it_comes(publishing: Start) -> None:
    with capture_logs() as lines:
        async with publishing(MemoryRegistry(cell())) as running:
            await running.published(1)
            running.registry.fault = GONE
            await running.turns(10)

    failures = [line for line in lines if line["event"] == "publish.failed"]
    assert [(line["error"], line["revision"], line["log_level"]) for line in failures] == [(str(GONE), 1, "error")]


async def test_a_pruned_change_log_is_a_reload_that_changes_only_what_differs(publishing: Start) -> None:
    async with publishing(MemoryRegistry(cell(), tenant(), tenant("b"))) as running:
        first = await running.published(1)
        running.registry.gate.clear()
        running.registry.commit(tenant("b", "cell-gone"), gone=(tenant(),))
        running.registry.commit(tenant("c"))
        running.registry.prune()
        running.registry.gate.set()
        second = await running.published(2)

        assert running.registry.loads == 2
        assert scopes(second) == {"b", "c"}
        assert second.table(TypeUrl.SCOPE).changed_since(first.table(TypeUrl.SCOPE)) == {"acme", "b", "c"}
        assert second.table(TypeUrl.ROUTE) is first.table(TypeUrl.ROUTE)


async def test_a_restored_registry_that_says_the_same_is_reloaded_once(publishing: Start) -> None:
    async with publishing(MemoryRegistry(cell(), cell("cell-b"), tenant())) as running:
        first = await running.published(1)
        running.registry.restore(1)
        await running.turns(6)

        assert running.registry.loads == 2
        assert running.publisher.status.revision == 1
        slot = running.feed.latest(GROUP)
        assert slot is not None
        assert all(slot.snapshot.table(url) is first.table(url) for url in TypeUrl)


async def test_a_snapshot_that_does_not_hold_together_is_never_published(publishing: Start) -> None:
    async with publishing(MemoryRegistry(cell(), tenant())) as running:
        await running.published(1)
        running.registry.commit(inconsistent(), tenant("b"))

        assert await running.failed() == (
            "revision 4: rds names 'cell-odd-api' of cds, which is not there (1 such); not published"
        )
        assert (running.latest, running.publisher.status.revision, running.metric("publishes_total")) == (1, 2, 1)


async def test_what_was_committed_beside_it_is_published_once_it_is_mended(publishing: Start) -> None:
    with capture_logs() as lines:
        async with publishing(MemoryRegistry(cell(), tenant())) as running:
            await running.published(1)
            running.registry.commit(inconsistent(), tenant("b"), tenant("two words"))
            await running.failed()
            running.registry.commit(cell("cell-odd"))
            second = await running.published(2)

            assert scopes(second) == {"acme", "b"}
            assert running.publisher.status.error == ""

    published = [line for line in lines if line["event"] == "snapshot.published"]
    # Cluster, assignment, route table, anchor and b's scope: all that is new to clients, though two turns made it.
    assert published[-1]["resources_changed"] == 5
    assert [line["id"] for line in lines if line["event"] == "translation.left_out"] == ["two words"]


async def test_one_that_cannot_hold_together_at_the_start_is_mended_too(publishing: Start) -> None:
    async with publishing(MemoryRegistry(inconsistent(), tenant())) as running:
        assert "not published" in await running.failed()
        assert running.feed.groups == ()

        running.registry.commit(cell("cell-odd"))
        assert scopes(await running.published(1)) == {"acme"}


# Status


async def test_the_status_says_what_is_published(publishing: Start) -> None:
    rows = (cell(), cell("cell-b", state=CellState.DRAINING), cell("Wrong"), tenant(), tenant("two words"))
    async with publishing(MemoryRegistry(*rows)) as running:
        await running.published(1)
        await running.turns()
        status = running.publisher.status

        assert (status.revision, status.snapshot, status.tenants, status.error) == (5, 1, 2, "")
        assert abs(time.time() - (status.published_at or 0)) < 60
        assert {state: count for state, count in status.cells.items() if count} == {"active": 2, "draining": 1}
        assert status.resources == {"cds": 2, "eds": 2, "lds": 1, "ecds": 1, "rds": 5, "srds": 7}
        assert [problem.partition(":")[0] for problem in status.problems] == ["cell Wrong", "tenant two words"]
        assert running.publisher.cells == (
            ("Wrong", CellState.ACTIVE),
            ("cell-b", CellState.DRAINING),
            (SHARED, CellState.ACTIVE),
        )


async def test_the_metrics_say_the_same(publishing: Start) -> None:
    async with publishing(MemoryRegistry(cell(), cell("cell-b"), tenant(), tenant("two words"))) as running:
        await running.published(1)
        running.registry.commit(cell(state=CellState.RETIRED))
        await running.published(2)
        await running.turns()

        told = {name: running.metric(name) for name in ("snapshot", "registry_revision", "tenants", "problems")}
        assert told == {"snapshot": 2, "registry_revision": 5, "tenants": 2, "problems": 1}
        assert running.metric("publishes_total") == 2
        assert (running.metric("cells", state="active"), running.metric("cells", state="retired")) == (1, 1)
        assert (running.metric("resources", type="cds"), running.metric("resources", type="srds")) == (1, 7)
        # 7 scopes, 5 tables, 2 clusters and assignments, listener, keys; then a table changes and two are gone.
        assert running.metric("publish_changes_sum") == 18 + 3


async def test_what_is_left_out_is_logged_when_that_changes(publishing: Start) -> None:
    with capture_logs() as lines:
        async with publishing(MemoryRegistry(cell(), tenant("two words"))) as running:
            await running.published(1)
            running.registry.commit(tenant())
            await running.published(2)
            running.registry.commit(tenant("3 words"))
            await running.turns()

    left_out = [cast(Any, line)["id"] for line in lines if line["event"] == "translation.left_out"]
    assert left_out == ["two words", "3 words", "two words"]
