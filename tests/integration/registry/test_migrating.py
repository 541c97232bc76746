"""Alembic from the repository root, with only DATABASE_URL set, as the runbook's readers use it."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from tests.support.postgres import execute, run_in_thread
from xds.errors import RegistryUnavailable, RequestError
from xds.registry import SCHEMA_REVISION
from xds.registry.migrating import SCRIPTS, Migration, migrate

ROOT = Path(__file__).parents[3]
ALEMBIC = Path(sys.executable).with_name("alembic")


def alembic(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": url}
    return subprocess.run(
        [ALEMBIC, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_this_version_needs_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA_REVISION]


def test_alembic_upgrades_says_where_it_is_and_goes_back(empty_database_url: str) -> None:
    assert alembic(empty_database_url, "current").stdout == ""
    upgrade = alembic(empty_database_url, "upgrade", "head")
    assert upgrade.returncode == 0, upgrade.stderr
    current = alembic(empty_database_url, "current")
    assert current.returncode == 0
    assert current.stdout.strip() == f"{SCHEMA_REVISION} (head)"

    downgrade = alembic(empty_database_url, "downgrade", "base")
    assert downgrade.returncode == 0, downgrade.stderr
    assert alembic(empty_database_url, "current").stdout == ""
    assert alembic(empty_database_url, "upgrade", "head").returncode == 0


def test_a_downgrade_leaves_nothing_of_ours(empty_database_url: str) -> None:
    migrate(empty_database_url)
    assert alembic(empty_database_url, "downgrade", "base").returncode == 0
    run_in_thread(
        execute(
            empty_database_url,
            """DO $$ BEGIN
            ASSERT (SELECT array_agg(relname) FROM pg_class
                     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'S'))
                   = '{xds_alembic_version}';
            ASSERT NOT EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'public'::regnamespace);
            END $$""",
        )
    )


def test_alembic_without_a_url_says_so() -> None:
    done = subprocess.run(
        [ALEMBIC, "current"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "DATABASE_URL is not set" in done.stdout + done.stderr


def test_alembic_with_a_database_that_is_down_says_so_in_a_line() -> None:
    done = alembic("postgresql://u:s3cret@127.0.0.1:1/x", "current")
    assert done.returncode != 0
    assert "registry 127.0.0.1:1/x: cannot be reached: connection refused" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stdout + done.stderr


def test_the_platforms_own_chain_beside_ours_is_left_alone(empty_database_url: str) -> None:
    theirs = "CREATE TABLE alembic_version (version_num text)"
    run_in_thread(execute(empty_database_url, theirs, "INSERT INTO alembic_version VALUES ('0083_audit_cell_id')"))
    assert migrate(empty_database_url) == Migration("", SCHEMA_REVISION)
    check = "DO $$ BEGIN ASSERT (SELECT version_num FROM alembic_version) = '0083_audit_cell_id'; END $$"
    run_in_thread(execute(empty_database_url, check))


def test_migrating_again_changes_nothing(database_url: str) -> None:
    assert migrate(database_url) == Migration(SCHEMA_REVISION, SCHEMA_REVISION)


def test_two_replicas_may_migrate_at_once(empty_database_url: str) -> None:
    command = [sys.executable, "-m", "xds", "migrate"]
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": empty_database_url}

    def run(_number: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    with ThreadPoolExecutor(3) as executor:
        done = list(executor.map(run, range(3)))
    assert [(process.returncode, process.stderr) for process in done] == [(0, "")] * 3


def test_a_revision_that_does_not_exist(database_url: str) -> None:
    with pytest.raises(RequestError, match="cannot migrate to '0099'"):
        migrate(database_url, to="0099")


def test_a_database_that_is_down() -> None:
    with pytest.raises(RegistryUnavailable, match=r"^registry 127.0.0.1:1/x: cannot be reached: connection refused$"):
        migrate("postgresql://u:s3cret@127.0.0.1:1/x")
