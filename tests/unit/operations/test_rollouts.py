"""What an operator may do with a rollout in each of its states."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from xds.errors import Conflict, NotFound, RequestError
from xds.names import NodeId
from xds.operations import rollouts as operations
from xds.operations.snapshots import Word
from xds.publish.policy import Policy
from xds.publish.rollout import Rollout, RolloutState
from xds.publish.waves import Waves

ANN = Word(by="ann", message="because")
RUNNING = replace(
    Rollout(id=3, structure="{}", waves=Waves("10%"), soak_seconds=30.0).started(1_000.0, by="replica-1"),
    wave=1,
    settled_at=1_001.0,
    nodes=frozenset({NodeId("edge-1")}),
)
PENDING, DONE = replace(RUNNING, state=RolloutState.PENDING), replace(RUNNING, state=RolloutState.DONE)
STOPPED = replace(RUNNING.stopped("node edge-1 rejected it"), ended_at=1_002.0)


@dataclass
class Memory:
    """One rollout or none. Fulfils `xds.operations.rollouts.RolloutStore`."""

    stands: Rollout | None
    decided: Policy = field(default_factory=Policy)
    written: int = 0

    async def rollout(self) -> Rollout | None:
        """The newest one."""
        return self.stands

    async def rollouts(self, limit: int, before: int | None = None) -> Sequence[Rollout]:
        """The newest ones."""
        assert before is None
        return [self.stands][:limit] if self.stands else []

    async def exchange_rollout(self, was: Rollout, now: Rollout, word: Word) -> None:
        """Have it stand there."""
        assert word.by == "ann"
        assert was == self.stands
        self.stands = now
        self.written += 1

    async def policy(self) -> Policy:
        """What operators have decided."""
        return self.decided


@pytest.mark.parametrize("was", [PENDING, STOPPED])
async def test_what_waits_or_was_stopped_is_started_from_its_first_wave_as_it_was_planned(was: Rollout) -> None:
    store = Memory(was)

    started = await operations.start(store, ANN)

    assert store.stands == started
    assert (started.id, started.state, started.wave, started.nodes) == (3, RolloutState.RUNNING, 0, frozenset())
    assert (started.settled_at, started.ended_at, started.reason) == (None, None, "")
    assert (started.waves, started.soak_seconds) == (was.waves, was.soak_seconds)
    assert (started.by, started.message) == ("ann", "because")
    assert started.wave_since > was.wave_since


async def test_an_operator_may_plan_it_anew() -> None:
    started = await operations.start(Memory(PENDING), ANN, waves=Waves("zone=a"), soak_seconds=0.0)

    assert (started.waves, started.soak_seconds) == (Waves("zone=a"), 0.0)


@pytest.mark.parametrize("was", [None, DONE])
async def test_there_may_be_nothing_to_start(was: Rollout | None) -> None:
    store = Memory(was)
    with pytest.raises(NotFound, match="rollout: there is nothing to roll out"):
        await operations.start(store, ANN)
    assert store.written == 0


@pytest.mark.parametrize(
    ("store", "expected"),
    [
        (Memory(RUNNING), "rollout 3: is running already"),
        (Memory(PENDING, Policy(is_frozen=True, by="bob", at=1.0)), "rollout 3: publishing is held .*frozen"),
        (Memory(STOPPED, Policy(pinned=7, by="bob", at=1.0)), "rollout 3: publishing is held .*7"),
    ],
)
async def test_it_is_not_started_while_one_runs_or_publishing_is_held(store: Memory, expected: str) -> None:
    with pytest.raises(Conflict, match=expected):
        await operations.start(store, ANN)
    assert store.written == 0


@pytest.mark.parametrize("soak_seconds", [-1.0, float("nan"), float("inf")])
async def test_a_soak_that_is_below_zero_or_would_never_end_is_refused(soak_seconds: float) -> None:
    store = Memory(PENDING)
    with pytest.raises(RequestError, match=f"expected to soak for 0 seconds or more, got {soak_seconds}"):
        await operations.start(store, ANN, soak_seconds=soak_seconds)
    assert store.written == 0


@pytest.mark.parametrize("was", [RUNNING, PENDING])
@pytest.mark.parametrize(("message", "reason"), [("", "aborted by ann"), ("too slow", "aborted by ann: too slow")])
async def test_what_runs_or_waits_is_stopped_with_the_operators_reason(was: Rollout, message: str, reason: str) -> None:
    store = Memory(was)

    stopped = await operations.abort(store, Word(by="ann", message=message))

    assert store.stands == stopped == was.stopped(reason)


@pytest.mark.parametrize("was", [None, DONE, STOPPED])
async def test_there_may_be_nothing_to_abort(was: Rollout | None) -> None:
    store = Memory(was)
    with pytest.raises(NotFound, match="rollout: none is running"):
        await operations.abort(store, ANN)
    assert store.written == 0
