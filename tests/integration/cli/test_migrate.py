"""`alphaswarm-xds migrate`, and what every command has in common."""

import os
import signal
import subprocess
from pathlib import Path

import asyncpg
import pytest

from tests.integration.cli.conftest import PROGRAM, Run, run_program
from xds import __version__
from xds.cli import COMMANDS
from xds.settings import Settings

DOWN = "postgresql://user:s3cret@127.0.0.1:1/alphaswarm"


def test_migrate_says_from_where_to_where(empty_database_url: str) -> None:
    first = run_program(["migrate"], empty_database_url)
    assert (first.status, first.out, first.err) == (0, "registry schema: none → 0001_registry\n", "")
    again = run_program(["migrate", "--json"], empty_database_url)
    assert again.json == {"was": "0001_registry", "now": "0001_registry"}


def test_migrate_to_a_revision(xds: Run) -> None:
    assert xds("migrate", "--to", "0001_registry").out == "registry schema is at 0001_registry already\n"
    unknown = xds("migrate", "--to", "0099")
    assert unknown.status == 1
    assert "cannot migrate to '0099'" in unknown.err


def test_a_command_on_a_database_without_our_schema_says_what_to_run(empty_database_url: str) -> None:
    ran = run_program(["cells", "list"], empty_database_url)
    assert ran.status == 1
    assert ran.err.endswith("is at no revision, this version needs 0001_registry: run 'alphaswarm-xds migrate'\n")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [["migrate"], ["cells", "list"], ["tenants", "move", "a", "--to", "cell-b"]])
def test_a_database_that_is_down_is_one_line_without_the_password(arguments: list[str]) -> None:
    ran = run_program(arguments, DOWN)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "alphaswarm-xds: registry 127.0.0.1:1/alphaswarm: cannot be reached: connection refused\n"


def test_wrong_settings_have_a_line_each_and_end_with_2(database_url: str) -> None:
    ran = run_program(["cells", "list"], database_url, DATABASE_POOL_SIZE="0", HTTP_LISTEN="x")
    assert ran.status == 2
    lines = ran.err.splitlines()
    assert [line.split(":")[:2] for line in lines] == [
        ["alphaswarm-xds", " DATABASE_POOL_SIZE"],
        ["alphaswarm-xds", " HTTP_LISTEN"],
    ]


def test_settings_come_from_a_file_and_the_environment_wins(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "settings"
    file.write_text(f"DATABASE_URL={DOWN}\nCBA_MODE=nonsense\n")
    wrong = run_program(["--settings", str(file), "cells", "list"], database_url)
    assert wrong.status == 2
    assert wrong.err.startswith("alphaswarm-xds: CBA_MODE: ")
    file.write_text(f"DATABASE_URL={DOWN}\n")
    assert run_program(["--settings", str(file), "cells", "list", "--json"], database_url).json == {"data": []}
    missing = run_program(["--settings", str(tmp_path / "none"), "cells", "list"], database_url)
    assert (missing.status, missing.err.endswith("no such file\n")) == (2, True)


def test_every_setting_is_listed(xds: Run) -> None:
    listed = xds("settings", "--json").json["data"]
    assert [row["variable"] for row in listed] == [name.upper() for name in Settings.model_fields]
    assert all(row["meaning"] for row in listed)
    defaults = {row["variable"]: row["default"] for row in listed}
    assert defaults["XDS_LISTEN"] == "0.0.0.0:18000"
    assert defaults["EDGE_LISTENERS"] == "alphaswarm-edge=0.0.0.0:10000"
    assert defaults["CBA_MODE"] == "enforce"
    table = xds("settings").out
    assert all(name.upper() in table for name in Settings.model_fields)


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
