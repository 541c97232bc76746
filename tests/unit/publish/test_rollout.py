"""When a rollout goes on, waits, stops and ends: told of the fleet and the time, and of nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.names import NodeGroup, NodeId
from xds.publish.fleetview import FleetNode
from xds.publish.rollout import (
    BRIEF_SECONDS,
    LOST_SECONDS,
    RECENT_SECONDS,
    RETURNS,
    RETURNS_SECONDS,
    Rollout,
    RolloutState,
    Watched,
    judge,
)
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


def after(
    rollout: Rollout,
    *nodes: FleetNode,
    at: float = NOW,
    watched: Watched | None = None,
    limit: float = 0.0,
    unchecked: str = "",
) -> Rollout:
    """The rollout after a look."""
    return judge(rollout, nodes, watched or Watched(), at, limit=limit, unchecked=unchecked)


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
    watched = Watched()
    given = after(ROLLOUT, node("canary-1", new=True, settled=False), watched=watched)
    waiting = after(given, node("canary-1", new=True, gone=True), at=NOW + 1, watched=watched)
    assert waiting.state is RolloutState.RUNNING

    back = after(waiting, node("canary-1", new=True), at=NOW + LOST_SECONDS, watched=watched)
    assert (back.state, watched.away) == (RolloutState.RUNNING, {})
    after(waiting, at=NOW + 30, watched=watched)
    lost = after(waiting, at=NOW + 31 + LOST_SECONDS, watched=watched)
    assert lost.reason == "node canary-1 was given it and is gone for more than 20 s"


def test_nobody_goes_on_while_a_node_is_missed() -> None:
    watched = Watched()
    both = [node("canary-1", new=True), node("canary-2", new=True)]
    settled = after(ROLLOUT, *both, watched=watched)

    assert after(settled, both[0], at=NOW + SOAK, watched=watched).wave == 0


def test_what_is_behind_for_a_moment_while_it_soaks_does_not_soak_anew() -> None:
    settled = after(ROLLOUT, node("canary-1", new=True))
    behind = replace(node("canary-1", new=True, settled=False), behind_since=NOW + 3)

    assert after(settled, behind, at=NOW + 3 + BRIEF_SECONDS - 0.1) is settled
    assert after(settled, behind, at=NOW + 3 + BRIEF_SECONDS).settled_at is None
    assert after(ROLLOUT, behind, at=NOW + 4).settled_at is None, "it has not settled at all yet"


# Nodes that crash


def back(times: int, *, at: str = "r") -> FleetNode:
    """The canary after so many returns, now connected to that replica."""
    return replace(node("canary-1", new=True), connected_at=NOW + times, replica=at)


def test_a_node_that_keeps_coming_back_to_the_same_replica_stops_it() -> None:
    watched = Watched()
    rollout = after(ROLLOUT, back(0), watched=watched)
    for times in range(1, RETURNS + 1):
        rollout = after(rollout, back(times), at=NOW + times, watched=watched)
        assert after(rollout, back(times), at=NOW + times, watched=watched).state is RolloutState.RUNNING
    stopped = after(rollout, back(RETURNS + 1), at=NOW + RETURNS + 1, watched=watched)

    assert stopped.reason == f"node canary-1 was given it and came back {RETURNS + 1} times: does it crash?"
    assert stopped.state is RolloutState.STOPPED


def test_a_node_that_comes_back_now_and_then_does_not() -> None:
    watched, rollout = Watched(), ROLLOUT
    for times in range(3 * RETURNS):
        rollout = after(
            rollout, back(times), at=NOW + times * RETURNS_SECONDS / RETURNS, watched=watched, unchecked="wait"
        )

    assert rollout.state is RolloutState.RUNNING


def test_a_node_that_goes_from_replica_to_replica_does_not() -> None:
    watched, rollout = Watched(), ROLLOUT
    for times in range(4 * RETURNS):
        rollout = after(rollout, back(times, at=f"r{times % 2}"), at=NOW + times, watched=watched, unchecked="wait")

    assert rollout.state is RolloutState.RUNNING


def test_one_that_was_not_given_it_is_none_of_its_business() -> None:
    watched, rollout = Watched(), ROLLOUT
    for times in range(4 * RETURNS):
        other = replace(node("d"), connected_at=NOW + times)
        rollout = after(rollout, node("canary-1", new=True, settled=False), other, at=NOW + times, watched=watched)

    assert rollout.state is RolloutState.RUNNING


# A wave's time

LIMIT = 100.0


def test_a_wave_that_does_not_settle_in_time_stops_it_and_says_for_whom_it_waited() -> None:
    watched = Watched()
    late = [node(f"canary-{number}", new=True, settled=False) for number in range(7)]
    waiting = after(ROLLOUT, *late, node("canary-9", new=True), limit=LIMIT, watched=watched)
    assert after(waiting, *late, at=NOW + LIMIT - 1, limit=LIMIT, watched=watched) is waiting

    stopped = after(waiting, *late[:2], at=NOW + LIMIT, limit=LIMIT, watched=watched)
    some = "canary-0, canary-1, canary-2, canary-3, canary-4 and 3 more"
    assert stopped.reason == f"wave node=canary-* is not settled after 100 s: it waits for {some}"


def test_without_a_limit_it_may_take_any_time() -> None:
    late = node("canary-1", new=True, settled=False)
    watched, waiting = Watched(), after(ROLLOUT, late)

    assert after(waiting, late, watched=watched) is waiting
    assert after(waiting, late, at=NOW + 100 * LIMIT, watched=watched) is waiting


def test_one_that_was_settled_has_its_soak_besides() -> None:
    watched, canary = Watched(), node("canary-1", new=True)
    settled = after(ROLLOUT, canary, limit=LIMIT, watched=watched)
    wavering = replace(canary, is_settled=False)
    wavered = after(settled, wavering, at=NOW + LIMIT, limit=LIMIT, watched=watched)
    assert (wavered.state, wavered.settled_at) == (RolloutState.RUNNING, None)

    stopped = after(wavered, canary, at=NOW + LIMIT + SOAK, limit=LIMIT, watched=watched)
    assert stopped.reason == (
        "wave node=canary-* is not done after 110 s: its nodes did not hold it for long enough on end"
    )


def test_a_wave_is_not_done_before_it_was_checked_and_has_no_more_time_for_it() -> None:
    watched, canary = Watched(), node("canary-1", new=True)
    settled = after(ROLLOUT, canary, limit=LIMIT, watched=watched)

    waits = after(settled, canary, at=NOW + SOAK, limit=LIMIT, watched=watched, unchecked="it can't tell")
    assert waits is settled
    assert after(settled, canary, at=NOW + LIMIT + SOAK, limit=LIMIT, watched=watched).wave == 1
    stopped = after(settled, canary, at=NOW + LIMIT + SOAK, limit=LIMIT, watched=watched, unchecked="it can't tell")
    assert stopped.reason == "wave node=canary-* is not done after 110 s: it can't tell"


def test_a_publisher_that_is_new_gives_the_wave_its_time_again() -> None:
    late, hour = node("canary-1", new=True, settled=False), NOW + 3600
    given = after(ROLLOUT, late)
    watched = Watched()

    assert after(given, late, at=hour, limit=LIMIT, watched=watched) is given
    assert after(given, late, at=hour + LIMIT, limit=LIMIT, watched=watched).state is RolloutState.STOPPED


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
    rollout, now, watched, seen = ROLLOUT, NOW, Watched(), dict[str, FleetNode]()
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
        after_ = judge(rollout, seen.values(), watched, now)
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
