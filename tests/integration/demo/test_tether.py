"""A program started through the tether, as a script, as it is used."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from xds.demo import tether


def through_tether(*command: str, parent: int | None = None, user: str = "") -> subprocess.CompletedProcess[str]:
    wrapper = [sys.executable, "-I", "-S", tether.__file__, str(parent or os.getpid()), str(int(signal.SIGKILL)), user]
    return subprocess.run([*wrapper, *command], capture_output=True, text=True, timeout=20, check=False)


def test_becomes_the_program_with_its_arguments_and_status() -> None:
    ended = through_tether(sys.executable, "-c", "import sys; print(sys.argv[1:]); sys.exit(7)", "a", "b c")
    assert (ended.returncode, ended.stdout) == (7, "['a', 'b c']\n")


def test_says_in_one_line_that_a_program_is_missing() -> None:
    ended = through_tether("/no/such/program")
    assert ended.returncode == tether.CANNOT_RUN
    assert ended.stderr == "cannot run /no/such/program: No such file or directory\n"


def test_says_in_one_line_that_a_program_is_for_another_machine(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fNOT-ELF")
    program.chmod(0o755)
    ended = through_tether(str(program))
    assert ended.returncode == tether.CANNOT_RUN
    assert ended.stderr == f"cannot run {program}: Exec format error\n"


def test_says_in_one_line_that_a_user_is_unknown() -> None:
    ended = through_tether(sys.executable, user="no-such-user")
    assert ended.returncode == tether.CANNOT_RUN
    assert "no such user" in ended.stderr
    assert ended.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_does_not_run_the_program_of_a_parent_that_died_already() -> None:
    ended = through_tether(sys.executable, "-c", "print('ran')", parent=1)
    assert (ended.returncode, ended.stdout) == (tether.CANNOT_RUN, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")
def test_runs_the_program_as_the_user_with_no_group_of_ours() -> None:
    ended = through_tether("/usr/bin/id", user="nobody")
    assert "(nobody)" in ended.stdout
    assert "root" not in ended.stdout
