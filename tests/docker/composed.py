"""A compose system of the tests' own, and asking it by HTTP."""

import base64
import json
import os
import subprocess
import urllib.request
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.support.containers import is_there

FILE = Path(__file__).parents[2] / "deployments/docker-compose/compose.yaml"
# Any free port: another system may run on this machine.
_PORTS = dict.fromkeys(("IDP_PORT", "ROUTER_PORTS", "EDGE_PORTS", "PROMETHEUS_PORT", "GRAFANA_PORT"), "0")


class Composed:
    """One, by its project's name; with these variables besides."""

    def __init__(self, project: str, **environment: str) -> None:
        self._project = project
        self._environment = {**os.environ, **_PORTS, **environment}

    def __call__(self, *arguments: str, timeout: float = 300) -> str:
        """What `docker compose` prints; an error has what it complains of."""
        ended = subprocess.run(
            ["docker", "compose", "--project-name", self._project, "--file", str(FILE), *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr[-2000:]
        return ended.stdout.strip()

    def url(self, service: str, port: int, index: int = 1) -> str:
        """Where a container's port is to be had."""
        return "http://" + self("port", "--index", str(index), service, str(port))

    def down(self) -> None:
        """Remove all of it."""
        self("--profile", "*", "down", "--volumes")

    def needs_image_of(self, *services: str) -> None:
        """Skip the test where the engine lacks what a service of observability is made of."""
        config = json.loads(self("--profile", "observability", "config", "--format", "json"))
        for service in services:
            image = config["services"][service]["image"]
            if not is_there(image):
                pytest.skip(f"the engine has no image {image} ({service.upper()}_IMAGE names another)")


def get(url: str, token: str = "", *, user: str = "") -> tuple[int, str]:
    """Status and text; with a token, or as a user with his password."""
    shown = f"Basic {base64.b64encode(user.encode()).decode()}" if user else f"Bearer {token}"
    request = urllib.request.Request(url, headers={"Authorization": shown} if token or user else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as refusal:
        return refusal.code, refusal.read().decode()
