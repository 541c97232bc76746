"""PostgreSQL's programs: found, reachable by the server's user, and what a killed server left behind."""

import os
import shutil
import subprocess
from pathlib import Path

import asyncpg
import psutil
import pytest

from xds.demo import pgbinaries
from xds.demo.postgres import Postgres
from xds.errors import LocalFailure


def test_the_programs_run_as_they_are_installed() -> None:
    asked = [str(pgbinaries.installed() / "postgres"), "--version"]
    assert "PostgreSQL" in subprocess.run(asked, capture_output=True, text=True, check=True, timeout=20).stdout


def test_the_server_never_runs_as_root() -> None:
    assert (pgbinaries.server_user() == "nobody") is (os.geteuid() == 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs another user")
def test_where_there_is_no_such_user_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pgbinaries, "_NOBODY", "no-such-user")
    with pytest.raises(LocalFailure, match="cannot run as root, and there is no user no-such-user"):
        pgbinaries.server_user()


def test_a_server_that_ended_in_order_has_left_nothing_to_free(tmp_path: Path) -> None:
    pgbinaries.free_shared_memory(tmp_path)
    (tmp_path / "postmaster.pid").write_text("1\nhalf a file")
    pgbinaries.free_shared_memory(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as another")
async def test_programs_that_the_servers_user_cannot_reach_are_copied(
    own_tmp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = pgbinaries.installed()
    hidden = own_tmp / "hidden"
    hidden.mkdir(mode=0o700)
    package = real.parent.parent
    (hidden / package.name).symlink_to(package)
    (hidden / f"{package.name}.libs").symlink_to(package.with_name(f"{package.name}.libs"))
    monkeypatch.setattr(pgbinaries, "installed", lambda: hidden / package.name / real.parent.name / "bin")
    async with Postgres(logs=tmp_path) as server:
        connection = await asyncpg.connect(server.dsn, timeout=10)
        await connection.close(timeout=10)
        assert str(own_tmp / "axds-pg-") in psutil.Process(server.pid).exe()
    shutil.rmtree(hidden)


async def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(LocalFailure, match=r"pip install 'alphaswarm-xds\[embedded\]'"):
        await Postgres(logs=tmp_path).start()
