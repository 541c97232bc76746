"""Kubernetes objects, as the kustomizations have them, and how they name each other.

The bases are read as they stand, with no other program: they have resources only. The overlays need `kubectl`.
"""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from tests.support.tools import needed

ROOT = Path(__file__).parents[2]
EDGE = ROOT / "deployments/kubernetes/edge"
BASES = ("alphaswarm-edge", "alphaswarm-tenant-router")
OVERLAYS = ("overlays/local", "overlays/production")

Object: TypeAlias = dict[str, Any]


class Manifests:
    """The objects of one setting."""

    def __init__(self, objects: list[Object]) -> None:
        self.objects = objects

    def of(self, kind: str) -> list[Object]:
        """All of a kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str, name: str) -> Object:
        """The one of that name."""
        (found,) = (each for each in self.of(kind) if each["metadata"]["name"] == name)
        return found

    def templates(self) -> Iterator[tuple[str, Object]]:
        """Every pod template, by what makes pods of it."""
        for each in self.objects:
            if "template" in each.get("spec", {}):
                yield f"{each['kind']}/{each['metadata']['name']}", each["spec"]["template"]

    def containers(self) -> Iterator[tuple[str, Object]]:
        """Every container."""
        for owner, template in self.templates():
            for container in template["spec"]["containers"]:
                yield owner, container

    def selected(self, labels: Mapping[str, str]) -> list[Object]:
        """The pod templates with these labels."""
        return [
            template
            for _, template in self.templates()
            if labels.items() <= template["metadata"].get("labels", {}).items()
        ]


def bases() -> Manifests:
    """Both bases, read as they stand."""
    return Manifests([each for base in BASES for each in _read(EDGE / base)])


def built(folder: str) -> Manifests:
    """A kustomization, built; skips the test where there is no kubectl."""
    command = [needed("kubectl"), "kustomize", str(EDGE / folder)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return Manifests(list(yaml.safe_load_all(ended.stdout)))


def peers(policy: Object) -> Iterator[Object]:
    """Whom a NetworkPolicy names, in either direction."""
    for rule in policy["spec"].get("ingress", []):
        yield from rule.get("from", [])
    for rule in policy["spec"].get("egress", []):
        yield from rule.get("to", [])


def ports(template: Object) -> set[str | int]:
    """A pod's ports, by name and by number."""
    listed = [port for each in template["spec"]["containers"] for port in each.get("ports", [])]
    return {port["name"] for port in listed} | {port["containerPort"] for port in listed}


def environment(manifests: Manifests, container: Object) -> dict[str, str]:
    """What a container has of ConfigMaps, and by value."""
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= manifests.one("ConfigMap", source["configMapRef"]["name"])["data"]
    return found | {each["name"]: each.get("value", "") for each in container.get("env", [])}


def container(manifests: Manifests, deployment: str) -> Object:
    """A Deployment's only one."""
    (found,) = manifests.one("Deployment", deployment)["spec"]["template"]["spec"]["containers"]
    return dict(found)


def _read(folder: Path) -> Iterator[Object]:
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    assert kustomization.keys() == {"apiVersion", "kind", "resources"}, "a base is its resources, as they stand"
    for resource in kustomization["resources"]:
        yield from yaml.safe_load_all((folder / resource).read_text(encoding="utf-8"))
