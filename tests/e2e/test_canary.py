"""`alphaswarm-xds canary` as an operator or a rollout runs it: real routers, real Envoys, a real audit table."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.prometheus import scraping
from tests.e2e.watching import execute, is_answered, until
from tests.integration.cli.conftest import PROGRAM
from tests.support.plans import planned
from xds.demo.stack import Stack
from xds.errors import EvidenceUnavailable
from xds.evidence import Asking, Prometheus
from xds.operations.canary import Limits, Verdict, judge_share

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUESTS = 240
AUDIT = "CREATE TABLE audit_events (cell_id text, created_at timestamptz NOT NULL DEFAULT now())"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    async with Stack(await planned()) as running:
        await execute(running, AUDIT, "INSERT INTO audit_events VALUES ('cell-a')")
        yield running


def command(stack: Stack, verb: str, *options: str) -> list[str]:
    since = datetime.fromtimestamp(0, UTC).isoformat()
    return [str(PROGRAM), "canary", verb, "--since", since, "--ready", stack.control_plane.url, *edges(stack), *options]


def edges(stack: Stack) -> list[str]:
    return [part for process in stack.envoys.values() for part in ("--edge", process.admin)]


@contextmanager
def started(stack: Stack, arguments: list[str]) -> Iterator["subprocess.Popen[str]"]:
    """A process of these arguments, which does not outlive the context."""
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": stack.postgres.dsn}
    pipe = subprocess.PIPE
    with subprocess.Popen(arguments, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


async def end(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = await asyncio.to_thread(process.communicate, timeout=60)
    assert "Traceback" not in err
    return process.returncode, out, err


async def check(stack: Stack, state: Path, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit status, and by condition what was found."""
    with started(stack, command(stack, "check", "--json", "--state", str(state), *options)) as checking:
        return await found_by(checking)


async def found_by(process: "subprocess.Popen[str]") -> tuple[int, dict[str, Any]]:
    status, out, err = await end(process)
    assert out, err
    return status, {finding["condition"]: finding for finding in json.loads(out)["findings"]}


async def send(stack: Stack, count: int, tenant: str = "acme") -> list[int]:
    edge, token = next(iter(stack.clients)), stack.idp.mint(tenant)
    return [(await stack.get(edge, "/api/x", token=token)).status for _ in range(count)]


def five_minutes_pass(state: Path) -> None:
    """Date back what is remembered of the edge: tests do not wait so long, and a busy machine must not matter."""
    held = json.loads(state.read_text())
    for read in held["reads"]:
        read["at"] -= 301
        for counters in read["envoys"].values():
            counters[0] -= 301  # it has been up since the same time
    state.write_text(json.dumps(held))


