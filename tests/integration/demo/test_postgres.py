"""A real PostgreSQL of the demo's: start, crash, restart, end."""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from xds.demo.postgres import Postgres
from xds.errors import LocalFailure


@pytest.fixture
async def postgres(own_tmp: Path, tmp_path: Path) -> AsyncIterator[Postgres]:
    async with Postgres(logs=tmp_path) as server:
        yield server


async def ask(postgres: Postgres, query: str) -> object:
    connection = await asyncpg.connect(postgres.dsn, timeout=10)
    try:
        return await connection.fetchval(query, timeout=10)
    finally:
        await connection.close(timeout=10)


async def test_answers_asyncpg_and_psql_at_one_dsn(postgres: Postgres) -> None:
    assert await ask(postgres, "SELECT current_setting('server_version_num')::int >= 150000") is True
    asked = (str(postgres.psql), postgres.dsn, "-Atc", "SELECT 6 * 7")
    process = await asyncio.create_subprocess_exec(*asked, stdout=asyncio.subprocess.PIPE)
    output, _ = await asyncio.wait_for(process.communicate(), timeout=20)
    assert output == b"42\n"


async def test_listens_on_no_port(postgres: Postgres) -> None:
    connections = psutil.Process(postgres.pid).net_connections("inet")
    assert [connection for connection in connections if connection.status == psutil.CONN_LISTEN] == []


async def test_what_was_committed_survives_a_crash_at_the_same_dsn(postgres: Postgres) -> None:
    await ask(postgres, "CREATE TABLE kept AS SELECT 42 AS number")
    dsn, pid = postgres.dsn, postgres.pid
    postgres.crash()
    assert not psutil.pid_exists(pid)
    with pytest.raises((OSError, asyncpg.PostgresError)):
        await ask(postgres, "SELECT 1")
    await postgres.restart()
    assert postgres.dsn == dsn
    assert postgres.pid != pid
    assert await ask(postgres, "SELECT number FROM kept") == 42


@pytest.mark.parametrize("name", ["x" * 80, "closed"], ids=["too long for a socket", "closed to others"])
async def test_starts_whatever_the_temporary_folder_is(
    own_tmp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    temporary = own_tmp / name
    temporary.mkdir(mode=0o700)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    async with Postgres(logs=tmp_path) as server:
        assert await ask(server, "SELECT 1") == 1
    temporary.rmdir()


async def test_stops_though_a_client_is_connected_and_leaves_nothing(own_tmp: Path, tmp_path: Path) -> None:
    server = Postgres(logs=tmp_path)
    await server.start()
    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    connection = await asyncpg.connect(server.dsn, timeout=10)
    began = time.monotonic()
    await server.stop()
    assert time.monotonic() - began < 5
    assert all(has_ended(process) for process in family)
    connection.terminate()  # own_tmp then finds no file left


async def test_a_crash_leaves_no_shared_memory_behind(own_tmp: Path, tmp_path: Path) -> None:
    before = shared_memory()
    server = Postgres(logs=tmp_path)
    await server.start()
    assert len(shared_memory() - before) >= 1
    (segment,) = (line.split()[1] for line in postmaster_file(own_tmp).splitlines()[6:7])
    assert segment in shared_memory()
    server.crash()
    await server.stop()
    assert segment not in shared_memory()


async def test_a_failed_start_is_one_line_and_leaves_nothing(own_tmp: Path, tmp_path: Path) -> None:
    server = Postgres(logs=tmp_path, options=("no_such_setting=1",))
    with pytest.raises(LocalFailure, match=r"PostgreSQL: .*no_such_setting") as failure:
        await server.start()
    assert "\n" not in str(failure.value)
    with pytest.raises(LocalFailure, match="not started"):
        _ = server.pid


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
async def test_dies_with_us_even_when_we_are_killed(own_tmp: Path, tmp_path: Path) -> None:
    code = f"""
import asyncio
from pathlib import Path
from xds.demo.postgres import Postgres
async def main():
    async with Postgres(logs=Path({str(tmp_path)!r})) as server:
        print(server.pid, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""
    environment = {**os.environ, "TMPDIR": str(own_tmp)}
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert parent.stdout is not None
    server = psutil.Process(int(await asyncio.wait_for(parent.stdout.readline(), timeout=30)))
    family = [server, *server.children(recursive=True)]
    (segment,) = (line.split()[1] for line in postmaster_file(own_tmp).splitlines()[6:7])
    parent.kill()
    await parent.wait()
    for _ in range(500):
        if all(has_ended(process) for process in family):
            break
        await asyncio.sleep(0.02)
    assert [process for process in family if not has_ended(process)] == []
    assert segment not in shared_memory()
    shutil.rmtree(database_folder(own_tmp))  # files do stay behind when nobody is left to delete them


def database_folder(folder: Path) -> Path:
    (found,) = folder.glob("axds-pg-*")
    return found


def postmaster_file(folder: Path) -> str:
    return (database_folder(folder) / "data" / "postmaster.pid").read_text()


def shared_memory() -> set[str]:
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {line.split()[1] for line in lines}


def has_ended(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)  # nobody has reaped it, yet it has ended
    except psutil.NoSuchProcess:
        return True
