"""Which certificate may be which node, by rules; whose default is the narrowest that works."""

import pytest

from xds.identities import Access, NodeRule
from xds.names import NodeGroup, NodeId

EDGE = NodeGroup("alphaswarm-edge")
SPIFFE = "spiffe://alphaswarm/edge/1"


def may_be(access: Access, san: str, node_id: str, group: str = EDGE) -> bool:
    return access.refuse_node((san,), NodeId(node_id), NodeGroup(group)) is None


def ruled(*rules: str) -> Access:
    return Access(nodes=tuple(map(NodeRule.parse, rules)))


# Reading


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("spiffe://a/*=edge-*@edge", NodeRule("spiffe://a/*", "edge-*", "edge")),
        ("*.edge.internal=*@*", NodeRule("*.edge.internal", "*", "*")),
        ("https://a?b=c=edge-1@edge", NodeRule("https://a?b=c", "edge-1", "edge")),
        ("mailto:x@y=x@y@edge", NodeRule("mailto:x@y", "x@y", "edge")),
    ],
)
def test_a_rule_reads_what_it_writes(text: str, rule: NodeRule) -> None:
    assert NodeRule.parse(text) == rule
    assert str(rule) == text


@pytest.mark.parametrize("text", ["", "edge-1", "a=b", "=b@c", "a=@c", "a=b@", "b@c"])
def test_a_rule_that_lacks_a_part_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected SAN=node-id@group, .* got "):
        NodeRule.parse(text)


# Nodes


@pytest.mark.parametrize(
    ("rule", "san", "node_id", "group", "may"),
    [
        ("spiffe://alphaswarm/edge/*=edge-*@alphaswarm-edge", SPIFFE, "edge-1", EDGE, True),
        ("spiffe://alphaswarm/edge/*=edge-*@alphaswarm-edge", SPIFFE, "core-1", EDGE, False),
        ("spiffe://alphaswarm/edge/*=edge-*@alphaswarm-edge", SPIFFE, "edge-1", "other", False),
        ("spiffe://alphaswarm/edge/*=edge-*@alphaswarm-edge", "spiffe://alphaswarm/core/1", "edge-1", EDGE, False),
        ("spiffe://alphaswarm/edge/*=edge-*@alphaswarm-edge", f"x{SPIFFE}", "edge-1", EDGE, False),
        ("*.edge.internal=*@*", "a.edge.internal", "edge-1", EDGE, True),
        ("*.edge.internal=*@*", "a.edge.internal.evil", "edge-1", EDGE, False),
        ("*.edge.internal=*@*", "a-edge-internal", "edge-1", EDGE, False),
        ("edge-?=edge-[12]@*", "edge-1", "edge-1", EDGE, False),
        ("edge-?=edge-[12]@*", "edge-?", "edge-[12]", EDGE, True),
        ("a*=*@*", "a\nb", "edge-1", EDGE, True),
        ("edge=*@*", "edge\n", "edge-1", EDGE, False),
    ],
)
def test_a_rule_admits_what_its_three_patterns_match_in_full(
    rule: str, san: str, node_id: str, group: str, may: bool
) -> None:
    assert may_be(ruled(rule), san, node_id, group) is may


def test_any_rule_and_any_name_will_do_but_no_mixture_of_two_rules() -> None:
    access = ruled("a=edge-a@one", "b=edge-b@two")

    assert access.refuse_node(("x", "b"), NodeId("edge-b"), NodeGroup("two")) is None
    assert access.refuse_node(("a", "b"), NodeId("edge-a"), NodeGroup("two")) is not None


def test_with_no_rule_a_certificate_is_good_for_the_node_that_it_names() -> None:
    assert may_be(Access(), "edge-1", "edge-1", "any")
    assert may_be(Access(), SPIFFE, SPIFFE)
    assert not may_be(Access(), "edge-1", "edge-2")
    assert not may_be(Access(), "*", "edge-2")
    assert not may_be(Access(), SPIFFE, "1")


def test_rules_leave_nothing_of_the_default() -> None:
    assert not may_be(ruled("a=b@c"), "edge-1", "edge-1")


@pytest.mark.parametrize("access", [Access(), ruled("*=*@*")])
def test_a_certificate_without_a_name_is_no_nodes(access: Access) -> None:
    refusal = access.refuse_node((), NodeId("edge-1"), EDGE)

    assert refusal == "a certificate for no URI and no DNS name may not be node 'edge-1' of group 'alphaswarm-edge'"


def test_a_refusal_says_which_certificate_and_which_node() -> None:
    refusal = Access().refuse_node((SPIFFE, "edge-1"), NodeId("edge-2"), EDGE)

    assert refusal == (
        "a certificate for 'spiffe://alphaswarm/edge/1', 'edge-1' may not be node 'edge-2' of group 'alphaswarm-edge'"
    )


# Operators


def test_an_operator_is_who_a_pattern_says() -> None:
    access = Access(operators=("spiffe://alphaswarm/operator/*",))

    assert access.refuse_operator(("x", "spiffe://alphaswarm/operator/ada")) is None
    assert access.refuse_operator((SPIFFE,)) == f"a certificate for {SPIFFE!r} is no operator's"


def test_with_no_pattern_nobody_is_an_operator() -> None:
    assert Access().refuse_operator(("*", "")) is not None
