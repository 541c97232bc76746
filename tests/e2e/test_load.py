"""The load tests themselves: that they are honest about latency, pass on a good system and fail on a bad one."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path

import pytest
from aiohttp import web

from tests.load.local import local
from tests.load.play import Play, Wishes
from tests.load.results import Outcome
from tests.load.scenarios import SCENARIOS, Scenario
from tests.load.suite import play
from tests.load.system import Needs, System

ROOT = Path(__file__).parents[2]
SHORT = Wishes(seconds=2, rate=150, clients=100)
TENANTS = ["acme", "globex"]
STALL_SECONDS = 1.0
RATE = 100


class Stalling:
    """A system that is one server, which stalls for a second once it has answered for one; then `is_over` is set."""

    generator = (sys.executable, "-m", "tests.load.driver")
    placements = dict.fromkeys(TENANTS, "a-cell")

    def __init__(self, url: str) -> None:
        self.targets = self.edges = {"edge-1": url}
        self.is_over = asyncio.Event()

    async def tokens(self, tenants: list[str]) -> dict[str, str]:
        return dict.fromkeys(tenants, "token")


@asynccontextmanager
async def stalling() -> AsyncIterator[Stalling]:
    loop, free, arrived = asyncio.get_running_loop(), asyncio.Event(), count(1)
    free.set()

    def go_on() -> None:
        free.set()
        system.is_over.set()

    async def answer(request: web.Request) -> web.Response:
        if next(arrived) == RATE:
            free.clear()
            loop.call_later(STALL_SECONDS, go_on)
        await free.wait()
        assert request.headers["authorization"] == "Bearer token"
        return web.json_response({"cell": "a-cell"})

    app = web.Application()
    app.router.add_get("/api/x", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    system = Stalling(f"http://127.0.0.1:{runner.addresses[0][1]}")
    try:
        yield system
    finally:
        await runner.cleanup()


async def test_a_stall_is_felt_by_every_request_that_was_due_in_it() -> None:
    outcome, connections = Outcome(name="", title="", passes=""), 4
    async with stalling() as system:
        wishes = Wishes(rate=RATE, connections=connections)
        async with Play(system, wishes, outcome, lambda _: None) as playing, playing.traffic():  # type: ignore[arg-type]
            async with asyncio.timeout(60):
                await system.is_over.wait()
            await asyncio.sleep(0.5)
    playing.check_requests()

    assert [check.came for check in outcome.checks] == [f"0 of {len(outcome.samples)} failed"]
    waited = [sample for sample in outcome.samples if sample.took > STALL_SECONDS * 500]
    sent = [sample for sample in outcome.samples if sample.service > STALL_SECONDS * 500]
    # Half of the stall's requests wait for half of it or longer, but only one a connection was sent into it.
    assert len(waited) >= 0.4 * RATE * STALL_SECONDS
    assert len(sent) <= connections
    dues = [sample.due for sample in outcome.samples]
    assert max(dues) - min(dues) == pytest.approx(len(dues) / RATE, rel=0.02)


@asynccontextmanager
async def hanging_up(every: int) -> AsyncIterator[Stalling]:
    """A server that closes each connection, without an answer, at so many requests."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = b'{"cell": "a-cell"}'
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            for _ in range(every - 1):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(head % len(body) + body)
            await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield Stalling(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")


async def test_a_request_that_is_not_answered_fails_and_is_not_sent_again() -> None:
    outcome = Outcome(name="", title="", passes="")
    async with hanging_up(every=5) as system:
        wishes = Wishes(rate=100, connections=4)
        async with Play(system, wishes, outcome, lambda _: None) as playing, playing.traffic():  # type: ignore[arg-type]
            await asyncio.sleep(1.5)
            asked = [(await playing._ask(system.edges["edge-1"], "token"))[0] for _ in range(10)]
    playing.check_requests()

    assert asked == [200, 200, 200, 200, 0] * 2, "nor is a question about a move"

    statuses = [sample.status for sample in outcome.samples]
    assert statuses.count(0) == pytest.approx(len(statuses) / 5, abs=wishes.connections)
    assert statuses.count(200) + statuses.count(0) == len(statuses) > 50
    assert not playing.outcome.ok
    assert "no answer by edge-1" in outcome.failures()[0]


def on_a_terminal(*command: str) -> tuple[int, str, str]:
    """How a program ends whose standard error is a terminal: its status, output, and what is shown there."""
    ours, theirs = os.openpty()
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "150"},
    ) as process:
        os.close(theirs)
        with ThreadPoolExecutor(1) as reader:
            shown = reader.submit(read_to_end, ours)
            output, _ = process.communicate(timeout=120)
            return process.returncode, output, shown.result(timeout=10)


def read_to_end(terminal: int) -> str:
    shown = b""
    with suppress(OSError):  # by which Linux tells that nobody has it open any more
        while read := os.read(terminal, 65536):
            shown += read
    os.close(terminal)
    return shown.decode()


def test_a_scenario_is_played_and_reported_and_shown_meanwhile(tmp_path: Path) -> None:
    size = ("--seconds", "1", "--rate", "100")
    status, output, shown = on_a_terminal(
        *(sys.executable, "-m", "tests.load", "--scenario", "drain", *size, "--report", str(tmp_path), "--json")
    )
    told = json.loads(output)
    (scenario,) = told["scenarios"]
    assert (status, scenario["fault"], scenario["failed"]) == (0, "", 0), shown
    assert told == json.loads((tmp_path / "report.json").read_text())
    assert scenario["requests"] >= 300
    assert [step["name"] for step in scenario["steps"]] == ["before", "drained", "undrained"]
    plain = re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", shown)
    assert re.search(r"1/1 drain 0:00:\d\d starting the system", plain)
    for step in ("before", "drained", "undrained"):
        counts = [int(count) for count in re.findall(rf" {step}: (\d+) requests, 0 failed", plain)]
        assert counts == sorted(counts), "it goes on"
        assert counts, f"{step} is not shown"
    assert "\x1b[2K" in shown, "in one line, which is renewed"
    assert "pass  drain" in plain
    assert str(tmp_path / "report.html") in plain


@pytest.mark.long
@pytest.mark.parametrize("name", SCENARIOS)
async def test_each_scenario_passes_if_it_is_short(name: str) -> None:
    outcome = await play(SCENARIOS[name], local, SHORT, lambda _: None)
    assert (outcome.fault, [check for check in outcome.checks if not check.ok]) == ("", [])
    assert outcome.ok


@pytest.mark.long
async def test_a_cell_that_answers_503_fails_a_scenario() -> None:
    async def refuse(_request: web.Request) -> web.Response:
        return web.json_response({"cell": "broken"}, status=503)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", refuse)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]

    @asynccontextmanager
    async def broken(needs: Needs) -> AsyncIterator[System]:
        async with local(needs) as system:
            connection = await system.connect()
            await connection.execute("UPDATE endpoints SET port = $1 WHERE cell_id = $2", port, system.cells[1])
            await connection.close()
            await asyncio.sleep(1)
            yield system

    try:
        outcome = await play(_steady(), broken, SHORT, lambda _: None)
    finally:
        await runner.cleanup()
    assert not outcome.ok
    assert outcome.failures()[0].endswith(("503 by edge-1", "503 by edge-2"))
    (check,) = [check for check in outcome.checks if not check.ok]
    assert check.asked == "no request fails"


def _steady() -> Scenario:
    async def steady(playing: Play) -> None:
        async with playing.traffic():
            with playing.step("steady"):
                await playing.wait()
        playing.check_requests()

    return Scenario(name="steady", title="Nothing happens", passes="no request fails", play=steady)
