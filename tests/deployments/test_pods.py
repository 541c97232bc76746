"""What keeps pods running: probes, what they run, where they are, and how many may be gone at once."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.deployments.commandlines import parse
from tests.deployments.manifests import BASES, ROOT, Manifests, container
from tests.integration.http.face import Face
from xds.cli import PROGRAM
from xds.http.app import build_app

EDGE, ROUTER = BASES
IMAGE = ROOT / "build/docker"

PROBES: dict[str, dict[str, dict[str, Any]]] = {
    EDGE: {
        # The listener answers it, once there is one.
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
        "livenessProbe": {"exec": {"command": ["alphaswarm-edge-admin", "live"]}},
    },
    ROUTER: {
        "startupProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}},
        # Not /readyz: a restart brings back no database, and a router that serves on would be gone.
        "livenessProbe": {"httpGet": {"path": "/healthz", "port": "http"}},
    },
    "postgres": {
        "readinessProbe": {"exec": {"command": ["pg_isready", "--username", "postgres", "--host", "127.0.0.1"]}},
    },
}


def deployments(manifests: Manifests) -> Iterator[tuple[str, dict[str, Any]]]:
    for each in manifests.of("Deployment"):
        yield each["metadata"]["name"], each["spec"]


def test_each_deployment_has_its_probes(manifests: Manifests) -> None:
    for name, _ in deployments(manifests):
        probes = {probe: how for probe, how in container(manifests, name).items() if probe.endswith("Probe")}
        asked = {probe: {way: how[way] for way in ("httpGet", "exec") if way in how} for probe, how in probes.items()}
        assert asked == PROBES[name]


def test_what_probes_ask_is_answered() -> None:
    face = Face()
    app = build_app(face.read, face.metrics)
    served = {route.resource.canonical for route in app.router.routes() if route.resource}
    routes = (ROOT / "tests/golden/one-shared-cell/routes.yaml").read_text()
    (words,) = re.findall(r"usage: alphaswarm-edge-admin ([\w|]+)", (IMAGE / EDGE / "admin.sh").read_text())

    assert {how["httpGet"]["path"] for how in PROBES[ROUTER].values()} <= served
    assert f"path: {PROBES[EDGE]['readinessProbe']['httpGet']['path']}\n" in routes
    assert PROBES[EDGE]["livenessProbe"]["exec"]["command"][1] in words.split("|")


def test_the_job_migrates_and_the_deployment_serves(manifests: Manifests) -> None:
    dockerfile = (IMAGE / ROUTER / "Dockerfile").read_text()
    assert f'ENTRYPOINT ["{PROGRAM}"]\nCMD ["serve"]\n' in dockerfile
    run = {
        owner.partition("/")[0]: each.get("args")
        for owner, each in manifests.containers()
        if each["image"].rpartition(":")[0].endswith(ROUTER)
    }

    assert run == {"Deployment": None, "Job": ["migrate"]}
    parse("migrate")
    assert not [owner for owner, each in manifests.containers() if "command" in each]


def test_the_job_deletes_itself(manifests: Manifests) -> None:
    (job,) = manifests.of("Job")

    assert 0 < job["spec"]["ttlSecondsAfterFinished"] <= 3600
    assert job["spec"]["backoffLimit"] > 0
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "OnFailure"


def test_an_envoy_is_named_after_its_pod(manifests: Manifests) -> None:
    variables = {each["name"]: each.get("valueFrom") for each in container(manifests, EDGE)["env"]}

    assert variables["POD_NAME"] == {"fieldRef": {"fieldPath": "metadata.name"}}


@pytest.mark.parametrize("name", BASES)
def test_pods_are_spread_over_zones_and_machines(manifests: Manifests, name: str) -> None:
    spread = manifests.one("Deployment", name)["spec"]["template"]["spec"]["topologySpreadConstraints"]

    assert [each["topologyKey"] for each in spread] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert {each["maxSkew"] for each in spread} == {1}
    assert [each["labelSelector"]["matchLabels"] for each in spread] == [{"app": name}] * 2


@pytest.mark.parametrize("name", BASES)
def test_one_pod_at_a_time_may_be_gone_and_none_for_a_new_version(manifests: Manifests, name: str) -> None:
    budget = manifests.one("PodDisruptionBudget", name)["spec"]
    rolling = manifests.one("Deployment", name)["spec"]["strategy"]

    # 0 would have no machine be drained.
    assert budget == {"maxUnavailable": 1, "selector": {"matchLabels": {"app": name}}}
    assert rolling == {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}


def test_a_check_inside_the_cluster_finds_every_pod(manifests: Manifests) -> None:
    router, edge = (manifests.one("Service", f"{name}-pods")["spec"] for name in (ROUTER, EDGE))

    assert {router["clusterIP"], edge["clusterIP"]} == {"None"}
    # A router that is not ready must be seen, and not be gone.
    assert router["publishNotReadyAddresses"] is True
    assert [port["port"] for port in (*router["ports"], *edge["ports"])] == [8080, 9902]
