"""Where replicas tell of their nodes, and where operators look. Knows no SQL."""

from collections.abc import Collection, Sequence
from typing import Protocol

from xds.names import NodeId
from xds.publish.fleetview import FleetNode as FleetNode
from xds.publish.fleetview import FleetView as FleetView
from xds.publish.fleetview import Replica as Replica


class FleetStore(Protocol):
    """Where replicas tell of their nodes. Everything raises `RegistryUnavailable` when it cannot be reached."""

    async def report(self, replica: Replica, nodes: Sequence[FleetNode], gone: Collection[NodeId]) -> None:
        """What a replica sees: `nodes` are those of which something is new, `gone` those that left."""
        ...

    async def view(self) -> FleetView:
        """What all replicas see; a replica that has not reported lately is left out, and its nodes are gone."""
        ...
