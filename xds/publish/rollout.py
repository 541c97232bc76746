"""A change of the edge's structure on its way through the fleet, wave by wave, and when it goes on or stops.

Pure: told of the fleet and of the time. Times are in seconds since the epoch.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from xds.names import NodeId
from xds.publish.fleetview import FleetNode
from xds.publish.waves import Waves


class RolloutState(StrEnum):
    """Where a rollout is. Only a running one gives any node the new structure, and a finished one all of them."""

    PENDING = "pending"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One rollout.

    `wave` is the one that is under way, counted from 0; it began at `wave_since`, all of its nodes had acknowledged at
    `settled_at` (None: not yet), and `nodes` are those that it and the waves before it have been given to.
    """

    id: int
    structure: str
    waves: Waves
    soak_seconds: float
    state: RolloutState = RolloutState.PENDING
    wave: int = 0
    wave_since: float = 0.0
    settled_at: float | None = None
    nodes: frozenset[NodeId] = frozenset()
    reason: str = ""
    by: str = ""
    message: str = ""
    ended_at: float | None = None

    def planned(self, waves: Waves, soak_seconds: float) -> "Rollout":
        """The same, with these waves."""
        return replace(self, waves=waves, soak_seconds=soak_seconds)

    def started(self, now: float, *, by: str, message: str = "") -> "Rollout":
        """The same, running from its first wave."""
        return replace(
            self,
            state=RolloutState.RUNNING,
            wave=0,
            wave_since=now,
            settled_at=None,
            nodes=frozenset(),
            reason="",
            by=by,
            message=message,
            ended_at=None,
        )

    def pending(self) -> "Rollout":
        """The same, waiting for an operator's word."""
        return replace(self, state=RolloutState.PENDING)

    def stopped(self, reason: str) -> "Rollout":
        """The same, with every node back where it was."""
        return replace(self, state=RolloutState.STOPPED, reason=reason)


LOST_SECONDS = 20.0
"""How long a node of a wave may be away: longer than it takes to come back to another replica."""

RECENT_SECONDS = 60.0
"""How long a wave waits for a node that left: whoever publishes may be new, and not all have come back to it."""


def judge(rollout: Rollout, nodes: Iterable[FleetNode], away: dict[NodeId, float], now: float) -> Rollout:
    """The rollout after a look at the fleet; itself if there is nothing new.

    `away` remembers since when a node is missed, and is kept by the caller from look to look.
    """
    if rollout.state is not RolloutState.RUNNING:
        return rollout
    nodes = tuple(nodes)
    connected = {node.id: node for node in nodes if node.gone_at is None}
    wave_of = rollout.waves.wave_of
    due = [node for node in connected.values() if wave_of(node) <= rollout.wave]
    fault = _rejection(due) or _loss(rollout, connected.keys(), away, now)
    if fault:
        return rollout.stopped(fault)
    given = rollout.nodes | {node.id for node in due if node.has_new}
    seen = replace(rollout, nodes=given) if given != rollout.nodes else rollout
    expected = any(
        node.id not in connected and now - (node.gone_at or now) < RECENT_SECONDS and wave_of(node) == rollout.wave
        for node in nodes
    )
    if away or expected or not all(node.has_new and node.is_settled for node in due):
        return seen if seen.settled_at is None else replace(seen, settled_at=None)
    if not any(wave_of(node) == rollout.wave for node in due):
        return _next_wave(seen, now)  # nobody is in it: there is nothing to wait for
    if seen.settled_at is None:
        return replace(seen, settled_at=now)
    return _next_wave(seen, now) if now - seen.settled_at >= rollout.soak_seconds else seen


def _rejection(due: Iterable[FleetNode]) -> str:
    return next((f"node {node.id} rejected it: {node.error}" for node in due if node.has_new and node.error), "")


def _loss(rollout: Rollout, connected: Iterable[NodeId], away: dict[NodeId, float], now: float) -> str:
    missed = rollout.nodes - frozenset(connected)
    for node in away.keys() - missed:
        del away[node]
    for node in missed:
        away.setdefault(node, now)
    lost = next((node for node in sorted(missed) if now - away[node] > LOST_SECONDS), None)
    return f"node {lost} was given it and is gone for more than {LOST_SECONDS:.0f} s" if lost is not None else ""


def _next_wave(rollout: Rollout, now: float) -> Rollout:
    if rollout.wave + 1 >= len(rollout.waves):
        return replace(rollout, state=RolloutState.DONE)
    return replace(rollout, wave=rollout.wave + 1, wave_since=now, settled_at=None)
