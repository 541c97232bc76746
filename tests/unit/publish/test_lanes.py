"""Two structures side by side: who is served which, and what is kept of the second."""

from dataclasses import replace

import pytest

from tests.support.edge import GROUP, cell, edge_options, tenant, topology
from xds.names import NodeGroup, NodeId, Revision, TypeUrl
from xds.publish.lanes import has_lanes, is_rollouts, lane_of, with_lanes, without_lanes
from xds.publish.rollout import Rollout, RolloutState
from xds.publish.waves import Waves
from xds.session import Node
from xds.snapshot import Content, dangling
from xds.translate import EdgeOptions, TenantOptions, translate

OPTIONS = edge_options()
HIDING = replace(OPTIONS, tenants=TenantOptions(hides_suspended=True))
RUNNING = Rollout(id=1, structure="", waves=Waves("node=canary"), soak_seconds=0).started(0.0, by="")
NEXT = NodeGroup(f"{GROUP}~next")


def made(options: EdgeOptions) -> Content:
    """What these options make of the registry."""
    return translate(topology(cell(), tenant()), options).content


def content(*, hides: bool = False) -> Content:
    """What is served, in either structure."""
    return made(HIDING if hides else OPTIONS)


def node(name: str) -> Node:
    """A node of the group."""
    return Node(id=NodeId(name), group=GROUP)


def test_only_the_nodes_of_the_waves_that_have_begun_are_served_the_new_one() -> None:
    assert [lane_of(node(name), RUNNING) for name in ("canary", "b")] == [NEXT, GROUP]
    assert lane_of(node("b"), replace(RUNNING, wave=1)) == NEXT


def test_nobody_is_unless_it_runs() -> None:
    for state in (RolloutState.PENDING, RolloutState.STOPPED):
        assert lane_of(node("canary"), replace(RUNNING, state=state)) == GROUP
    assert lane_of(node("canary"), None) == GROUP


def test_nobody_is_taken_back_when_it_is_done_and_the_new_structure_is_not_yet_everyones() -> None:
    done = replace(RUNNING, state=RolloutState.DONE, wave=1)

    assert [lane_of(node(name), done) for name in ("canary", "b")] == [NEXT, NEXT]


def test_only_what_differs_is_kept_and_each_is_served_its_own_whole() -> None:
    stable, new = content(), content(hides=True)
    both = with_lanes(stable, new)

    assert set(both.tables[NEXT]) == {TypeUrl.LISTENER, TypeUrl.ROUTE}
    snapshots = both.snapshots(1, Revision(1))
    for group, alone in ((GROUP, stable), (NEXT, new)):
        expected = alone.snapshots(1, Revision(1))[GROUP]
        assert {url: snapshots[group].table(url).version_info for url in TypeUrl} == {
            url: expected.table(url).version_info for url in TypeUrl
        }
        assert dangling(snapshots[group]) == ()


def test_a_structure_that_changes_nothing_has_a_lane_all_the_same() -> None:
    stable = content()
    both = with_lanes(stable, stable)

    assert both.changed_since(stable).upserts, "else nothing would be published, and no node be given it"
    assert both.snapshots(1, Revision(1))[NEXT].tables == both.snapshots(1, Revision(1))[GROUP].tables


def test_a_content_without_its_lanes_is_what_it_was() -> None:
    stable = content()
    both = with_lanes(stable, content(hides=True))

    assert (has_lanes(stable), has_lanes(both)) == (False, True)
    assert without_lanes(both).tables == stable.tables
    assert without_lanes(stable) is stable


MOVED = translate(topology(cell(), cell("cell-b"), tenant("acme", "cell-b")), OPTIONS).content
"""Other data."""

TWO = replace(OPTIONS, listeners={**OPTIONS.listeners, NodeGroup("other"): ("127.0.0.1", 10001)})


@pytest.mark.parametrize(
    ("current", "wanted", "expected"),
    [
        (content(), content(), True),
        (content(), with_lanes(content(), content(hides=True)), True),
        (with_lanes(content(), content(hides=True)), content(), True),
        (with_lanes(content(), content(hides=True)), content(hides=True), True),
        (with_lanes(content(), made(TWO)), made(TWO), True),
        (content(), content(hides=True), False),
        (content(), MOVED, False),
        (content(), with_lanes(MOVED, content(hides=True)), False),
        (with_lanes(content(), content(hides=True)), MOVED, False),
        (with_lanes(content(), content(hides=True)), made(replace(OPTIONS, client=("client", 80))), False),
        (with_lanes(content(), content(hides=True)), with_lanes(content(hides=True), content()), False),
        (with_lanes(content(), content(hides=True)), made(replace(OPTIONS, listeners={})), False),
    ],
)
def test_what_a_rollout_changes_by_itself_is_told_from_all_else(
    current: Content, wanted: Content, expected: bool
) -> None:
    assert is_rollouts(wanted, current) is expected
