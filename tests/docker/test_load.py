"""The load tests on the compose system: a scenario passes, and nothing of it stays behind."""

import json
import subprocess
import sys
from pathlib import Path

from tests.docker.engine import docker

ROOT = Path(__file__).parents[2]


def test_a_scenario_passes_on_compose_and_leaves_nothing(tmp_path: Path) -> None:
    size = ("--seconds", "2", "--rate", "100", "--report", str(tmp_path))
    ended = subprocess.run(
        [sys.executable, "-m", "tests.load", "--on", "compose", "--scenario", "drain", *size, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    (scenario,) = json.loads(ended.stdout)["scenarios"]
    assert (scenario["ok"], scenario["failed"]) == (True, 0)
    assert scenario["requests"] > 200
    for kind in ("container", "network", "volume"):
        listed = docker(kind, "ls", "--quiet", "--filter", "label=com.docker.compose.project=alphaswarm-load")
        assert listed == "", kind
