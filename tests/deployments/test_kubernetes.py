"""The Kubernetes objects fit each other, the program's settings, and the runbook.

Whatever one names is there in the other: a selector's pods, a port, a key, a Secret, a file, a setting.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from tests.deployments.manifests import (
    BASES,
    EDGE,
    OVERLAYS,
    ROOT,
    Manifests,
    bases,
    built,
    container,
    environment,
    peers,
    ports,
)
from xds import __version__
from xds.errors import SettingsError
from xds.identities import Access, NodeRule
from xds.names import NodeGroup, NodeId
from xds.settings import Settings
from xds.tokens import read_issuers

GIVEN = {
    "alphaswarm-tenant-router-database": {"DATABASE_URL"},
    "alphaswarm-tenant-router-xds-tls": {"tls.crt", "tls.key", "ca.crt"},
    "alphaswarm-edge-xds-tls": {"tls.crt", "tls.key", "ca.crt"},
}
"""The Secrets that are given from outside, and their keys: what the bases' kustomizations say."""

VERSIONS = ("1.29.0", "1.37.0")
IMAGE = ROOT / "build/docker"
VARIABLES = {
    name
    for script in ("entrypoint.sh", "admin.sh")
    for name in re.findall(r"\$\{([A-Z_]+)", (IMAGE / "alphaswarm-edge" / script).read_text(encoding="utf-8"))
}
"""What the edge's image reads of its environment."""


def selectors(manifests: Manifests) -> Iterator[tuple[str, dict[str, str]]]:
    """Everything that selects pods of ours, and by which labels."""
    for each in manifests.objects:
        name, spec = f"{each['kind']}/{each['metadata']['name']}", each.get("spec", {})
        match each["kind"]:
            case "Service":
                yield name, spec["selector"]
            case "Deployment" | "PodDisruptionBudget" | "PodMonitor":
                yield name, spec["selector"]["matchLabels"]
            case "NetworkPolicy":
                yield name, spec["podSelector"].get("matchLabels", {})
                for peer in peers(each):
                    if "podSelector" in peer and "namespaceSelector" not in peer:
                        yield name, peer["podSelector"]["matchLabels"]
    for name, template in manifests.templates():
        for constraint in template["spec"].get("topologySpreadConstraints", []):
            yield f"{name}, spread", constraint["labelSelector"]["matchLabels"]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_one_by_the_strict_schema(manifests: Manifests, version: str) -> None:
    for each in manifests.objects:
        if not each["apiVersion"].startswith(("cert-manager.io/", "monitoring.coreos.com/")):
            kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize("folder", [*BASES, *OVERLAYS])
def test_every_kustomization_can_be_built(folder: str) -> None:
    assert built(folder).objects


@pytest.mark.parametrize("folder", BASES)
def test_a_base_is_read_as_kustomize_builds_it(folder: str) -> None:
    ours = {(each["kind"], each["metadata"]["name"]): each for each in bases().objects}

    for each in built(folder).objects:
        assert ours[each["kind"], each["metadata"]["name"]] == each


def test_everything_is_in_the_namespace_with_the_runbooks_label(manifests: Manifests) -> None:
    (namespace,) = manifests.of("Namespace")

    assert namespace["metadata"]["name"] == "alphaswarm-edge"
    assert namespace["metadata"]["labels"]["alphaswarm.io/host-network-allowed"] == "true"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    others = [each for each in manifests.objects if each["kind"] != "Namespace"]
    assert {each["metadata"]["namespace"] for each in others} == {"alphaswarm-edge"}


