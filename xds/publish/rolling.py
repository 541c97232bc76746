"""A rollout under way, as the process that publishes leads it and all processes follow it.

Knows when to look at the fleet; what follows from it is `xds.publish.rollout`'s.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from xds.errors import LocalFailure
from xds.names import NodeGroup
from xds.publish.checking import Answer, Check
from xds.publish.history import History, Lead
from xds.publish.rollout import Rollout, RolloutState, Watched, judge
from xds.publish.validating import validate
from xds.publish.waves import Waves
from xds.snapshot import Content
from xds.telemetry import get_logger


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPlan:
    """How a change of structure is rolled out unless an operator says otherwise; times are in seconds.

    `limit` is what a wave may take beside its soak; 0: any time. `delay` is how long a publisher waits, after it has
    become one, for the fleet to come back to it. `check` is a command that says, by its exit status, whether a wave may
    go on, within `check_limit` and again after `check_every`; empty for none. `envoy` is the binary that is asked first
    whether it would take the new structure; None if there is none.
    """

    waves: Waves = field(default_factory=lambda: Waves("10%,50%"))
    soak: float = 30.0
    limit: float = 600.0
    delay: float = 30.0
    check: str = ""
    check_limit: float = 60.0
    check_every: float = 10.0
    envoy: Path | None = None


class Rolling:
    """The newest rollout, and what the publisher does about it."""

    def __init__(self, history: History, plan: RolloutPlan, replica: str) -> None:
        self._history = history
        self._plan = plan
        self._replica = replica
        self._validated: tuple[str, str] | None = None
        self._watched = Watched()
        self._check = Check(plan.check, seconds=plan.check_limit, every=plan.check_every)
        self._log = get_logger()
        self.rollout: Rollout | None = None
        """The newest one that is known here."""

    @property
    def running(self) -> Rollout | None:
        """The one that runs, if one does."""
        is_running = self.rollout is not None and self.rollout.state is RolloutState.RUNNING
        return self.rollout if is_running else None

    async def follow(self) -> bool:
        """Take up what was decided elsewhere; whether it is news."""
        was, self.rollout = self.rollout, await self._history.rollout()
        return was != self.rollout

    async def propose(
        self,
        lead: Lead,
        structure: str,
        leading_for: float,
        content: Callable[[], Content | None],
        *,
        starts: bool = True,
    ) -> bool:
        """Have a structure that is not in force rolled out, unless that was tried; whether it was proposed now.

        Unless it `starts` it waits for an operator. If an Envoy at hand rejects its `content`, it is written down as
        stopped, and given to nobody.
        """
        newest = self.rollout
        is_known = newest is not None and newest.structure == structure and newest.state is not RolloutState.DONE
        if is_known or leading_for < self._plan.delay:
            return False
        draft = Rollout(id=0, structure=structure, waves=self._plan.waves, soak_seconds=self._plan.soak)
        started = draft.started(time.time(), by=self._replica)
        fault = await self._fault(structure, content)
        planned = started if starts else started.pending()
        await lead.propose(planned.stopped(fault) if fault else planned)
        await self.follow()
        self._note()
        return True

    async def _fault(self, structure: str, content: Callable[[], Content | None]) -> str:
        """What the Envoy at hand has against a structure; empty if nothing, or if it can't be asked."""
        if self._plan.envoy is None:
            return ""
        if self._validated is None or self._validated[0] != structure:
            try:
                made = await asyncio.to_thread(content)
                rejections = await validate(self._plan.envoy, made) if made is not None else ()
            except LocalFailure as error:
                self._log.warning("rollout.not_validated", error=str(error))
                rejections = ()
            self._validated = structure, "; ".join(map(str, rejections))
        fault = self._validated[1]
        return f"Envoy rejects it, and no node was given it: {fault}" if fault else ""

    async def run(self) -> None:
        """Run the operator's check whenever a wave soaks; until cancelled."""
        await self._check.run()

    def rest(self) -> None:
        """There is nothing to lead: another process does, or none is running."""
        self._watched = Watched()
        self._check.verdict(None)

    async def look(self, lead: Lead, stop: str, groups: Collection[NodeGroup]) -> bool:
        """Look at the nodes of these groups and go on, stop or finish; whether anything changed."""
        was = self.running
        if was is None:
            self.rest()
            return False
        now = was.stopped(f"publishing is held: {stop}") if stop else await self._judge(was, groups)
        if now is was:
            return False
        await lead.advance_rollout(was, now, self._replica)
        await self.follow()
        if (was.state, was.wave) != (now.state, now.wave):
            self._note()
        return True

    async def _judge(self, was: Rollout, groups: Collection[NodeGroup]) -> Rollout:
        nodes = [node for node in await self._history.nodes() if node.group in groups]
        soaking = None if was.settled_at is None else (was.id, was.wave, was.settled_at)
        verdict = self._check.verdict(soaking)
        now = judge(was, nodes, self._watched, time.time(), limit=self._plan.limit, unchecked=verdict.reason)
        is_refused = verdict.answer is Answer.STOP and now.state is not RolloutState.STOPPED
        return was.stopped(verdict.reason) if is_refused else now

    def _note(self) -> None:
        rollout = self.rollout
        if rollout is None:
            return
        note = self._log.error if rollout.state is RolloutState.STOPPED else self._log.info
        note(
            f"rollout.{rollout.state}",
            rollout=rollout.id,
            wave=rollout.waves.names[rollout.wave],
            nodes=len(rollout.nodes),
            reason=rollout.reason,
        )
