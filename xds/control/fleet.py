"""What can be asked about the Envoys that are connected to this replica."""

from collections import Counter
from datetime import datetime

from xds.control.operation import Parts
from xds.control.paging import cut
from xds.control.shapes import Answer, Cursor, Limit, Next, Request, Text, to_time
from xds.errors import NotFound
from xds.operations.status import NodeStatus, readiness
from xds.telemetry import redact


class NodeType(Answer):
    """One type of resource on a stream; `subscribed` is how many names, not there for all of them."""

    type: str
    subscribed: int | None = None
    sent: int
    acked: int
    nacked: int
    version: str
    error: str


class NodeView(Answer):
    """A stream of a node; one that uses a service a type has several. `rejecting`: types of which it rejected the last.

    Times are of this replica's clock.
    """

    id: str
    group: str
    variant: str
    peer: str
    user_agent: str
    connected_at: datetime
    rejecting: list[str]
    types: list[NodeType]


class NodePage(Answer):
    """Streams, by node id and age."""

    data: list[NodeView]
    next: Next = None


class NodeStreams(Answer):
    """The streams of one node."""

    data: list[NodeView]


class FleetView(Answer):
    """What this replica serves, and to whom: `groups` counts the nodes of each node group."""

    snapshot: int
    mode: str
    held: str
    ready: bool
    reason: str
    streams: int
    nodes: int
    rejecting: int
    groups: dict[str, int]


class GetFleet(Request):
    """The whole of it."""


class ListNodes(Request):
    """The nodes of a group, or only those that reject something (true) or nothing (false)."""

    group: Text | None = None
    rejecting: bool | None = None
    limit: Limit = 100
    cursor: Cursor = None


class GetNode(Request):
    """One node."""

    node: Text


async def get_fleet(parts: Parts, _request: GetFleet, _by: str) -> FleetView:
    """What this replica serves, and to whom."""
    status = parts.status()
    verdict, nodes = readiness(status), views_of(status.nodes)
    return FleetView(
        snapshot=status.publish.snapshot,
        mode=status.publish.mode,
        held=status.publish.held,
        ready=verdict.ready,
        reason=str(redact(verdict.reason)),
        streams=len(nodes),
        nodes=len({node.id for node in nodes}),
        rejecting=len({node.id for node in nodes if node.rejecting}),
        groups=dict(sorted(Counter(group for group, _ in {(node.group, node.id) for node in nodes}).items())),
    )


async def list_nodes(parts: Parts, request: ListNodes, _by: str) -> NodePage:
    """A page of streams."""
    wanted = [
        node
        for node in views_of(parts.status().nodes)
        if request.group in (None, node.group) and request.rejecting in (None, bool(node.rejecting))
    ]
    page, following = cut(wanted, request.limit, request.cursor, key=key_of, like=("", 0.0, ""))
    return NodePage(data=page, next=following)


async def get_node(parts: Parts, request: GetNode, _by: str) -> NodeStreams:
    """A node's streams."""
    streams = [node for node in views_of(parts.status().nodes) if node.id == request.node]
    if not streams:
        raise NotFound(f"node {request.node}: is not connected to this replica")
    return NodeStreams(data=streams)


def views_of(nodes: tuple[NodeStatus, ...]) -> list[NodeView]:
    """The streams as they are shown, by node id and age."""
    return sorted((_view(node) for node in nodes), key=key_of)


def key_of(node: NodeView) -> tuple[str, float, str]:
    """What tells a stream from all others."""
    return node.id, node.connected_at.timestamp(), node.peer


def _view(node: NodeStatus) -> NodeView:
    return NodeView(
        id=node.node_id,
        group=node.group,
        variant=node.variant,
        peer=node.peer,
        user_agent=node.user_agent,
        connected_at=to_time(node.connected_at),
        rejecting=[each.label for each in node.types if each.error],
        types=[
            NodeType(
                type=each.label,
                subscribed=each.subscribed,
                sent=each.sent,
                acked=each.acked,
                nacked=each.nacked,
                version=each.version,
                error=str(redact(each.error)),
            )
            for each in node.types
        ],
    )
