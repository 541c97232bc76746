"""What tests take from a Docker engine, if there is one.

Its image is never pulled: a test run must not wait for a registry.
"""

import os
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.postgres import PostgresServer


def postgres_image() -> str:
    """The image of the tests' PostgreSQL; XDS_TEST_POSTGRES_IMAGE names another."""
    return os.environ.get("XDS_TEST_POSTGRES_IMAGE", "postgres:15")


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
