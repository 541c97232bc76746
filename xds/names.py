"""The identifiers that must not be confused, and the kinds of resource.

Knows nothing about what the identifiers name.
"""

from enum import StrEnum
from typing import NewType

NodeId = NewType("NodeId", str)
NodeGroup = NewType("NodeGroup", str)
CellId = NewType("CellId", str)
TenantId = NewType("TenantId", str)
KeyId = NewType("KeyId", str)
ResourceName = NewType("ResourceName", str)
Version = NewType("Version", str)
Nonce = NewType("Nonce", str)
Revision = NewType("Revision", int)

PUBLIC_TENANT = TenantId("-")
"""The tenant of a request that has none: reserved, it can neither be stored nor claimed."""


class TypeUrl(StrEnum):
    """The kinds of resource, in the order in which a client must learn of them.

    xDS protocol, "Eventual consistency considerations": clusters, then endpoints, then listeners, then
    routes; extensions are parts of listeners, and scopes name route tables and so come last.
    """

    CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
    ENDPOINT = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
    LISTENER = "type.googleapis.com/envoy.config.listener.v3.Listener"
    EXTENSION = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
    ROUTE = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
    SCOPE = "type.googleapis.com/envoy.config.route.v3.ScopedRouteConfiguration"

    @property
    def label(self) -> str:
        """The short name that metrics and tables use: cds, eds, lds, ecds, rds, srds."""
        return _LABELS[self]


_LABELS = {
    TypeUrl.CLUSTER: "cds",
    TypeUrl.ENDPOINT: "eds",
    TypeUrl.LISTENER: "lds",
    TypeUrl.EXTENSION: "ecds",
    TypeUrl.ROUTE: "rds",
    TypeUrl.SCOPE: "srds",
}
