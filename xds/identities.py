"""Which certificate may be which node, and which is an operator's.

Pure: the names in a certificate go in, a reason to refuse or none comes out. Must not know how a certificate is
read, or what becomes of a refusal.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

from xds.names import NodeGroup, NodeId


class NodeRule(NamedTuple):
    """Whoever has such a SAN may be such a node of such a node group; in all three `*` stands for any text."""

    san: str
    node_id: str
    group: str

    @classmethod
    def parse(cls, text: str) -> "NodeRule":
        """Read `SAN=node-id@group`; raises ValueError. A SAN may hold `=` and a node id `@`, so the last ones part."""
        san, _, node = text.rpartition("=")
        node_id, _, group = node.rpartition("@")
        if not (san and node_id and group):
            raise ValueError(f"expected SAN=node-id@group, * for any text, separated by commas, got {text!r}")
        return cls(san, node_id, group)

    def __str__(self) -> str:
        return f"{self.san}={self.node_id}@{self.group}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What the clients' certificates are good for; `operators` are patterns of SANs.

    Only SANs count: what a CA puts into the common name is free text.
    """

    nodes: tuple[NodeRule, ...] = ()
    operators: tuple[str, ...] = ()

    def refuse_node(self, sans: tuple[str, ...], node_id: NodeId, group: NodeGroup) -> str | None:
        """Why a client with these SANs may not be this node; None if it may.

        Where there are no rules, a certificate is good for the node whose id is one of its SANs, in any group.
        """
        if self.nodes:
            may = any(_admits(rule, san, node_id, group) for rule in self.nodes for san in sans)
        else:
            may = node_id in sans
        return None if may else f"a certificate for {_listed(sans)} may not be node {node_id!r} of group {group!r}"

    def refuse_operator(self, sans: tuple[str, ...]) -> str | None:
        """Why a client with these SANs is no operator; None if it is one. Without patterns, nobody is."""
        if any(_is_like(pattern, san) for pattern in self.operators for san in sans):
            return None
        return f"a certificate for {_listed(sans)} is no operator's"


def _admits(rule: NodeRule, san: str, node_id: NodeId, group: NodeGroup) -> bool:
    return _is_like(rule.san, san) and _is_like(rule.node_id, node_id) and _is_like(rule.group, group)


def _is_like(pattern: str, text: str) -> bool:
    # Not fnmatch: its ? and [ would be special too, and both may stand in a URI.
    parts = map(re.escape, pattern.split("*"))
    return re.fullmatch(".*".join(parts), text, re.DOTALL) is not None


def _listed(sans: tuple[str, ...]) -> str:
    return ", ".join(map(repr, sans)) or "no URI and no DNS name"
