"""The images, built and run as a hardened cluster would run them."""

import json
import time

import pytest

from tests.docker.engine import HARDENED, attempt, docker

LARGEST_MB = {"alphaswarm-edge": 250, "alphaswarm-tenant-router": 320}
WRITABLE = ("--tmpfs", "/run/alphaswarm-edge:uid=101,mode=0700")


def test_the_router_is_fail_closed(images: dict[str, str]) -> None:
    ended = attempt("run", "--rm", *HARDENED, "--env", "XDS_ALLOW_PLAINTEXT=yes", images["alphaswarm-tenant-router"])

    assert ended.returncode == 2
    said = [line for line in ended.stderr.splitlines() if not line.startswith("{")]
    assert [line.split(": ")[1] for line in said] == [
        "AUTH_ISSUER",
        "AUTH_AUDIENCE",
        "AUTH_JWKS_URL",
    ]


def test_the_router_is_alive_without_its_database_and_ends_when_told(images: dict[str, str]) -> None:
    settings = {
        "XDS_ALLOW_PLAINTEXT": "yes",
        "AUTH_MODE": "off",
        "AUTH_ANONYMOUS_TENANT": "acme",
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    }
    given = [each for name, value in settings.items() for each in ("--env", f"{name}={value}")]
    container = docker("run", "--detach", *HARDENED, *given, images["alphaswarm-tenant-router"])
    try:
        assert docker("exec", container, "id", "-u") == "65532"
        deadline = time.monotonic() + 40
        while (health := docker("inspect", "--format", "{{.State.Health.Status}}", container)) == "starting":
            assert time.monotonic() < deadline
            time.sleep(0.5)
        assert health == "healthy"
        docker("stop", "--time", "8", container)
        assert docker("inspect", "--format", "{{.State.ExitCode}}", container) == "0"
    finally:
        docker("rm", "--force", container)


@pytest.mark.parametrize("image", ["alphaswarm-edge", "alphaswarm-tenant-router"])
def test_an_image_has_no_build_tools(images: dict[str, str], image: str) -> None:
    programs = "pip pip3 gcc cc ld make curl wget git" + (" python3" if image == "alphaswarm-edge" else "")
    script = f"for each in {programs}; do command -v $each; done; true"

    assert docker("run", "--rm", "--entrypoint", "sh", images[image], "-c", script) == ""


def test_the_router_can_install_nothing(images: dict[str, str]) -> None:
    script = "from importlib.util import find_spec; print(*filter(find_spec, ('pip', 'setuptools', 'ensurepip')))"

    assert docker("run", "--rm", "--entrypoint", "python", images["alphaswarm-tenant-router"], "-c", script) == ""


def test_the_edge_tells_what_is_missing(images: dict[str, str]) -> None:
    ended = attempt("run", "--rm", *HARDENED, *WRITABLE, images["alphaswarm-edge"])

    assert ended.returncode == 2
    assert [line.split(": ")[1] for line in ended.stderr.splitlines()] == [
        "XDS_SERVER",
        "XDS_TLS_CA_FILE",
        "XDS_TLS_CERT_FILE",
        "XDS_TLS_KEY_FILE",
    ]


def test_the_edges_bootstrap_is_accepted_by_its_envoy(images: dict[str, str]) -> None:
    given = ("--env", "XDS_SERVER=xds.internal:18000", "--env", "XDS_ALLOW_PLAINTEXT=yes")

    docker("run", "--rm", *HARDENED, *WRITABLE, *given, images["alphaswarm-edge"], "--mode", "validate")


@pytest.mark.parametrize("image", ["alphaswarm-edge", "alphaswarm-tenant-router"])
def test_an_image_is_small_and_labelled_and_not_roots_and_tells_its_health(images: dict[str, str], image: str) -> None:
    (found,) = json.loads(docker("image", "inspect", images[image]))

    assert found["Size"] / 1e6 <= LARGEST_MB[image]
    assert found["Config"]["Labels"]["org.opencontainers.image.title"] == image
    assert not found["Config"]["User"].startswith("0")
    assert found["Config"]["Healthcheck"]["Test"][0] == "CMD"
