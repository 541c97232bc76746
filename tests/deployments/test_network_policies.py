"""Who may talk to whom: what the manifests and settings need, and nothing else."""

from collections.abc import Mapping

import pytest

from tests.deployments.manifests import BASES, Manifests, Object, built, container, environment, ports


def test_a_policys_ports_are_its_pods(manifests: Manifests) -> None:
    for policy in manifests.of("NetworkPolicy"):
        (*_,) = templates = manifests.selected(policy["spec"]["podSelector"].get("matchLabels", {}))
        for rule in policy["spec"].get("ingress", []):
            asked = {port["port"] for port in rule.get("ports", [])}
            assert all(asked <= ports(template) for template in templates), policy["metadata"]["name"]
        for rule in policy["spec"].get("egress", []):
            for peer in rule.get("to", []):
                if "podSelector" in peer and "namespaceSelector" not in peer:
                    (template,) = manifests.selected(peer["podSelector"]["matchLabels"])
                    assert {port["port"] for port in rule["ports"]} <= ports(template)


def test_what_is_not_allowed_is_dropped(manifests: Manifests) -> None:
    everything = manifests.one("NetworkPolicy", "default-deny")["spec"]

    assert everything == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_the_edge_may_ask_the_router_and_the_router_lets_it(manifests: Manifests) -> None:
    address = environment(manifests, container(manifests, "alphaswarm-edge"))["XDS_SERVER"]
    host, _, port = address.partition(":")
    service = manifests.one("Service", host.partition(".")[0])
    edge, router = (manifests.one("NetworkPolicy", name)["spec"] for name in BASES)

    assert host == f"{service['metadata']['name']}.alphaswarm-edge.svc"
    assert port in {str(each["port"]) for each in service["spec"]["ports"]}
    assert {"app": "alphaswarm-tenant-router"} in [
        peer.get("podSelector", {}).get("matchLabels") for rule in edge["egress"] for peer in rule.get("to", [])
    ]
    assert [rule["ports"][0]["port"] for rule in router["ingress"]] == ["xds", "http", "http"]
    assert router["ingress"][0]["from"] == [{"podSelector": {"matchLabels": {"app": "alphaswarm-edge"}}}]


REACHED = {
    "a cell, at any port": ({"alphaswarm.io/cell": "true"}, 1234, True),
    "web client, controller, legacy proxy": ({"alphaswarm.io/edge-upstream": "true"}, 8080, True),
    "the collector of traces": ({"kubernetes.io/metadata.name": "monitoring"}, 4317, True),
    "what else is there": ({"kubernetes.io/metadata.name": "monitoring"}, 9090, False),
    "anybody else": ({"kubernetes.io/metadata.name": "default"}, 443, False),
}


@pytest.mark.parametrize(("labels", "port", "is_reached"), REACHED.values(), ids=REACHED)
def test_the_edge_reaches_what_settings_send_it_to(
    manifests: Manifests, labels: dict[str, str], port: int, is_reached: bool
) -> None:
    edge = manifests.one("NetworkPolicy", "alphaswarm-edge")["spec"]["egress"]

    assert is_reached == any(lets_out(rule, labels, port) for rule in edge)


def lets_out(rule: Object, labels: Mapping[str, str], port: int) -> bool:
    """Whether an egress rule lets go to any pod of a namespace with these labels."""
    chosen = [peer["namespaceSelector"]["matchLabels"] for peer in rule["to"] if "namespaceSelector" in peer]
    listed = [each["port"] for each in rule.get("ports", [])]
    return any(each.items() <= labels.items() for each in chosen) and (not listed or port in listed)


def test_in_production_only_the_tunnel_reaches_the_edge_and_is_believed() -> None:
    production = built("overlays/production")
    (users, _) = production.one("NetworkPolicy", "alphaswarm-edge")["spec"]["ingress"]

    assert users["from"] == [{"namespaceSelector": {"matchLabels": {"alphaswarm.io/tunnel": "true"}}}]
    assert production.one("ConfigMap", "alphaswarm-tenant-router-config")["data"]["EDGE_TRUSTED_HOPS"] == "1"


def test_prometheus_finds_what_it_may_reach(manifests: Manifests) -> None:
    for name, port in {"alphaswarm-edge": "metrics", "alphaswarm-tenant-router": "http"}.items():
        template = manifests.one("Deployment", name)["spec"]["template"]
        numbers = {each["name"]: each["containerPort"] for each in template["spec"]["containers"][0]["ports"]}
        rules = manifests.one("NetworkPolicy", name)["spec"]["ingress"]
        assert template["metadata"]["annotations"]["prometheus.io/port"] == str(numbers[port])
        assert [rule["ports"][0]["port"] for rule in rules if "prometheus" in str(rule.get("from"))] == [port]
