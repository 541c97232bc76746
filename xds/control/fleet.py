"""What can be asked about the Envoys, on whichever replica they are.

Replicas tell the database what they see, within a second. While it can't be asked, an answer is of this replica alone,
and says so: `complete` is false.
"""

import time
from collections import Counter
from datetime import datetime

from xds.control.operation import Parts
from xds.control.paging import cut
from xds.control.shapes import Answer, Cursor, Limit, Next, Request, Text, to_time
from xds.errors import NotFound, RegistryError
from xds.operations import fleet
from xds.operations.status import readiness
from xds.telemetry import redact


class NodeType(Answer):
    """One type of resource of a node; `subscribed` is how many names, not there for all of them."""

    type: str
    subscribed: int | None = None
    sent: int
    acked: int
    nacked: int
    version: str
    error: str


class NodeView(Answer):
    """A node on a replica. `gone_at` is when it left, not there while it is connected.

    It is `settled` when it holds what it asked for, and has lagged for `lag_seconds` behind what is published when not.
    `lane` is the group whose content it is served: another than its own while a structure is rolled out. `rejecting`:
    types of which it rejected the last. `connected_at` is of its replica's clock.
    """

    id: str
    replica: str
    group: str
    lane: str
    region: str
    zone: str
    labels: dict[str, str]
    user_agent: str
    variant: str
    peer: str
    connected_at: datetime
    gone_at: datetime | None = None
    settled: bool
    lag_seconds: float
    rejecting: list[str]
    error: str
    types: list[NodeType]


class NodePage(Answer):
    """Nodes, by id and replica; of this replica alone unless it is `complete`."""

    data: list[NodeView]
    next: Next = None
    complete: bool


class NodeOnReplicas(Answer):
    """One node on each replica that knows it; of this replica alone unless it is `complete`."""

    data: list[NodeView]
    complete: bool


class ReplicaView(Answer):
    """A process of the control plane, as it said last at `seen_at`; `snapshot` is what it serves."""

    name: str
    version: str
    started_at: datetime
    seen_at: datetime
    snapshot: int
    publishes: bool


class FleetView(Answer):
    """All replicas and how many nodes are connected to them; of this replica alone unless it is `complete`.

    `snapshot` to `reason` are this replica's own. `groups` counts the nodes of each node group.
    """

    complete: bool
    replicas: list[ReplicaView]
    snapshot: int
    mode: str
    held: str
    ready: bool
    reason: str
    nodes: int
    rejecting: int
    behind: int
    groups: dict[str, int]


class GetFleet(Request):
    """The whole of it."""


class ListNodes(Request):
    """The nodes of a group; those that reject something (true) or nothing (false); that are connected, or have left."""

    group: Text | None = None
    rejecting: bool | None = None
    connected: bool | None = None
    limit: Limit = 100
    cursor: Cursor = None


class GetNode(Request):
    """One node."""

    node: Text


async def get_fleet(parts: Parts, _request: GetFleet, _by: str) -> FleetView:
    """Who serves, and to how many."""
    seen, is_complete = await look(parts)
    status = parts.status()
    verdict, nodes = readiness(status), [node for node in views_of(seen) if node.gone_at is None]
    return FleetView(
        complete=is_complete,
        replicas=replicas_of(seen),
        snapshot=status.publish.snapshot,
        mode=status.publish.mode,
        held=status.publish.held,
        ready=verdict.ready,
        reason=str(redact(verdict.reason)),
        nodes=len({node.id for node in nodes}),
        rejecting=len({node.id for node in nodes if node.rejecting}),
        behind=len({node.id for node in nodes if not node.settled}),
        groups=dict(sorted(Counter(group for group, _ in {(node.group, node.id) for node in nodes}).items())),
    )


async def list_nodes(parts: Parts, request: ListNodes, _by: str) -> NodePage:
    """A page of nodes."""
    seen, is_complete = await look(parts)
    wanted = [
        node
        for node in views_of(seen)
        if request.group in (None, node.group)
        and request.rejecting in (None, bool(node.rejecting))
        and request.connected in (None, node.gone_at is None)
    ]
    page, following = cut(
        wanted, request.limit, request.cursor, key=lambda node: (node.id, node.replica), like=("", "")
    )
    return NodePage(data=page, next=following, complete=is_complete)


async def get_node(parts: Parts, request: GetNode, _by: str) -> NodeOnReplicas:
    """A node on each replica."""
    seen, is_complete = await look(parts)
    found = [node for node in views_of(seen) if node.id == request.node]
    if not found:
        raise NotFound(f"node {request.node}: " + ("no replica knows it" if is_complete else "is not connected here"))
    return NodeOnReplicas(data=found, complete=is_complete)


async def look(parts: Parts) -> tuple[fleet.FleetView, bool]:
    """What all replicas see; or what this one sees, and False, while the database can't be asked."""
    if parts.status().registry.connected:
        try:
            return await parts.fleet.view(), True
        except RegistryError:
            pass
    return parts.seen(), False


def views_of(seen: fleet.FleetView) -> list[NodeView]:
    """The nodes as they are shown, by id and replica."""
    now = time.time()
    return [view_of(node, now) for node in sorted(seen.nodes, key=lambda node: (node.id, node.replica))]


def replicas_of(seen: fleet.FleetView) -> list[ReplicaView]:
    """The replicas as they are shown."""
    return [
        ReplicaView(
            name=each.name,
            version=each.version,
            started_at=to_time(each.started_at),
            seen_at=to_time(each.seen_at),
            snapshot=each.snapshot,
            publishes=each.publishes,
        )
        for each in seen.replicas
    ]


def view_of(node: fleet.FleetNode, now: float) -> NodeView:
    """A node as it is shown at `now`."""
    types = [
        NodeType.model_validate({"type": kind, "error": ""} | {name: redact(value) for name, value in of.items()})
        for kind, of in sorted(node.types.items())
    ]
    is_late = node.gone_at is None and node.behind_since is not None
    return NodeView(
        id=node.id,
        replica=node.replica,
        group=node.group,
        lane=node.lane,
        region=node.region,
        zone=node.zone,
        labels=dict(node.labels),
        user_agent=node.user_agent,
        variant=node.variant,
        peer=node.peer,
        connected_at=to_time(node.connected_at),
        gone_at=None if node.gone_at is None else to_time(node.gone_at),
        settled=node.is_settled,
        lag_seconds=round(max(0.0, now - (node.behind_since or now)), 3) if is_late else 0.0,
        rejecting=[each.type for each in types if each.error],
        error=str(redact(node.error)),
        types=types,
    )
