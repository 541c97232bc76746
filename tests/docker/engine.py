"""Calling the program `docker`."""

import subprocess
from pathlib import Path

HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
"""How Kubernetes runs a container of the restricted profile, with a root file system that is read-only."""


def docker(*arguments: str, cwd: Path | None = None, timeout: float = 60) -> str:
    """What it prints; an error has what it complains of."""
    ended = attempt(*arguments, cwd=cwd, timeout=timeout)
    assert ended.returncode == 0, f"docker {' '.join(arguments)}: {ended.stderr[-2000:]}"
    return ended.stdout.strip()


def attempt(*arguments: str, cwd: Path | None = None, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """How it ends."""
    return subprocess.run(["docker", *arguments], cwd=cwd, capture_output=True, text=True, timeout=timeout, check=False)
