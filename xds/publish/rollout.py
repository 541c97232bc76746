"""A change of the edge's structure on its way through the fleet, wave by wave, and when it goes on or stops.

Pure: told of the fleet and of the time. Times are in seconds since the epoch.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
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


RETURNS = 3
"""How often within `RETURNS_SECONDS` a node of a wave may come back to the replica that it was connected to.

A replica that is restarted has each of its nodes come back once; one that dies has them go to another, which is none.
"""

RETURNS_SECONDS = 300.0

BRIEF_SECONDS = 5.0
"""How long a node of a wave that soaks may be behind, as each is at times while data are published."""

_NAMED = 5


@dataclass(slots=True)
class Watched:
    """What whoever judges remembers from look to look. A publisher that is new begins with nothing."""

    since: float = 0.0
    """Since when it looks: the time before, in which perhaps nobody was served, counts for no wave."""

    away: dict[NodeId, float] = field(default_factory=dict)
    """Since when a node is missed."""

    connected: dict[NodeId, tuple[str, float]] = field(default_factory=dict)
    """Where and since when a node was connected at the last look."""

    returns: dict[NodeId, list[float]] = field(default_factory=dict)
    """When a node came back."""

    settled: tuple[int, float] | None = None
    """The rollout and the beginning of the wave that was settled last."""


def judge(
    rollout: Rollout,
    nodes: Iterable[FleetNode],
    watched: Watched,
    now: float,
    *,
    limit: float = 0.0,
    unchecked: str = "",
) -> Rollout:
    """The rollout after a look at the fleet; itself if there is nothing new.

    A wave may take `limit` seconds until it is settled, and so many more than it has to soak until it is done; 0: any
    time. It is not done as long as it is `unchecked`: why the operator's check does not say go.
    """
    if rollout.state is not RolloutState.RUNNING:
        return rollout
    nodes = tuple(nodes)
    connected = {node.id: node for node in nodes if node.gone_at is None}
    wave_of = rollout.waves.wave_of
    due = [node for node in connected.values() if wave_of(node) <= rollout.wave]
    fault = _rejection(due) or _loss(rollout, connected.keys(), watched.away, now)
    fault = fault or _crashes(rollout, connected.values(), watched, now)
    if fault:
        return rollout.stopped(fault)
    given = rollout.nodes | {node.id for node in due if node.has_new}
    seen = replace(rollout, nodes=given) if given != rollout.nodes else rollout
    expected = {
        node.id
        for node in nodes
        if node.id not in connected and now - (node.gone_at or now) < RECENT_SECONDS and wave_of(node) == rollout.wave
    }
    late = {node.id for node in due if not _holds(node, rollout, now)} | expected | watched.away.keys()
    if not late:
        if not any(wave_of(node) == rollout.wave for node in due):
            return _next_wave(seen, now)  # nobody is in it: there is nothing to wait for
        if seen.settled_at is None:
            seen = replace(seen, settled_at=now)
        elif now - seen.settled_at >= rollout.soak_seconds and not unchecked:
            return _next_wave(seen, now)
    elif seen.settled_at is not None:
        seen = replace(seen, settled_at=None)
    overdue = _overdue(seen, late, watched, now, limit, unchecked)
    return seen.stopped(overdue) if overdue else seen


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


def _crashes(rollout: Rollout, connected: Iterable[FleetNode], watched: Watched, now: float) -> str:
    fault = ""
    for node in connected:
        was_at, since = watched.connected.get(node.id, ("", 0.0))
        watched.connected[node.id] = node.replica, node.connected_at
        if node.id not in rollout.nodes or was_at != node.replica or since >= node.connected_at:
            continue
        lately = [at for at in watched.returns.get(node.id, ()) if now - at < RETURNS_SECONDS]
        watched.returns[node.id] = [*lately, now]
        if len(lately) >= RETURNS:
            fault = f"node {node.id} was given it and came back {len(lately) + 1} times: does it crash?"
    return fault


def _holds(node: FleetNode, rollout: Rollout, now: float) -> bool:
    is_brief = node.behind_since is not None and now - node.behind_since < BRIEF_SECONDS
    return node.has_new and (node.is_settled or (rollout.settled_at is not None and is_brief))


def _overdue(
    rollout: Rollout, late: Collection[NodeId], watched: Watched, now: float, limit: float, unchecked: str
) -> str:
    """Why its wave has had time enough; empty if it has not."""
    watched.since = watched.since or now
    key = rollout.id, rollout.wave_since
    if rollout.settled_at is not None:
        watched.settled = key
    has_settled = watched.settled == key
    allowed = limit + (rollout.soak_seconds if has_settled else 0.0)
    if not limit or now - max(rollout.wave_since, watched.since) < allowed:
        return ""
    some = ", ".join(sorted(late)[:_NAMED]) + (f" and {len(late) - _NAMED} more" if len(late) > _NAMED else "")
    why = f"it waits for {some}" if late else unchecked or "its nodes did not hold it for long enough on end"
    due = "done" if has_settled else "settled"
    return f"wave {rollout.waves.names[rollout.wave]} is not {due} after {allowed:.0f} s: {why}"


def _next_wave(rollout: Rollout, now: float) -> Rollout:
    if rollout.wave + 1 >= len(rollout.waves):
        return replace(rollout, state=RolloutState.DONE)
    return replace(rollout, wave=rollout.wave + 1, wave_since=now, settled_at=None)