async def test_go_when_all_is_well_and_the_numbers_are_those_of_the_requests(stack: Stack, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    status, found = await check(stack, state)
    assert (status, found["edge"]["verdict"]) == (3, "cannot tell"), "one read is no rate"
    assert (found["readiness"]["verdict"], found["audit"]["verdict"]) == ("go", "go")
    assert set(await send(stack, REQUESTS)) == {200}
    five_minutes_pass(state)

    status, found = await check(stack, state)
    assert status == 0, found
    assert f"(0 of {REQUESTS} in " in found["edge"]["summary"]
    first = next(iter(stack.envoys.values()))
    assert f"{first.admin}: {REQUESTS} answers, 0 of them 5xx" in found["edge"]["evidence"]


async def test_stop_when_cells_fail_and_a_restarted_envoy_hides_nothing(stack: Stack, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    await execute(stack, f"UPDATE cells SET state = 'retired' WHERE id = '{stack.placements['acme']}'")
    await until(lambda: is_answered(stack, "acme", 503), "the cell is out of service")
    try:
        envoy = next(iter(stack.envoys.values()))
        await send(stack, 30)
        await check(stack, state)
        await envoy.restart()
        assert set(await send(stack, REQUESTS)) == {503}
        five_minutes_pass(state)

        status, found = await check(stack, state)
        assert (status, found["edge"]["verdict"]) == (1, "stop"), found
        assert f"{envoy.admin}: {REQUESTS} answers, {REQUESTS} of them 5xx, restarted" in found["edge"]["evidence"]
    finally:
        await execute(stack, f"UPDATE cells SET state = 'active' WHERE id = '{stack.placements['acme']}'")
        await until(lambda: is_answered(stack, "acme", 200, stack.placements["acme"]), "the cell is back")


async def test_an_audit_event_without_a_cell_stops(stack: Stack, tmp_path: Path) -> None:
    await execute(stack, "INSERT INTO audit_events VALUES (NULL)")
    try:
        status, found = await check(stack, tmp_path / "state.json")
        assert (status, found["audit"]["verdict"]) == (1, "stop")
        assert found["audit"]["summary"] == "1 of 2 audit events since 1970-01-01T00:00:00Z have no cell"
    finally:
        await execute(stack, "DELETE FROM audit_events WHERE cell_id IS NULL")


async def test_watching_ends_at_the_deadline_with_go(stack: Stack) -> None:
    options = ("--for", "8s", "--every", "1s", "--window", "3s", "--json", "--min-requests", "20")
    with started(stack, command(stack, "watch", *options)) as watch:
        while watch.poll() is None:
            await send(stack, 20)
            await asyncio.sleep(0.1)
        status, out, err = await end(watch)
    reports = [json.loads(line) for line in out.splitlines()]
    assert (status, reports[-1]["verdict"]) == (0, "go"), (reports[-1], err)
    assert reports[0]["verdict"] == "cannot tell"
    assert len(reports) >= 4


async def test_watching_ends_at_once_when_a_router_stays_away(stack: Stack) -> None:
    options = ("--for", "60s", "--every", "1s", "--max-not-ready", "1s", "--skip", "audit", "--skip", "edge")
    with started(stack, command(stack, "watch", *options)) as watch:
        assert watch.stdout is not None
        first = await asyncio.to_thread(watch.stdout.readline)
        assert "  go  readiness: all 1 replicas are ready" in first
        stack.control_plane.crash()
        try:
            status, out, _ = await end(watch)
        finally:
            await stack.control_plane.restart()
    lines = out.splitlines()
    assert status == 1
    assert any("  cannot tell  readiness: 1 of 1 replicas not ready, for 0 s so far" in line for line in lines)
    assert "  stop  readiness: not ready for " in lines[-1]


async def test_ctrl_c_ends_it_quietly(stack: Stack) -> None:
    with started(stack, command(stack, "watch", "--for", "60s", "--every", "1s", "--skip", "edge")) as watch:
        assert watch.stdout is not None
        await asyncio.to_thread(watch.stdout.readline)
        watch.send_signal(signal.SIGINT)
        status, _, err = await end(watch)
    assert (status, err.strip()) == (130, "")


async def test_an_envoy_that_cannot_be_asked_is_never_go(stack: Stack, tmp_path: Path) -> None:
    process = next(iter(stack.envoys.values()))
    await process.stop()
    try:
        status, found = await check(stack, tmp_path / "state.json")
    finally:
        await process.start()
    assert (status, found["edge"]["verdict"]) == (3, "cannot tell")
    assert f"{process.admin}/stats/prometheus: no answer: connection refused" in found["edge"]["summary"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def prometheus(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A real Prometheus that scrapes the stack; its URL."""
    async with scraping(stack, tmp_path_factory.mktemp("prometheus")) as url:
        yield url


async def test_a_real_prometheus_says_the_same(stack: Stack, prometheus: str) -> None:
    limits = Limits(window_seconds=6, min_requests=20)

    async def until_judged(expected: Verdict) -> None:
        async with Asking() as asking, asyncio.timeout(30):
            verdict = Verdict.UNKNOWN
            while verdict is not expected:
                await send(stack, 20)
                with suppress(EvidenceUnavailable):  # not scraped yet
                    verdict = judge_share(await Prometheus(asking, prometheus).read(6), limits).verdict

    await until_judged(Verdict.GO)
    await execute(stack, f"UPDATE cells SET state = 'retired' WHERE id = '{stack.placements['acme']}'")
    try:
        await until_judged(Verdict.STOP)
        arguments = [part for part in command(stack, "check", "--json", "--window", "6s") if part not in edges(stack)]
        arguments += ["--prometheus", prometheus, "--min-requests", "20"]
        with started(stack, arguments) as checking:
            while checking.poll() is None:
                await send(stack, 20)
            status, found = await found_by(checking)
    finally:
        await execute(stack, f"UPDATE cells SET state = 'active' WHERE id = '{stack.placements['acme']}'")
    assert (status, found["edge"]["verdict"]) == (1, "stop"), found
    assert "sum by (envoy_response_code_class)" in found["edge"]["evidence"][0]
    assert "5xx" in found["edge"]["evidence"][1]
