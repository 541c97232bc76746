"""What every command has in common: help, exit statuses, Ctrl-C."""

import os
import signal
import subprocess

import asyncpg
import pytest

from tests.integration.cli.conftest import PROGRAM, Run
from xds import __version__
from xds.cli import COMMANDS


def test_the_help_names_every_command_without_importing_any() -> None:
    code = (
        "import sys, click\nfrom xds.cli import program\n"
        "program.main(['--help'], standalone_mode=False)\n"
        "print(sorted(m for m in sys.modules if m in ('asyncpg', 'grpc', 'envoy_data_plane', 'alembic', 'rich')))"
    )
    done = subprocess.run(
        [PROGRAM.with_name("python"), "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(f"\n  {name} " in done.stdout for name in COMMANDS)


def test_no_command_waits_for_envoys_schema_that_does_without() -> None:
    names = sorted(COMMANDS)
    code = (
        f"import sys, importlib\nfor name in {names}: importlib.import_module('xds.cli.' + name)\n"
        "print(sorted(m for m in sys.modules if m == 'envoy_data_plane'))"
    )
    done = subprocess.run(
        [PROGRAM.with_name("python"), "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "status", "out"),
    [
        (["--version"], 0, f"alphaswarm-xds, version {__version__}\n"),
        (["nonsense"], 2, ""),
        (["cells", "list", "x"], 2, ""),
    ],
)
def test_exit_statuses(xds: Run, arguments: list[str], status: int, out: str) -> None:
    ran = xds(*arguments)
    assert (ran.status, ran.out) == (status, out)


async def test_ctrl_c_ends_with_130_and_no_traceback(database_url: str) -> None:
    """Interrupted while it waits for a lock that somebody else holds."""
    connection = await asyncpg.connect(database_url, timeout=10, command_timeout=20)
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE cells")
            process = subprocess.Popen(  # noqa: ASYNC220 -- it is waited for below, with a deadline
                [PROGRAM, "cells", "list"],
                env={"PATH": os.environ["PATH"], "DATABASE_URL": database_url},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'cells'::regclass"
            while not await connection.fetchval(waiting):
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
    finally:
        await connection.close(timeout=10)
    assert process.returncode == 130
    assert out == ""
    assert "Traceback" not in err
    assert err.strip() == ""
