"""The load tests on the compose system: every scenario passes, and nothing of it stays behind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docker.engine import docker
from tests.load.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_scenario_passes_on_compose_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    size = ("--seconds", "2", "--rate", "100", "--clients", "200", "--report", str(tmp_path))
    ended = subprocess.run(
        [sys.executable, "-m", "tests.load", "--on", "compose", "--scenario", name, *size, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    (scenario,) = json.loads(ended.stdout)["scenarios"]
    assert (scenario["name"], scenario["ok"], scenario["failed"]) == (name, True, 0)
    assert scenario["requests"] > 100
    for kind in ("container", "network", "volume"):
        listed = docker(kind, "ls", "--quiet", "--filter", "label=com.docker.compose.project=alphaswarm-load")
        assert listed == "", kind