def test_the_runbooks_names_are_there(manifests: Manifests) -> None:
    for name in ("alphaswarm-edge", "alphaswarm-tenant-router"):
        for kind in ("Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler", "NetworkPolicy"):
            assert manifests.one(kind, name)
        assert manifests.one("Deployment", name)["spec"]["template"]["metadata"]["labels"]["app"] == name
    router = {
        port["name"]: port["port"] for port in manifests.one("Service", "alphaswarm-tenant-router")["spec"]["ports"]
    }
    assert router == {"http": 8080, "xds": 18000}
    validator = manifests.one("Service", "alphaswarm-cell-bound-validator")["spec"]
    assert validator["selector"] == {"app": "alphaswarm-tenant-router"}
    assert [port["targetPort"] for port in validator["ports"]] == ["http"]


def test_every_selector_finds_pods(manifests: Manifests) -> None:
    assert [(name, labels) for name, labels in selectors(manifests) if not manifests.selected(labels)] == []


def test_a_services_pods_are_of_one_kind_and_have_its_ports(manifests: Manifests) -> None:
    for service in manifests.of("Service"):
        (template,) = manifests.selected(service["spec"]["selector"])
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports(template)


def test_a_probes_port_is_its_containers(manifests: Manifests) -> None:
    for owner, each in manifests.containers():
        asked = {each[name]["httpGet"]["port"] for name in each if name.endswith("Probe") and "httpGet" in each[name]}
        assert asked <= {port["name"] for port in each.get("ports", [])}, owner


def test_every_secret_and_key_is_there_or_given(manifests: Manifests) -> None:
    made = {each["metadata"]["name"]: set(each["data"]) for each in manifests.of("Secret")}
    issued = {each["spec"]["secretName"]: {"tls.crt", "tls.key", "ca.crt"} for each in manifests.of("Certificate")}
    known = {**GIVEN, **issued, **made}
    for owner, each in manifests.containers():
        for variable in each.get("env", []):
            if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                assert reference["key"] in known[reference["name"]], owner
    for owner, template in manifests.templates():
        for volume in template["spec"].get("volumes", []):
            assert "secret" not in volume or volume["secret"]["secretName"] in known, owner


def test_every_volume_and_service_account_is_there(manifests: Manifests) -> None:
    accounts = {each["metadata"]["name"] for each in manifests.of("ServiceAccount")} | {"default"}
    for owner, template in manifests.templates():
        volumes = {volume["name"] for volume in template["spec"].get("volumes", [])}
        mounts = [mount["name"] for each in template["spec"]["containers"] for mount in each.get("volumeMounts", [])]
        assert set(mounts) == volumes, owner
        assert template["spec"].get("serviceAccountName", "default") in accounts


def test_every_file_that_a_setting_names_is_of_a_secret(manifests: Manifests) -> None:
    for deployment in BASES:
        each = container(manifests, deployment)
        given = environment(manifests, each)
        files = [Path(value) for name, value in given.items() if re.fullmatch("XDS_TLS_.*_FILE", name)]
        mounts = {mount["mountPath"]: mount["name"] for mount in each["volumeMounts"]}
        for file in files:
            assert mounts[str(file.parent)] == "tls"
            assert file.name in GIVEN[f"{deployment}-xds-tls"]


def test_the_last_snapshot_is_kept_where_the_router_may_write(manifests: Manifests) -> None:
    pod = manifests.one("Deployment", "alphaswarm-tenant-router")["spec"]["template"]["spec"]
    (each,) = pod["containers"]
    mounts = {mount["mountPath"]: mount for mount in each["volumeMounts"] if not mount.get("readOnly")}
    mount = mounts[str(Path(environment(manifests, each)["SNAPSHOT_FILE"]).parent)]

    assert {"name": mount["name"], "emptyDir": {}} in pod["volumes"]


def test_the_routers_settings_are_settings(manifests: Manifests) -> None:
    known = {name.upper() for name in Settings.model_fields}
    routers = (each for _, each in manifests.containers() if "alphaswarm-tenant-router" in each["image"])

    assert {name for each in routers for name in environment(manifests, each)} <= known


def test_the_edges_settings_are_read_by_its_image(manifests: Manifests) -> None:
    assert environment(manifests, container(manifests, "alphaswarm-edge")).keys() <= VARIABLES


