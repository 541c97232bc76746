"""The fleet as all replicas see it: who is connected where, what each is served, and how far each has come.

Plain values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xds.names import NodeGroup, NodeId

LANE = "~next"
"""Ends the name of the node group under which the new structure of a group is kept and served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetNode:
    """One node on one replica; every time is in seconds since the epoch.

    `lane` is the group whose content it is served. It `is_settled` when it holds, by its own word, all that it asked
    for; `behind_since` is when that was last so, None if it is. `error` is the newest rejection that stands, empty if
    none does. `types` has, by label, how many responses were sent, acknowledged and rejected. `gone_at` is when it
    left.
    """

    replica: str
    id: NodeId
    group: NodeGroup
    lane: NodeGroup
    region: str = ""
    zone: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    user_agent: str = ""
    variant: str = ""
    peer: str = ""
    connected_at: float
    gone_at: float | None = None
    is_settled: bool
    behind_since: float | None = None
    error: str = ""
    types: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def has_new(self) -> bool:
        """Whether it is served a structure that is being rolled out."""
        return self.lane.endswith(LANE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One process of the control plane, as it said last at `seen_at`."""

    name: str
    version: str
    started_at: float
    seen_at: float
    snapshot: int
    publishes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetView:
    """All replicas and nodes that were seen lately, by name and id."""

    replicas: tuple[Replica, ...]
    nodes: tuple[FleetNode, ...]
