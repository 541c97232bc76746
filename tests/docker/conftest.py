"""What needs a Docker engine: run by `make docker-test`, skipped everywhere else."""

from pathlib import Path

import pytest

from tests.docker.engine import docker

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--docker"):
        skip = pytest.mark.skip(reason="needs a Docker engine: make docker-test")
        for item in items:
            if item.path.is_relative_to(HERE):
                item.add_marker(skip)


@pytest.fixture(scope="session")
def images() -> dict[str, str]:
    """Both images, built as the runbook builds them, by name."""
    tags = {name: f"{name}:docker-test" for name in ("alphaswarm-edge", "alphaswarm-tenant-router")}
    for name, tag in tags.items():
        file = f"build/docker/{name}/Dockerfile"
        docker("buildx", "build", "--quiet", "--file", file, "--tag", tag, "--load", ".", cwd=ROOT, timeout=900)
    return tags
