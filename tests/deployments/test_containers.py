"""Tests go by what a Docker engine has, and by themselves where there is none."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.containers import can_run_envoy, envoy_image, is_there, postgres_image

ROOT = Path(__file__).parents[2]


def test_where_no_engine_answers_there_is_no_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")

    assert not is_there("postgres:15")
    assert not can_run_envoy()


def test_the_image_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDS_TEST_POSTGRES_IMAGE", raising=False)
    assert postgres_image() == "postgres:15"

    monkeypatch.setenv("XDS_TEST_POSTGRES_IMAGE", "mirror.example/postgres:17")
    assert postgres_image() == "mirror.example/postgres:17"


def test_envoys_image_is_the_edges_unless_the_environment_names_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDS_TEST_ENVOY_IMAGE", raising=False)
    dockerfile = (ROOT / "build/docker/alphaswarm-edge/Dockerfile").read_text()
    (edges,) = re.findall(r"^ARG ENVOY=(.+)$", dockerfile, re.MULTILINE)
    assert envoy_image() == edges

    monkeypatch.setenv("XDS_TEST_ENVOY_IMAGE", "mirror.example/envoy:v1.41.0")
    assert envoy_image() == "mirror.example/envoy:v1.41.0"


def test_a_runs_last_lines_say_what_it_used() -> None:
    # A run of one test, which uses neither: so no container has to be there.
    one = f"{__file__}::{test_the_image_is_the_environments.__name__}"
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--postgres=container", one],
        cwd=ROOT,
        env={
            **os.environ,
            "XDS_TEST_POSTGRES_IMAGE": "mirror.example/postgres:17",
            "DOCKER_HOST": "unix:///nowhere/none.sock",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout
    used = [line for line in ran.stdout.splitlines() if line.startswith(("PostgreSQL: ", "Envoy: "))]
    assert used == ["PostgreSQL: container of mirror.example/postgres:17", "Envoy: embedded"]
