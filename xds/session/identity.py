"""Who the client of a stream is: taken from its first request, and never changed after.

Knows nothing about certificates.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from xds.names import NodeGroup, NodeId
from xds.session.outputs import Violated

# Of a node's `features`: what xDS protocol, "TTL", asks of a client, and in state of the world asks beside.
TTL_FEATURE = "xds.config.supports-resource-ttl"
WRAPPER_FEATURE = "xds.config.supports-resource-in-sotw"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """The node of a stream.

    Its group is the `cluster` that it gives, `features` what it says that it can do, `labels` the texts of its
    metadata.
    """

    id: NodeId
    group: NodeGroup
    user_agent: str = ""
    features: frozenset[str] = frozenset()
    region: str = ""
    zone: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


def identify(claimed: Node | None, known: Node | None) -> Node | Violated:
    """The stream's node, given what a request claims and what is known from the first.

    xDS protocol, "Basic Protocol Overview": only the first request is guaranteed to carry the node. A later
    one may leave it out, but may not be another's: a stream would be answered with someone else's config.
    """
    if known is None:
        if claimed is None or not claimed.id:
            return Violated(reason="the first request of a stream must carry a node with an id")
        return claimed
    if claimed is None or not claimed.id or claimed.id == known.id:
        return known
    return Violated(reason=f"node is {known.id!r} on this stream, a later request says {claimed.id!r}")
