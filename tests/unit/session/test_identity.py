"""A stream's client is who its first request says, and no one else later."""

from xds.names import NodeGroup, NodeId
from xds.session import Node, Violated, identify

EDGE = Node(id=NodeId("edge-1"), group=NodeGroup("edge"), user_agent="envoy 1.40.0")


def test_rule_02_the_first_request_tells_who_the_client_is() -> None:
    assert identify(EDGE, None) is EDGE


def test_rule_02_a_later_request_may_leave_the_node_out() -> None:
    assert identify(None, EDGE) is EDGE
    assert identify(Node(id=NodeId(""), group=NodeGroup("")), EDGE) is EDGE


def test_rule_02_a_later_request_may_repeat_the_node_and_changes_nothing() -> None:
    moved = Node(id=NodeId("edge-1"), group=NodeGroup("canary"))

    assert identify(moved, EDGE) is EDGE


def test_rule_02_a_later_request_of_another_node_is_refused_by_both_names() -> None:
    answer = identify(Node(id=NodeId("edge-2"), group=NodeGroup("edge")), EDGE)

    assert answer == Violated(reason="node is 'edge-1' on this stream, a later request says 'edge-2'")


def test_a_first_request_without_a_node_is_refused() -> None:
    refused = Violated(reason="the first request of a stream must carry a node with an id")

    assert identify(None, None) == refused
    assert identify(Node(id=NodeId(""), group=NodeGroup("edge")), None) == refused
