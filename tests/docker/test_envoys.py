"""The tests' own Envoys in containers (--envoy=container): what is done to one is done to the process in there."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.docker.engine import docker
from tests.support.containers import container_envoy, envoy_image, is_there
from xds.demo.ports import LOOPBACK
from xds.demo.processes import Child

IDLE = {"admin": {"address": {"socket_address": {"address": LOOPBACK, "port_value": 0}}}}


@pytest.fixture(scope="module", autouse=True)
def image() -> None:
    """The image; only here is it pulled."""
    if not is_there(envoy_image()):
        docker("pull", "--quiet", envoy_image(), timeout=300)


def containers(started_by: int) -> list[str]:
    return docker("ps", "--all", "--quiet", "--filter", f"name=xds-test-{started_by}-").split()


def idle(folder: Path) -> Child:
    """An Envoy that has nothing to do, not started."""
    (folder / "idle.json").write_text(json.dumps(IDLE))
    return container_envoy("Envoy", ["-c", folder / "idle.json"], log=folder / "envoy.log")


def has_begun(started_by: int, folder: Path) -> bool:
    log = folder / "envoy.log"
    return bool(containers(started_by)) and "starting main dispatch loop" in log.read_text()


async def begin(child: Child, folder: Path) -> None:
    async def is_there() -> bool:
        return has_begun(os.getpid(), folder)

    child.start()
    await child.wait_until(is_there, timeout=20)


async def test_it_is_a_process_of_its_container_that_can_be_paused_and_ended(tmp_path: Path) -> None:
    child, here = idle(tmp_path), os.getpid()
    await begin(child, tmp_path)
    (container,) = containers(here)

    assert docker("inspect", "--format", "{{.State.Pid}}", container) == str(child.pid)
    child.send(signal.SIGSTOP)

    async def is_stopped() -> bool:
        return bool(psutil.Process(child.pid).status() == psutil.STATUS_STOPPED)

    await child.wait_until(is_stopped, timeout=5)
    await child.stop()

    assert child.status == 0
    assert containers(here) == []


async def test_one_that_is_killed_leaves_no_container(tmp_path: Path) -> None:
    child, here = idle(tmp_path), os.getpid()
    await begin(child, tmp_path)
    child.kill()

    assert child.status == -signal.SIGKILL
    assert containers(here) == []


def test_it_dies_with_the_tests(tmp_path: Path) -> None:
    """Not even a run that is killed leaves one behind."""
    program = (
        "import sys, time; from pathlib import Path; from tests.docker.test_envoys import idle;"
        " idle(Path(sys.argv[1])).start(); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program, tmp_path], cwd=Path(__file__).parents[2]) as run:
        deadline = time.monotonic() + 20
        while not has_begun(run.pid, tmp_path):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        run.kill()
    while containers(run.pid):
        assert time.monotonic() < deadline
        time.sleep(0.1)
