"""Two structures side by side: who is served which, and what is kept of the second."""

from dataclasses import replace

from tests.support.edge import GROUP, cell, edge_options, tenant, topology
from xds.names import NodeGroup, NodeId, Revision, TypeUrl
from xds.publish.lanes import lane_of, with_lanes
from xds.publish.rollout import Rollout, RolloutState
from xds.publish.waves import Waves
from xds.session import Node
from xds.snapshot import Content, dangling
from xds.translate import TenantOptions, translate

OPTIONS = edge_options()
HIDING = replace(OPTIONS, tenants=TenantOptions(hides_suspended=True))
RUNNING = Rollout(id=1, structure="", waves=Waves("node=canary"), soak_seconds=0).started(0.0, by="")
NEXT = NodeGroup(f"{GROUP}~next")


def content(*, hides: bool = False) -> Content:
    """What is served, in either structure."""
    return translate(topology(cell(), tenant()), HIDING if hides else OPTIONS).content


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


def test_a_structure_that_changes_nothing_keeps_nothing() -> None:
    assert with_lanes(content(), content()).tables[NEXT] == {}
