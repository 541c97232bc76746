"""When the publisher proposes a rollout, looks at the fleet and has the rollout go on: with a history in memory."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.unit.publish.conftest import run_beside, turn
from xds.errors import Conflict, LocalFailure
from xds.names import NodeGroup, NodeId
from xds.publish import rolling as module
from xds.publish.fleetview import FleetNode
from xds.publish.history import Unrecorded
from xds.publish.rejection import Rejection
from xds.publish.rolling import Rolling, RolloutPlan
from xds.publish.rollout import Rollout, RolloutState
from xds.publish.waves import Waves
from xds.snapshot import Content

EDGE = NodeGroup("edge")
PLAN = RolloutPlan(waves=Waves("node=canary"), soak=600.0, delay=30.0)
RUNNING = Rollout(id=1, structure="new", waves=PLAN.waves, soak_seconds=600.0).started(1_000.0, by="replica-1")


@dataclass
class Memory(Unrecorded):
    """One rollout and some nodes; another rollout stands there at once if `overtaken` is set; `fails` so often."""

    newest_rollout: Rollout | None = None
    fleet: list[FleetNode] = field(default_factory=list)
    overtaken: bool = False
    fails: int = 0

    async def propose(self, rollout: Rollout) -> None:
        """It is the newest."""
        if self.fails:
            self.fails -= 1
            raise Conflict("overtaken")
        number = self.newest_rollout.id + 1 if self.newest_rollout else 1
        self.newest_rollout = replace(rollout, id=number)

    async def advance_rollout(self, was: Rollout, now: Rollout, by: str) -> None:
        """It stands where the other stood."""
        assert by == "replica-1"
        if self.overtaken or was != self.newest_rollout:
            raise Conflict("overtaken")
        self.newest_rollout = now

    async def rollout(self) -> Rollout | None:
        """The newest."""
        return self.newest_rollout

    async def nodes(self) -> Sequence[FleetNode]:
        """All."""
        return self.fleet


def node(name: str, *, group: NodeGroup = EDGE, settled: bool = True, error: str = "") -> FleetNode:
    """A node that is served the new structure."""
    return FleetNode(
        replica="replica-1",
        id=NodeId(name),
        group=group,
        lane=NodeGroup(f"{group}~next"),
        connected_at=0.0,
        is_settled=settled,
        error=error,
    )


def nothing() -> None:
    """There is no content to ask an Envoy about."""


async def rolling(memory: Memory, plan: RolloutPlan = PLAN) -> Rolling:
    """One that has followed."""
    made = Rolling(memory, plan, "replica-1")
    await made.follow()
    return made


async def test_what_was_decided_elsewhere_is_taken_up_once() -> None:
    memory = Memory()
    one = await rolling(memory)
    assert (one.rollout, one.running, await one.follow()) == (None, None, False)

    memory.newest_rollout = RUNNING
    assert [await one.follow(), await one.follow()] == [True, False]
    assert one.running is RUNNING
    memory.newest_rollout = RUNNING.stopped("no")
    assert await one.follow()
    assert one.rollout is memory.newest_rollout
    assert (await rolling(memory)).running is None


async def test_a_new_structure_is_proposed_as_planned_once_the_fleet_had_time_to_come_back() -> None:
    memory = Memory()
    one = await rolling(memory)

    assert not await one.propose(memory, "new", leading_for=29.9, content=nothing)
    assert memory.newest_rollout is None
    assert await one.propose(memory, "new", leading_for=30.0, content=nothing)
    proposed = one.running
    assert proposed is not None
    assert (proposed.structure, proposed.waves, proposed.soak_seconds) == ("new", PLAN.waves, PLAN.soak)
    assert (proposed.wave, proposed.by, proposed.nodes) == (0, "replica-1", frozenset())


async def test_in_manual_mode_it_waits_for_an_operator() -> None:
    memory = Memory()
    one = await rolling(memory)

    assert await one.propose(memory, "new", leading_for=30.0, content=nothing, starts=False)
    assert memory.newest_rollout is not None
    assert (one.running, memory.newest_rollout.state) == (None, RolloutState.PENDING)
    assert not await one.propose(memory, "new", leading_for=30.0, content=nothing)


@dataclass
class Envoy:
    """Says what it was told to say, or can't be asked; counts how often it was."""

    rejections: tuple[Rejection, ...] = ()
    is_broken: bool = False
    asked: int = 0

    async def validate(self, binary: Path, _: Content) -> tuple[Rejection, ...]:
        """As `xds.publish.validating.validate`."""
        self.asked += 1
        if self.is_broken:
            raise LocalFailure(f"{binary}: cannot run")
        return self.rejections


