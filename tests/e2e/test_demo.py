"""`alphaswarm-xds demo`, run as a newcomer runs it."""

import itertools
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

START_SECONDS = 90
STOP_SECONDS = 40

Demo = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """Start a demo; in the end every one is gone, and so is everything that it started or wrote."""
    temporary = Path("/tmp") / f"axds-test-{os.getpid()}-{time.monotonic_ns()}"  # short: a socket is made below it
    temporary.mkdir(mode=0o755)
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **environment: str) -> "subprocess.Popen[str]":
        with (tmp_path / "stderr").open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "xds", "demo", *arguments],
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "TMPDIR": str(temporary), **environment},
                text=True,
            )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=STOP_SECONDS)
    left = [path.name for path in temporary.iterdir()]
    shutil.move(temporary, tmp_path / "left")  # to be read when this fails
    assert left == []


def family_of(process: "subprocess.Popen[str]") -> list[psutil.Process]:
    return [child for child in psutil.Process(process.pid).children(recursive=True) if is_alive(child)]


def command_lines(process: "subprocess.Popen[str]") -> str:
    """The command lines of all that it runs."""
    lines = []
    for child in family_of(process):
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            lines.append(" ".join(child.cmdline()))
    return "\n".join(lines)


def is_alive(process: psutil.Process) -> bool:
    # A zombie whose new parent never reaps it has ended all the same.
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def wait_until_gone(family: list[psutil.Process], *, within: float) -> list[psutil.Process]:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline and any(is_alive(process) for process in family):
        time.sleep(0.05)
    return [process for process in family if is_alive(process)]


def lines_until(process: "subprocess.Popen[str]", end: str) -> list[str]:
    """What it prints up to the line that starts with `end`; the demo itself bounds the time."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith(end):
            return lines
    pytest.fail(f"it ended before {end!r}:\n" + "\n".join(lines))


def answer_to(command: str, token: str) -> dict[str, object]:
    """Do what a printed curl line does; a fresh machine need not have curl."""
    words = shlex.split(command)
    request = urllib.request.Request(words[-1])
    for flag, value in itertools.pairwise(words):
        if flag == "-H":
            name, _, content = value.partition(": ")
            request.add_header(name, content.replace("$TOKEN", token))
    with urllib.request.urlopen(request, timeout=10) as answer:
        body: dict[str, object] = json.load(answer)
        return body


@pytest.mark.parametrize("variant", ["delta", "sotw"])
def test_once_ends_by_itself_and_every_step_really_happened(demo: Demo, tmp_path: Path, variant: str) -> None:
    process = demo("--once", "--json", "--variant", variant)
    output, _ = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 0, (tmp_path / "stderr").read_text()
    report = json.loads(output)
    assert [step["id"] for step in report["steps"] if step["ok"] and step["checks"]] == [
        "arrives",
        "websocket",
        "spoofed",
        "bad-token",
        "unknown-tenant",
        "move",
        "bound-elsewhere",
    ]
    move = next(step for step in report["steps"] if step["id"] == "move")
    assert {f"edge-{edge}_after_commit_ms" for edge in "ab"} <= set(move["measured"])
    assert all(value < 2000 for value in move["measured"].values())


def test_it_stays_up_with_lines_that_work_until_ctrl_c_and_leaves_no_process(demo: Demo) -> None:
    process = demo()
    lines_until(process, "Everything stays up until Ctrl-C")
    family = family_of(process)
    running = command_lines(process)
    assert all(part in running for part in ("postgres", "serve", "edge-a.json", "edge-b.json", "cell-shared-std-local"))

    lines = [line.strip() for line in lines_until(process, "  curl -sS http") if line.startswith("  ")]
    token = next(line.removeprefix("TOKEN=") for line in lines if line.startswith("TOKEN="))
    asking = [line for line in lines if "$TOKEN" in line]
    moving = next(line for line in lines if "UPDATE tenants" in line)
    before = {answer_to(line, token)["cell"] for line in asking}
    subprocess.run(shlex.split(moving), check=True, timeout=20, stdout=subprocess.DEVNULL)
    assert before == {"cell-shared-std-eu"}
    assert comes_true(lambda: {answer_to(line, token)["cell"] for line in asking} == {"cell-shared-std-local"})

    process.send_signal(signal.SIGINT)
    assert process.wait(STOP_SECONDS) == 0
    assert wait_until_gone(family, within=5) == []


def comes_true(question: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if question():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_start_says_so_by_its_status_and_leaves_no_process(
    demo: Demo, number: signal.Signals, status: int
) -> None:
    process = demo()
    assert comes_true(lambda: "postgres" in command_lines(process))
    family = family_of(process)
    process.send_signal(number)
    assert process.wait(STOP_SECONDS) == status
    assert wait_until_gone(family, within=5) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_killing_it_leaves_no_process_either(demo: Demo, tmp_path: Path) -> None:
    process = demo()
    lines_until(process, "1. ")  # everything is up by now
    family = family_of(process)
    assert len(family) > 6
    folders = {Path(child.cwd()) for child in family if "xds.demo.cell_api" in child.cmdline()}
    process.kill()
    assert wait_until_gone(family, within=10) == []
    for folder in folders.pop().parent.iterdir():
        subprocess.run(["rm", "-r", str(folder)], check=True)  # files do stay: nobody was left to delete them


def test_a_taken_port_is_one_line(demo: Demo, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        process = demo("--once", "--edge-ports", f"{taken},{taken - 1}")
        output, _ = process.communicate(timeout=START_SECONDS)
    assert process.returncode == 1
    assert output == ""
    said = (tmp_path / "stderr").read_text()
    assert said == f"alphaswarm-xds: Envoy edge-a: port {taken} on 127.0.0.1 is taken; free it or choose another\n"


def test_an_envoy_that_cannot_run_is_one_line(demo: Demo, tmp_path: Path) -> None:
    binary = tmp_path / "envoy"
    binary.write_bytes(b"\x7fNOT-ELF")
    binary.chmod(0o755)
    process = demo("--once", ENVOY_BIN=str(binary))
    process.communicate(timeout=START_SECONDS)
    assert process.returncode == 1
    (line,) = (tmp_path / "stderr").read_text().splitlines()
    start, _, folder = line.removesuffix(")").partition(" (logs: ")
    assert start == f"alphaswarm-xds: Envoy: cannot run {binary}: Exec format error"
    assert (Path(folder) / "envoy-version.log").exists()
    subprocess.run(["rm", "-r", folder], check=True)
