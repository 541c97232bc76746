"""Who may talk to whom: what the manifests and settings need, and nothing else."""

import pytest

from tests.deployments.manifests import Manifests, built, container, environment, ports
from tests.deployments.reaching import Party, reaches
from tests.support.promql import scrape_configs


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
    edge = manifests.one("NetworkPolicy", "alphaswarm-edge")["spec"]

    assert host == f"{service['metadata']['name']}.alphaswarm-edge.svc"
    assert port in {str(each["port"]) for each in service["spec"]["ports"]}
    assert {"app": "alphaswarm-tenant-router"} in [
        peer.get("podSelector", {}).get("matchLabels") for rule in edge["egress"] for peer in rule.get("to", [])
    ]


PORTS = ("udp/53", *(f"tcp/{port}" for port in (53, 443, 1234, 4317, 5432, 8080, 9090, 9901, 9902, 10000, 18000)))
DNS = {"udp/53", "tcp/53"}
ANY = set(PORTS)
DATABASE = {"tcp/5432"}
ANYWHERE = {"tcp/443"} | DATABASE
"""PostgreSQL and the identity provider are wherever they are: the router may leave by these ports."""

OTHERS = {
    "the internet": Party(),
    "dns": Party.elsewhere("kube-system"),
    "a cell": Party.elsewhere("cell-a", {"alphaswarm.io/cell": "true"}),
    "an upstream": Party.elsewhere("client", {"alphaswarm.io/edge-upstream": "true"}),
    "the tunnel": Party.elsewhere("cloudflared", {"alphaswarm.io/tunnel": "true"}),
    "prometheus": Party.elsewhere("monitoring", labels={"app.kubernetes.io/name": "prometheus"}),
    "the collector": Party.elsewhere("monitoring"),
    "a stranger": Party.elsewhere("default"),
}
SCRAPED = {job["job_name"]: job.get("metrics_path", "/metrics") for job in scrape_configs()}
ROUTER = "alphaswarm-tenant-router"
REACHED: dict[str, dict[str, set[str]]] = {
    "alphaswarm-edge": {
        "dns": DNS,
        ROUTER: {"tcp/18000"},
        "a cell": ANY,
        "an upstream": ANY,
        "prometheus": {"tcp/4317"},
        "the collector": {"tcp/4317"},
    },
    ROUTER: {
        **dict.fromkeys(OTHERS, ANYWHERE),
        "dns": DNS | ANYWHERE,
        # What `canary check` asks.
        ROUTER: {"tcp/8080"},
        "alphaswarm-edge": {"tcp/9902"},
        "prometheus": {"tcp/9090"} | ANYWHERE,
    },
    f"{ROUTER}-migrate": {**dict.fromkeys(OTHERS, DATABASE), "dns": DNS | DATABASE},
    "a cell": {ROUTER: {"tcp/8080"}},
    "prometheus": {"alphaswarm-edge": {"tcp/9902"}, ROUTER: {"tcp/8080"}},
}
"""Whom each may reach, and at which ports; beside the edge's own port, and nobody else."""


def test_everybody_reaches_whom_he_has_to_and_nobody_else(manifests: Manifests, request: pytest.FixtureRequest) -> None:
    setting = request.node.callspec.params["manifests"]
    ours = {template["metadata"]["labels"]["app"]: Party.of(template) for _, template in manifests.templates()}
    expected = {(who, whom, port) for who, each in REACHED.items() for whom in each for port in each[whom]}
    users = ["the tunnel"] if setting == "overlays/production" else OTHERS
    expected |= {(user, "alphaswarm-edge", "tcp/10000") for user in users}
    if setting == "overlays/local":
        expected |= {("postgres", "dns", port) for port in DNS}
        expected |= {(who, "postgres", "tcp/5432") for who in (ROUTER, f"{ROUTER}-migrate", *OTHERS)}

    parties = {**OTHERS, **ours}
    found = {
        (who, whom, port)
        for who in parties
        for whom in parties
        if {who, whom} & ours.keys()
        for port in PORTS
        if reaches(manifests, parties[who], parties[whom], port)
    }
    assert found == expected


def test_in_production_only_the_tunnel_reaches_the_edge_and_is_believed() -> None:
    production = built("overlays/production")
    users, *_ = production.one("NetworkPolicy", "alphaswarm-edge")["spec"]["ingress"]

    assert users["from"] == [{"namespaceSelector": {"matchLabels": {"alphaswarm.io/tunnel": "true"}}}]
    assert production.one("ConfigMap", "alphaswarm-tenant-router-config")["data"]["EDGE_TRUSTED_HOPS"] == "1"


def test_prometheus_scrapes_what_it_may_reach(manifests: Manifests) -> None:
    for name, port in {"alphaswarm-edge": "metrics", "alphaswarm-tenant-router": "http"}.items():
        template = manifests.one("Deployment", name)["spec"]["template"]
        number = Party.of(template).ports[port]
        annotations = {each: str(value) for each, value in template["metadata"].get("annotations", {}).items()}
        monitors = [each["spec"] for each in manifests.of("PodMonitor") if each["metadata"]["name"] == name]
        scraped = [(each["port"], each["path"]) for spec in monitors for each in spec["podMetricsEndpoints"]]
        if annotations:
            scraped.append((port, annotations["prometheus.io/path"]))
            assert annotations["prometheus.io/port"] == str(number)
        # Once, by either way.
        assert scraped == [(port, SCRAPED[name])]
        assert reaches(manifests, OTHERS["prometheus"], Party.of(template), f"tcp/{number}")