def test_it_ships_fail_closed_and_starts_when_stamped(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bases().one("ConfigMap", "alphaswarm-tenant-router-config")["data"]
    assert (data["AUTH_MODE"], data["CBA_MODE"]) == ("required", "enforce")
    for name, value in data.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as refused:
        read_issuers(Settings.read())
    assert [fault.partition(":")[0] for fault in refused.value.faults] == [
        "AUTH_ISSUER",
        "AUTH_AUDIENCE",
        "AUTH_JWKS_URL",
    ]

    stamped = {"AUTH_ISSUER": "https://idp", "AUTH_AUDIENCE": "a", "AUTH_JWKS_URL": "https://idp/jwks"}
    for name, value in stamped.items():
        monkeypatch.setenv(name, value)
    assert len(read_issuers(Settings.read())) == 1


def test_stamping_survives_an_apply() -> None:
    data = bases().one("ConfigMap", "alphaswarm-tenant-router-config")["data"]

    assert {"AUTH_ISSUER", "AUTH_AUDIENCE", "AUTH_JWKS_URL"}.isdisjoint(data)


def test_the_routers_settings_are_good_values(manifests: Manifests, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(manifests, container(manifests, "alphaswarm-tenant-router")).items():
        monkeypatch.setenv(name, value)
    settings = Settings.read()

    ports = {port["name"]: port["containerPort"] for port in container(manifests, "alphaswarm-tenant-router")["ports"]}
    assert ports == {"http": settings.http_listen.port, "xds": settings.xds_listen.port}
    edge = environment(manifests, container(manifests, "alphaswarm-edge"))
    listener = settings.edge_listeners[edge["NODE_GROUP"]]
    ports = {port["name"]: port["containerPort"] for port in container(manifests, "alphaswarm-edge")["ports"]}
    assert ports == {"http": listener.port, "metrics": 9902}


def test_a_pod_has_time_to_drain(manifests: Manifests) -> None:
    router, edge = (manifests.one("Deployment", name)["spec"]["template"]["spec"] for name in reversed(BASES))
    (command,) = (each["lifecycle"]["preStop"]["exec"]["command"] for each in router["containers"])
    streams = float(environment(manifests, router["containers"][0])["SHUTDOWN_SECONDS"])
    drained = environment(manifests, edge["containers"][0])

    # A second more for the last stream, one for HTTP, and some to spare.
    assert float(command[1]) + streams + 5 <= router["terminationGracePeriodSeconds"]
    assert edge["containers"][0]["lifecycle"]["preStop"]["exec"]["command"] == ["alphaswarm-edge-admin", "drain"]
    assert int(drained["DRAIN_LEAST_SECONDS"]) < int(drained["DRAIN_SECONDS"])
    assert int(drained["DRAIN_SECONDS"]) + 5 <= edge["terminationGracePeriodSeconds"]


def test_envoys_heap_leaves_its_container_some_memory(manifests: Manifests) -> None:
    each = container(manifests, "alphaswarm-edge")
    limit = each["resources"]["limits"]["memory"]

    assert limit.endswith("Gi")
    share = int(environment(manifests, each)["MAX_HEAP_BYTES"]) / (int(limit[:-2]) * 1024**3)
    assert 0.7 < share <= 0.8


def test_every_pod_is_of_the_restricted_profile(manifests: Manifests) -> None:
    for owner, template in manifests.templates():
        pod: dict[str, Any] = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True, owner
        assert pod["securityContext"]["runAsUser"] > 0, owner
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, owner
        assert pod["automountServiceAccountToken"] is False, owner
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(), owner
        for each in pod["containers"]:
            context = each["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, owner
            assert context["readOnlyRootFilesystem"] is True, owner
            assert context["capabilities"] == {"drop": ["ALL"]}, owner
            assert each["resources"]["requests"].keys() == {"cpu", "memory"}, owner
            assert "memory" in each["resources"]["limits"], owner


@pytest.mark.parametrize("image", BASES)
def test_a_pods_user_is_its_images(manifests: Manifests, image: str) -> None:
    last = (IMAGE / image / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    (user,) = re.findall(r"^USER (\d+):\d+$", last, re.MULTILINE)
    pods = [
        template["spec"]
        for _, template in manifests.templates()
        if any(image in each["image"] for each in template["spec"]["containers"])
    ]

    assert pods
    assert {pod["securityContext"]["runAsUser"] for pod in pods} == {int(user)}


def test_autoscalers_have_their_deployments_and_no_replicas_beside_them(manifests: Manifests) -> None:
    for each in manifests.of("HorizontalPodAutoscaler"):
        target = manifests.one(each["spec"]["scaleTargetRef"]["kind"], each["spec"]["scaleTargetRef"]["name"])
        assert "replicas" not in target["spec"]
        assert each["spec"]["minReplicas"] <= each["spec"]["maxReplicas"]


def test_the_jobs_name_is_this_versions(manifests: Manifests) -> None:
    # Another version's Job is another Job: one that is there can't be changed.
    (job,) = manifests.of("Job")

    assert job["metadata"]["name"] == f"alphaswarm-tenant-router-migrate-v{__version__.replace('.', '-')}"
    assert len(job["metadata"]["name"]) <= 63


def test_images_are_this_version() -> None:
    images = {each["image"] for _, each in bases().containers()}

    assert images == {f"ghcr.io/julianwiley/{name}:v{__version__}" for name in BASES}


def test_production_has_certificates_for_whom_the_router_expects() -> None:
    production = built("overlays/production")
    certificates = {each["spec"]["secretName"]: each["spec"] for each in production.of("Certificate")}
    edge, router = (certificates[f"{name}-xds-tls"] for name in BASES)
    rule = production.one("ConfigMap", "alphaswarm-tenant-router-config")["data"]["XDS_NODE_IDENTITIES"]
    server = production.one("ConfigMap", "alphaswarm-edge-config")["data"]["XDS_SERVER"]

    access = Access(nodes=(NodeRule.parse(rule),))
    group = NodeGroup(production.one("ConfigMap", "alphaswarm-edge-config")["data"]["NODE_GROUP"])
    (pod,) = (
        each["valueFrom"]["fieldRef"]["fieldPath"].replace("metadata.name", "alphaswarm-edge-5d4f8c7b9-x2x4z")
        for each in container(production, "alphaswarm-edge")["env"]
        if each["name"] == "POD_NAME"
    )
    assert access.refuse_node(tuple(edge["uris"]), NodeId(pod), group) is None
    assert access.refuse_node(tuple(edge["uris"]), NodeId("alphaswarm-tenant-router-5d4f8c7b9-x2x4z"), group)
    assert access.refuse_node(tuple(router["dnsNames"]), NodeId(pod), group)
    assert [server.partition(":")[0]] == router["dnsNames"]
    issuers = {each["metadata"]["name"]: each["spec"] for each in production.of("Issuer")}
    for each in (edge, router):
        assert issuers[each["issuerRef"]["name"]]["ca"]["secretName"] in certificates


def test_every_file_of_a_folder_is_used() -> None:
    for kustomization in EDGE.rglob("kustomization.yaml"):
        text = kustomization.read_text()
        others = (path.name for path in kustomization.parent.glob("*.yaml") if path != kustomization)
        assert [name for name in others if f"- {name}\n" not in text] == []


def test_the_production_setting_is_as_fail_closed_as_the_base() -> None:
    data = built("overlays/production").one("ConfigMap", "alphaswarm-tenant-router-config")["data"]

    assert data["AUTH_MODE"] == "required"
    assert not {name for name in data if name.startswith(("AUTH_ISSUER", "XDS_ALLOW"))}
