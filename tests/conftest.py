"""Fixtures and options for every test."""

import logging
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from tests.support.containers import (
    can_run_envoy,
    container_envoy,
    container_postgres,
    envoy_image,
    is_there,
    postgres_image,
)
from tests.support.postgres import PostgresServer, embedded_postgres
from xds.demo import envoy

# The same examples every time: a run of `make test` tells of the change, not of its luck. New ones are sought by
# `make nightly`, which prints what it finds.
settings.register_profile("daily", derandomize=True, deadline=None, max_examples=60, database=None)
settings.register_profile("nightly", derandomize=False, deadline=None, max_examples=10_000, print_blob=True)
settings.load_profile("daily")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="rewrite the golden files; read the diff")
    parser.addoption("--docker", action="store_true", help="run the tests in tests/docker, on a Docker engine")
    for name, what in {"--postgres": "PostgreSQL", "--envoy": "Envoys"}.items():
        parser.addoption(
            name,
            choices=("auto", "embedded", "container"),
            default="auto",
            help=f"the tests' {what}; auto: from a container if a Docker engine answers and has the image",
        )


def pytest_configure(config: pytest.Config) -> None:
    # Asked once, so that all workers go by one answer.
    if config.option.postgres == "auto":
        config.option.postgres = "container" if is_there(postgres_image()) else "embedded"
    if config.option.envoy == "auto":
        config.option.envoy = "container" if can_run_envoy() else "embedded"
    if config.option.envoy == "container":
        envoy.packaged = container_envoy


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    used = {"PostgreSQL": (config.option.postgres, postgres_image()), "Envoy": (config.option.envoy, envoy_image())}
    for what, (kind, image) in used.items():
        terminalreporter.line(f"{what}: {kind}{f' of {image}' if kind == 'container' else ''}")


@pytest.fixture(scope="session")
def update_golden(request: pytest.FixtureRequest) -> bool:
    """Whether golden files are to be rewritten instead of compared."""
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """A real PostgreSQL server."""
    is_container = request.config.option.postgres == "container"
    with container_postgres() if is_container else embedded_postgres() as server:
        yield server


@pytest.fixture
def database_url(postgres: PostgresServer) -> Iterator[str]:
    """A fresh database with the registry's schema."""
    with postgres.database() as url:
        yield url


@pytest.fixture
def empty_database_url(postgres: PostgresServer) -> Iterator[str]:
    """A fresh database with nothing in it."""
    with postgres.database("template1") as url:
        yield url


@pytest.fixture(autouse=True)
def default_logging() -> Iterator[None]:
    """Undo what a test has done to the process's logging: commands that run in this process configure it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