REJECTION = Rejection(group=EDGE, kind="lds", name="edge", row="", text="malformed IP address: x")
WITH_ENVOY = replace(PLAN, envoy=Path("/envoy"))


def content() -> Content:
    """Some content."""
    return Content(tables={})


async def test_what_the_envoy_at_hand_rejects_is_written_down_as_stopped_and_never_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    envoy = Envoy((REJECTION,))
    monkeypatch.setattr(module, "validate", envoy.validate)
    memory = Memory()
    one = await rolling(memory, WITH_ENVOY)

    assert await one.propose(memory, "new", leading_for=60.0, content=content)
    assert one.rollout is not None
    assert (one.running, one.rollout.state, one.rollout.nodes) == (None, RolloutState.STOPPED, frozenset())
    assert one.rollout.reason == (
        "Envoy rejects it, and no node was given it: lds edge (of the settings): malformed IP address: x"
    )
    assert not await one.propose(memory, "new", leading_for=60.0, content=content)
    assert envoy.asked == 1


@pytest.mark.parametrize(("envoy", "made"), [(Envoy(), content), (Envoy(is_broken=True), content), (Envoy(), nothing)])
async def test_what_it_takes_or_can_not_be_asked_about_goes_to_the_first_wave(
    envoy: Envoy, made: Callable[[], Content | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "validate", envoy.validate)
    memory = Memory()
    one = await rolling(memory, WITH_ENVOY)

    assert await one.propose(memory, "new", leading_for=60.0, content=made)
    assert one.running is not None
    assert envoy.asked == (made is content)


async def test_it_is_asked_once_about_a_structure_however_often_the_database_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    envoy = Envoy((REJECTION,))
    monkeypatch.setattr(module, "validate", envoy.validate)
    memory = Memory(fails=2)
    one = await rolling(memory, WITH_ENVOY)
    for _ in range(2):
        with pytest.raises(Conflict):
            await one.propose(memory, "new", leading_for=60.0, content=content)

    assert await one.propose(memory, "new", leading_for=60.0, content=content)
    assert (envoy.asked, one.running) == (1, None)
    assert await one.propose(memory, "another", leading_for=60.0, content=content)
    assert envoy.asked == 2


@pytest.mark.parametrize(
    ("state", "is_proposed"),
    [
        (RolloutState.PENDING, False),
        (RolloutState.RUNNING, False),
        (RolloutState.STOPPED, False),
        (RolloutState.DONE, True),
    ],
)
async def test_what_was_tried_is_not_proposed_again_unless_it_was_done_and_undone_since(
    state: RolloutState,
    is_proposed: bool,
) -> None:
    memory = Memory(replace(RUNNING, state=state))
    one = await rolling(memory)

    assert await one.propose(memory, "new", leading_for=60.0, content=nothing) is is_proposed
    assert await one.propose(memory, "yet another", leading_for=60.0, content=nothing)


@pytest.mark.parametrize("state", [None, RolloutState.PENDING, RolloutState.STOPPED, RolloutState.DONE])
async def test_only_one_that_runs_is_looked_at(state: RolloutState | None) -> None:
    before = replace(RUNNING, state=state) if state else None
    memory = Memory(before, [node("canary", error="no")])

    assert not await (await rolling(memory)).look(memory, "frozen", {EDGE})
    assert memory.newest_rollout is before


async def test_a_look_that_finds_nothing_new_writes_nothing() -> None:
    memory = Memory(replace(RUNNING, nodes=frozenset({NodeId("canary")})), [node("canary", settled=False)])
    memory.overtaken = True  # so that a write fails

    assert not await (await rolling(memory)).look(memory, "", {EDGE})


async def test_a_look_takes_up_that_a_wave_is_settled() -> None:
    memory = Memory(RUNNING, [node("canary")])
    one = await rolling(memory)

    assert await one.look(memory, "", {EDGE})
    assert one.rollout is memory.newest_rollout
    assert one.running is not None
    assert one.running.settled_at is not None
    assert not await one.look(memory, "", {EDGE}), "it soaks"


async def test_a_rejection_stops_it_and_one_in_a_group_that_is_not_served_does_not() -> None:
    memory = Memory(RUNNING, [node("canary", group=NodeGroup("other"), error="no such thing")])
    one = await rolling(memory)
    await one.look(memory, "", {EDGE})
    assert one.running is not None

    memory.fleet.append(node("canary", error="no such thing"))
    assert await one.look(memory, "", {EDGE})
    assert one.rollout is not None
    assert (one.rollout.state, one.rollout.reason) == (
        RolloutState.STOPPED,
        "node canary rejected it: no such thing",
    )


async def test_a_hold_stops_it() -> None:
    memory = Memory(RUNNING, [node("canary")])
    one = await rolling(memory)

    assert await one.look(memory, "frozen by ann", {EDGE})
    assert one.rollout == RUNNING.stopped("publishing is held: frozen by ann")


async def test_it_does_not_go_on_if_an_operator_was_faster() -> None:
    memory = Memory(RUNNING, [node("canary", error="no")], overtaken=True)

    with pytest.raises(Conflict):
        await (await rolling(memory)).look(memory, "", {EDGE})


# The operator's check


SOAKED = replace(RUNNING, settled_at=1_000.0, wave_since=time.time(), nodes=frozenset({NodeId("canary")}))
"""The first wave has held it for longer than it had to."""


@asynccontextmanager
async def checking(memory: Memory, command: str, *, limit: float = 600.0) -> AsyncIterator[Rolling]:
    """One that runs such a check."""
    one = await rolling(memory, replace(PLAN, check=command, limit=limit))
    async with run_beside(one.run(), one.rest):
        yield one


async def looked(one: Rolling, memory: Memory) -> Rollout:
    """The rollout once a look has changed it."""
    while not await one.look(memory, "", {EDGE}):
        await turn()
    assert one.rollout is not None
    return one.rollout


async def test_the_check_stops_a_wave_that_is_settled_and_none_that_is_not(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    memory = Memory(RUNNING, [node("canary", settled=False)])
    async with checking(memory, f"touch {ran}; echo too many errors; exit 1") as one:
        assert (await looked(one, memory)).settled_at is None
        await asyncio.to_thread(int)
        assert not ran.exists(), "nothing is to be checked yet"

        memory.fleet = [node("canary")]
        assert (await looked(one, memory)).settled_at is not None
        stopped = await looked(one, memory)
        assert stopped.state is RolloutState.STOPPED
        assert stopped.reason.endswith("too many errors")


async def test_a_wave_goes_on_when_it_has_soaked_and_the_check_says_go() -> None:
    memory = Memory(SOAKED, [node("canary")])
    async with checking(memory, "true") as one:
        assert not await one.look(memory, "", {EDGE}), "it has not been checked yet"
        going_on = await looked(one, memory)
        assert (going_on.state, going_on.wave, going_on.settled_at) == (RolloutState.RUNNING, 1, None)


async def test_no_wave_goes_on_against_the_check() -> None:
    memory = Memory(SOAKED, [node("canary")])
    async with checking(memory, "false") as one:
        assert await looked(one, memory) == SOAKED.stopped("the check failed with status 1: false")


async def test_a_check_that_cannot_tell_has_the_wave_wait_up_to_its_limit() -> None:
    waiting = replace(SOAKED, soak_seconds=0.0)
    memory = Memory(waiting, [node("canary")])
    async with checking(memory, "echo too few requests; exit 3", limit=0.5) as one:
        stopped = await looked(one, memory)
        assert stopped.reason.endswith("the check cannot tell: echo too few requests; exit 3: too few requests")
        assert stopped.wave == 0


async def test_a_rejection_waits_for_no_check() -> None:
    memory = Memory(SOAKED, [node("canary")])
    async with checking(memory, "exec tail -f /dev/null") as one:
        assert not await one.look(memory, "", {EDGE})
        memory.fleet = [node("canary", error="no such thing")]
        assert await one.look(memory, "", {EDGE})
        assert memory.newest_rollout == SOAKED.stopped("node canary rejected it: no such thing")
