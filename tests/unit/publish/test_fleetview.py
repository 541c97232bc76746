"""What follows from the plain values of the fleet."""

import pytest

from xds.names import NodeGroup, NodeId
from xds.publish.fleetview import LANE, FleetNode


@pytest.mark.parametrize(("lane", "has_new"), [("edge", False), (f"edge{LANE}", True), (f"edge{LANE}-not", False)])
def test_a_node_has_the_new_structure_if_its_lane_is_the_new_ones(lane: str, has_new: bool) -> None:
    node = FleetNode(
        replica="r",
        id=NodeId("edge-1"),
        group=NodeGroup("edge"),
        lane=NodeGroup(lane),
        connected_at=0.0,
        is_settled=True,
    )

    assert node.has_new is has_new
