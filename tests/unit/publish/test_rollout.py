"""When a rollout goes on, waits, stops and ends: told of the fleet and the time, and of nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.names import NodeGroup, NodeId
from xds.publish.fleetview import FleetNode
from xds.publish.rollout import LOST_SECONDS, RECENT_SECONDS, Rollout, RolloutState, judge
from xds.publish.waves import Waves

NOW = 1_000.0
SOAK = 10.0
ROLLOUT = Rollout(id=1, structure="{}", waves=Waves("node=canary-*,zone=a"), soak_seconds=SOAK).started(NOW, by="ann")


def node(
    name: str, *, new: bool = False, settled: bool = True, error: str = "", zone: str = "", gone: bool = False
) -> FleetNode:
    """A node of the fleet."""
    return FleetNode(
        replica="r",
        id=NodeId(name),
        group=NodeGroup("edge"),
        lane=NodeGroup("edge~next" if new else "edge"),
        zone=zone,
        connected_at=0.0,
        gone_at=NOW if gone else None,
        is_settled=settled,
        error=error,
    )


def after(rollout: Rollout, *nodes: FleetNode, at: float = NOW, away: dict[NodeId, float] | None = None) -> Rollout:
    """The rollout after a look."""
    return judge(rollout, nodes, {} if away is None else away, at)


@pytest.mark.parametrize("state", [RolloutState.PENDING, RolloutState.DONE, RolloutState.STOPPED])
def test_only_one_that_runs_is_judged(state: RolloutState) -> None:
    rollout = replace(ROLLOUT, state=state)

    assert after(rollout, node("canary-1", new=True, error="no")) is rollout


@pytest.mark.parametrize("canary", [node("canary-1"), node("canary-1", new=True, settled=False)])
def test_a_wave_waits_until_its_nodes_have_the_new_structure_and_hold_it(canary: FleetNode) -> None:
    seen = after(ROLLOUT, canary, node("b"))

    assert (seen.state, seen.wave, seen.settled_at) == (RolloutState.RUNNING, 0, None)


def test_a_wave_that_holds_soaks_and_then_the_next_one_begins() -> None:
    canary, other = node("canary-1", new=True), node("b", zone="a")
    settled = after(ROLLOUT, canary, other)
    assert (settled.wave, settled.settled_at, settled.nodes) == (0, NOW, frozenset({NodeId("canary-1")}))

    assert after(settled, canary, other, at=NOW + SOAK - 0.1) is settled
    going_on = after(settled, canary, other, at=NOW + SOAK)
    assert (going_on.wave, going_on.wave_since, going_on.settled_at) == (1, NOW + SOAK, None)


def test_a_wave_that_wavers_soaks_anew() -> None:
    settled = after(ROLLOUT, node("canary-1", new=True))
    wavering = after(settled, node("canary-1", new=True, settled=False), at=NOW + 5)

    assert wavering.settled_at is None
    assert after(wavering, node("canary-1", new=True), at=NOW + 6).settled_at == NOW + 6


def test_a_wave_that_nobody_is_in_is_passed_at_once() -> None:
    assert after(ROLLOUT, node("b", zone="a")).wave == 1


def test_a_wave_waits_for_a_node_that_left_lately_but_not_for_ever() -> None:
    left = node("canary-1", gone=True)

    assert after(ROLLOUT, left, node("b"), at=NOW + RECENT_SECONDS - 1).wave == 0
    assert after(ROLLOUT, left, node("b"), at=NOW + RECENT_SECONDS).wave == 1
    assert after(ROLLOUT, left, node("canary-1", new=True), at=NOW + 1).settled_at == NOW + 1, "back on another replica"


def test_the_last_wave_ends_it() -> None:
    last = replace(ROLLOUT, wave=2, settled_at=NOW, nodes=frozenset({NodeId("b")}))

    assert after(last, node("b", new=True), at=NOW + SOAK).state is RolloutState.DONE


def test_a_rejection_stops_it_in_the_nodes_own_words() -> None:
    stopped = after(ROLLOUT, node("canary-1", new=True, error="lds: no such file"))

    assert (stopped.state, stopped.reason) == (
        RolloutState.STOPPED,
        "node canary-1 rejected it: lds: no such file",
    )


def test_a_rejection_of_what_a_node_had_anyway_is_none_of_its_business() -> None:
    assert after(ROLLOUT, node("b", error="old trouble"), node("canary-1")).state is RolloutState.RUNNING


def test_a_node_that_was_given_it_and_is_gone_stops_it_unless_it_comes_back_in_time() -> None:
    away: dict[NodeId, float] = {}
    given = after(ROLLOUT, node("canary-1", new=True, settled=False), away=away)
    waiting = after(given, node("canary-1", new=True, gone=True), at=NOW + 1, away=away)
    assert waiting.state is RolloutState.RUNNING

    back = after(waiting, node("canary-1", new=True), at=NOW + LOST_SECONDS, away=away)
    assert (back.state, away) == (RolloutState.RUNNING, {})
    after(waiting, at=NOW + 30, away=away)
    lost = after(waiting, at=NOW + 31 + LOST_SECONDS, away=away)
    assert lost.reason == "node canary-1 was given it and is gone for more than 20 s"


def test_nobody_goes_on_while_a_node_is_missed() -> None:
    away: dict[NodeId, float] = {}
    both = [node("canary-1", new=True), node("canary-2", new=True)]
    settled = after(ROLLOUT, *both, away=away)

    assert after(settled, both[0], at=NOW + SOAK, away=away).wave == 0


FLEET = {"canary-1": "", "canary-2": "", "b": "a", "c": "a", "d": "", "e": ""}
"""Nodes and their zones: two in each wave."""

CHANGES = st.tuples(
    st.sampled_from(sorted(FLEET)),
    st.sampled_from(["settled", "settled", "settled", "behind", "rejects", "leaves"]),
    st.floats(min_value=0, max_value=90),
)


@given(st.lists(CHANGES, max_size=60))
def test_whatever_happens_no_wave_begins_before_all_of_the_earlier_ones_hold_it(
    changes: list[tuple[str, str, float]],
) -> None:
    rollout, now, away, seen = ROLLOUT, NOW, dict[NodeId, float](), dict[str, FleetNode]()
    for name, does, passed in changes:
        now += passed
        wave = rollout.waves.wave_of(node(name, zone=FLEET[name]))
        had = seen.get(name)
        is_new = wave <= rollout.wave and (had is None or had.has_new or does == "settled")
        seen[name] = replace(
            node(
                name, new=is_new, settled=does == "settled", error="no" if does == "rejects" else "", zone=FLEET[name]
            ),
            gone_at=now if does == "leaves" else None,
        )
        after_ = judge(rollout, seen.values(), away, now)
        earlier = [
            each
            for each in seen.values()
            if each.gone_at is None and after_.waves.wave_of(each) < after_.wave and rollout.wave != after_.wave
        ]
        assert all(each.has_new and each.is_settled and not each.error for each in earlier)
        assert after_.wave - rollout.wave in (0, 1)
        if after_.wave != rollout.wave and any(rollout.waves.wave_of(each) == rollout.wave for each in earlier):
            assert rollout.settled_at is not None
            assert now - rollout.settled_at >= SOAK
        has_rejected = any(each.error and each.has_new and each.gone_at is None for each in seen.values())
        assert after_.state is RolloutState.STOPPED or not has_rejected
        rollout = after_
        if rollout.state is not RolloutState.RUNNING:
            return
