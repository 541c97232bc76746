"""Who may reach whom, by NetworkPolicies as Kubernetes reads them.

What no policy selects is open; what one selects is closed but for what any of them allows; both ends must allow it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.deployments.manifests import Manifests, Object

OURS = "alphaswarm-edge"
_NAME = "kubernetes.io/metadata.name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A pod, by its labels and its namespace's; or, of no namespace, somebody outside the cluster."""

    namespace: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: Mapping[str, int] = field(default_factory=dict)
    """The ports that have names."""

    @classmethod
    def of(cls, template: Object) -> "Party":
        """A pod of this template, in our namespace."""
        listed = [port for each in template["spec"]["containers"] for port in each.get("ports", [])]
        return cls(
            namespace={_NAME: OURS},
            labels=template["metadata"]["labels"],
            ports={port["name"]: port["containerPort"] for port in listed},
        )

    @classmethod
    def elsewhere(
        cls, name: str, namespace: Mapping[str, str] | None = None, *, labels: Mapping[str, str] | None = None
    ) -> "Party":
        """A pod of another namespace."""
        return cls(namespace={_NAME: name, **(namespace or {})}, labels=labels or {})


def reaches(manifests: Manifests, source: Party, target: Party, port: str) -> bool:
    """Whether packets go from one to the other; a port is `tcp/443`."""
    policies = manifests.of("NetworkPolicy")
    return _allows(policies, source, target, port, target, "egress", "to") and _allows(
        policies, target, source, port, target, "ingress", "from"
    )


def _allows(
    policies: list[Object], chosen: Party, peer: Party, port: str, target: Party, direction: str, where: str
) -> bool:
    specs = [
        each["spec"]
        for each in policies
        if direction.title() in each["spec"]["policyTypes"]
        and chosen.namespace.get(_NAME) == OURS
        and _has(each["spec"]["podSelector"], chosen.labels)
    ]
    rules = [rule for spec in specs for rule in spec.get(direction, [])]
    return not specs or any(
        (where not in rule or any(_is(peer, each) for each in rule[where]))
        and ("ports" not in rule or any(_number(each, target) == port for each in rule["ports"]))
        for rule in rules
    )


def _is(party: Party, peer: Object) -> bool:
    assert peer.keys() <= {"podSelector", "namespaceSelector"}, peer
    namespace = peer.get("namespaceSelector", {"matchLabels": {_NAME: OURS}})
    return (
        bool(party.namespace) and _has(namespace, party.namespace) and _has(peer.get("podSelector", {}), party.labels)
    )


def _has(selector: Object, labels: Mapping[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels"}, selector
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def _number(listed: Object, target: Party) -> str:
    return f"{listed['protocol'].lower()}/{target.ports.get(listed['port'], listed['port'])}"
