"""Children: how they start, fail, stop, and die with their parent."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from xds.demo.processes import Child, run
from xds.errors import LocalFailure

NEVER_ENDS = "import time; print('up', flush=True); time.sleep(600)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + NEVER_ENDS

Make = Callable[..., Child]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    made: list[Child] = []

    def of(code: str, **options: object) -> Child:
        child = Child("thing", [sys.executable, "-c", code], log=tmp_path / "thing.log", **options)  # type: ignore[arg-type]
        made.append(child)
        return child

    yield of
    for child in made:
        child.kill()


async def up(child: Child) -> Child:
    async def has_said_so() -> bool:
        return "up" in child.log.read_text()

    child.start()
    await child.wait_until(has_said_so, timeout=20)
    return child


async def never() -> bool:
    return False


async def test_stops_when_asked(make: Make) -> None:
    child = await up(make(NEVER_ENDS))
    await child.stop(timeout=10)
    assert child.status == -signal.SIGTERM
    assert not psutil.pid_exists(child.pid)


async def test_is_killed_when_it_does_not_listen(make: Make) -> None:
    child = await up(make(DEAF))
    began = time.monotonic()
    await child.stop(timeout=0.2)
    assert child.status == -signal.SIGKILL
    assert time.monotonic() - began < 5


async def test_stops_though_it_is_paused(make: Make) -> None:
    child = await up(make(NEVER_ENDS))
    child.send(signal.SIGSTOP)
    await child.stop(timeout=10)
    assert child.status == -signal.SIGTERM


async def test_stopping_twice_or_before_the_start_is_nothing(make: Make) -> None:
    child = make(NEVER_ENDS)
    await child.stop()
    child.start()
    await child.stop()
    await child.stop()
    assert not child.is_running


async def test_has_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it(make: Make) -> None:
    child = await up(make(NEVER_ENDS))
    assert os.getsid(child.pid) == child.pid != os.getsid(0)


async def test_an_early_exit_names_binary_status_and_the_telling_line(make: Make) -> None:
    child = make("import sys; print('error: address already in use'); print('bye'); sys.exit(3)")
    child.start()
    with pytest.raises(LocalFailure) as failure:
        await child.wait_until(never, timeout=20)
    expected = f"thing: {sys.executable} ended with exit status 3: error: address already in use (log: {child.log})"
    assert str(failure.value) == expected


async def test_a_second_start_is_not_blamed_for_the_first_ones_log(make: Make, tmp_path: Path) -> None:
    (tmp_path / "thing.log").write_text("error: long ago\n")
    child = make("import sys; sys.exit(3)")
    child.start()
    with pytest.raises(LocalFailure, match="it logged nothing"):
        await child.wait_until(never, timeout=20)


async def test_an_end_by_a_signal_names_the_signal(make: Make) -> None:
    child = make("import os; os.abort()")
    child.start()
    with pytest.raises(LocalFailure, match="was killed by SIGABRT"):
        await child.wait_until(never, timeout=20)


async def test_being_late_is_a_failure_with_the_last_line(make: Make) -> None:
    child = await up(make(NEVER_ENDS))
    with pytest.raises(LocalFailure, match=r"thing: not ready after 0.1 s: up \(log: "):
        await child.wait_until(never, timeout=0.1)


def test_a_missing_binary_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LocalFailure, match=r"^thing: cannot run /no/such: no such file$"):
        Child("thing", ["/no/such"], log=tmp_path / "log").start()


@pytest.mark.parametrize("mode", [0o644, 0o755], ids=["not executable", "of another machine"])
async def test_a_binary_that_cannot_run_is_one_line(tmp_path: Path, mode: int) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\x7fNOT-ELF")
    binary.chmod(mode)
    with pytest.raises(LocalFailure) as failure:
        await run(Child("thing", [binary], log=tmp_path / "log"), timeout=20)
    reason = "permission denied" if mode == 0o644 else "Exec format error"
    assert str(failure.value) == f"thing: cannot run {binary}: {reason}"


async def test_run_keeps_stdout_apart_from_the_log(make: Make, tmp_path: Path) -> None:
    code = "import sys; print('result'); print('noise', file=sys.stderr)"
    await run(make(code, output=tmp_path / "out"), timeout=20)
    assert (tmp_path / "out").read_text() == "result\n"
    assert (tmp_path / "thing.log").read_text() == "noise\n"


async def test_run_ends_what_takes_too_long(make: Make) -> None:
    child = make(DEAF)
    with pytest.raises(LocalFailure, match=r"thing: not done after 0.5 s"):
        await run(child, timeout=0.5)
    assert not child.is_running


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_killing_the_parent_leaves_no_child(tmp_path: Path) -> None:
    parent_code = f"""
import sys, time
from pathlib import Path
from xds.demo.processes import Child
child = Child("thing", [sys.executable, "-c", {DEAF!r}], log=Path({str(tmp_path / "log")!r}))
child.start()
while "up" not in child.log.read_text():
    time.sleep(0.01)
print(child.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", parent_code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.kill()
    assert has_ended(child, within=10)


def has_ended(process: psutil.Process, *, within: float) -> bool:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            # An orphan whose new parent never reaps it stays as a zombie: it has ended all the same.
            if process.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False
