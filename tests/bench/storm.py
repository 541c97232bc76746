"""A whole fleet that connects at once, and then one change for all of it: `python -m tests.bench.storm --streams 5000`.

The server is the real one, on a registry of as many cells as asked for; the clients are light, one connection each,
in processes of their own, and come again when they are refused. Exit status 1: one had no answer within 15 seconds.
"""

import argparse
import asyncio
import json
import resource
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from shutil import rmtree
from time import monotonic
from typing import Any

import asyncpg
import psutil
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from tests.bench.light import Seen
from xds.demo import seed
from xds.demo.control_plane import ControlPlane
from xds.demo.idp import IdentityProvider
from xds.demo.interrupt import run_interruptibly
from xds.demo.ports import LOOPBACK, free_port
from xds.demo.postgres import Postgres
from xds.errors import LocalFailure

EXISTENCE_SECONDS = 15
"""How long Envoy waits for a first answer by default before it goes on without."""

GROUP = "storm"
_PATIENCE_SECONDS = 180
_LOOK_SECONDS = 0.2
_ROOT = Path(__file__).parents[2]
_WEIGHT = "UPDATE endpoints SET weight = weight % 100 + 1 WHERE cell_id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What to measure."""

    streams: int
    cells: int
    processes: int
    pushes: int
    per_second: float
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Times of many clients, in seconds."""

    p50: float
    p99: float
    max: float

    @classmethod
    def of(cls, times: Iterable[float]) -> "Spread":
        """The spread of these."""
        ordered = sorted(times)
        return cls(p50=statistics.median(ordered), p99=ordered[int(len(ordered) * 0.99) - 1], max=ordered[-1])

    def __str__(self) -> str:
        return f"p50 {self.p50:.2f} s, p99 {self.p99:.2f} s, max {self.max:.2f} s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was measured. `turn_of_last` is when the bucket lets the last stream in, if all come in one instant."""

    wishes: Wishes
    turn_of_last: float
    refused: int
    lost: dict[str, int]
    first_answer: Spread
    whole_config: Spread
    megabytes: float
    server_cpu_seconds: float
    server_idle_megabytes: float
    kilobytes_a_stream: float
    push_arrival: Spread
    push_cpu_microseconds_a_stream: float

    def __str__(self) -> str:
        wishes = self.wishes
        lines = {
            "clients": f"{wishes.streams} at once, for {2 * wishes.cells} clusters and assignments each",
            "bucket": f"{wishes.burst}, then {wishes.per_second:g} a second: the last after {self.turn_of_last:.1f} s",
            "refused": f"{self.refused} times, to come again; streams lost: {self.lost or 'none'}",
            "first answer": f"{self.first_answer} since the client came (must be below {EXISTENCE_SECONDS} s)",
            "whole config": f"{self.whole_config}; {self.megabytes:.0f} MB in all",
            "server": f"{self.server_cpu_seconds:.1f} s of CPU; {self.server_idle_megabytes:.0f} MB, and"
            f" {self.kilobytes_a_stream:.0f} kB a stream",
            "one change": f"{self.push_arrival} after COMMIT; {self.push_cpu_microseconds_a_stream:.0f} µs of CPU a"
            f" stream (median of {wishes.pushes})",
        }
        return "\n".join(f"{name}: {line}" for name, line in lines.items())


class Fleet:
    """The processes of the clients."""

    def __init__(self, processes: list[asyncio.subprocess.Process]) -> None:
        self._processes = processes

    async def say(self, line: str) -> None:
        """Give each process a line."""
        for process in self._processes:
            assert process.stdin
            process.stdin.write(f"{line}\n".encode())
            await process.stdin.drain()

    async def ask(self) -> Seen:
        """What they have seen since they were asked last."""
        await self.say("tell")
        seen = Seen()
        for process in self._processes:
            assert process.stdout
            line = await process.stdout.readline()
            if not line:
                raise LocalFailure("a process of clients has ended")
            seen.add(Seen(**json.loads(line)))
        return seen


@asynccontextmanager
async def fleet(server: str, wishes: Wishes, group: str = GROUP) -> AsyncIterator[Fleet]:
    """Clients of a node group that are not connected yet."""
    share, rest = divmod(wishes.streams, wishes.processes)
    counts = [share + (number < rest) for number in range(wishes.processes)]
    async with AsyncExitStack() as stack:
        processes = []
        for number, count in enumerate(counts):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.bench.light", server, group, str(sum(counts[:number])), str(count)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                limit=1 << 26,
                cwd=_ROOT,
                start_new_session=True,  # Ctrl-C is ours
            )
            stack.push_async_callback(process.wait)
            stack.callback(_kill, process)
            processes.append(process)
        yield Fleet(processes)


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()


@asynccontextmanager
async def logs() -> AsyncIterator[Path]:
    """A folder for logs, which outlives a failure: its message says where to read on."""
    folder = Path(tempfile.mkdtemp(prefix="axds-storm-"))
    try:
        yield folder
    except LocalFailure:
        raise
    except BaseException:
        rmtree(folder)
        raise
    rmtree(folder)


@asynccontextmanager
async def control_plane(wishes: Wishes, folder: Path) -> AsyncIterator[tuple[ControlPlane, str]]:
    """A running server with its registry, and the registry's DSN."""
    idp = IdentityProvider()
    (folder / "jwks.json").write_text(idp.jwks())
    async with Postgres(logs=folder) as postgres:
        xds, http = free_port(), free_port()
        settings = {
            "DATABASE_URL": postgres.dsn,
            "XDS_LISTEN": f"{LOOPBACK}:{xds}",
            "HTTP_LISTEN": f"{LOOPBACK}:{http}",
            "AUTH_ISSUER": idp.issuer,
            "AUTH_AUDIENCE": idp.audience,
            "AUTH_JWKS_FILE": str(folder / "jwks.json"),
            "EDGE_LISTENERS": f"{GROUP}={LOOPBACK}:10000",
            "XDS_STREAMS_PER_SECOND": str(wishes.per_second),
            "XDS_STREAM_BURST": str(wishes.burst),
            "SHUTDOWN_SECONDS": "0",
            "LOG_FORMAT": "json",
        }
        plane = ControlPlane(settings, xds_port=xds, http_port=http, logs=folder)
        await plane.run("migrate")
        await seed.seed(postgres.dsn, {_cell(number): 8000 for number in range(wishes.cells)}, {"acme": _cell(0)})
        try:
            plane.begin()
            await plane.child.wait_until(plane.is_ready, timeout=_PATIENCE_SECONDS)  # so many cells take their time
            yield plane, postgres.dsn
        finally:
            await plane.stop()


def _cell(number: int) -> str:
    return f"cell-shared-std-{number:05}"


class Bench:
    """One measurement."""

    def __init__(self, wishes: Wishes, progress: Progress) -> None:
        self._wishes = wishes
        self._progress = progress

    async def run(self) -> Report:
        """Measure."""
        async with (
            logs() as folder,
            control_plane(self._wishes, folder) as (plane, dsn),
            fleet(plane.server, self._wishes) as clients,
        ):
            return await self._measure(clients, psutil.Process(plane.child.pid), dsn)

    async def _measure(self, clients: Fleet, server: psutil.Process, dsn: str) -> Report:
        await clients.ask()  # they are there
        idle, before = server.memory_info().rss, _cpu(server)
        await clients.say("come")
        seen = await self._wait(clients, "connecting", lambda seen: len(seen.wholes))
        await asyncio.sleep(1)  # the last acknowledgements
        cpu, held = _cpu(server) - before, server.memory_info().rss - idle
        pushes = [await self._push(clients, server, dsn) for _ in range(self._wishes.pushes)]
        wishes = self._wishes
        return Report(
            wishes=wishes,
            turn_of_last=max(0.0, (wishes.streams - wishes.burst) / wishes.per_second),
            refused=seen.refused,
            lost=dict(Counter(seen.lost)),
            first_answer=Spread.of(seen.firsts),
            whole_config=Spread.of(seen.wholes),
            megabytes=seen.received / 1e6,
            server_cpu_seconds=cpu,
            server_idle_megabytes=idle / 1e6,
            kilobytes_a_stream=held / wishes.streams / 1e3,
            push_arrival=sorted((spread for spread, _ in pushes), key=lambda spread: spread.max)[len(pushes) // 2],
            push_cpu_microseconds_a_stream=statistics.median(cpu for _, cpu in pushes),
        )

    async def _push(self, clients: Fleet, server: psutil.Process, dsn: str) -> tuple[Spread, float]:
        """Change the weight of one endpoint: the arrivals after COMMIT, and CPU microseconds a stream."""
        before = _cpu(server)
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute(_WEIGHT, _cell(0))
            committed = monotonic()
        finally:
            await connection.close()
        seen = await self._wait(clients, "one change", lambda seen: len(seen.arrivals))
        await asyncio.sleep(1)
        cpu = _cpu(server) - before
        return Spread.of(at - committed for at in seen.arrivals), cpu / self._wishes.streams * 1e6

    async def _wait(self, clients: Fleet, what: str, done: Callable[[Seen], int]) -> Seen:
        """What they see until all of them are done with something; shown meanwhile."""
        task = self._progress.add_task(what, total=self._wishes.streams)
        deadline = monotonic() + _PATIENCE_SECONDS
        seen = Seen()
        while (count := done(seen)) < self._wishes.streams:
            if monotonic() > deadline:
                raise LocalFailure(f"{what}: only {count} of {self._wishes.streams} after {_PATIENCE_SECONDS} s")
            await asyncio.sleep(_LOOK_SECONDS)
            seen.add(await clients.ask())
            self._progress.update(task, completed=done(seen))
        return seen


def _cpu(process: psutil.Process) -> float:
    times: Any = process.cpu_times()
    return float(times.user + times.system)


def _may_open(files: int) -> None:
    """Allow this process, and those it starts, as many open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < files:
        raise SystemExit(f"storm: needs {files} open files, and at most {hard} are allowed here: fewer --streams")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, files), hard))


def main() -> None:
    """Read the arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=5000)
    parser.add_argument("--cells", type=int, default=250, help="each is a cluster, an assignment, a table and a scope")
    parser.add_argument("--processes", type=int, default=4, help="of clients")
    parser.add_argument("--pushes", type=int, default=5)
    parser.add_argument("--per-second", type=float, default=500, help="XDS_STREAMS_PER_SECOND")
    parser.add_argument("--burst", type=int, default=500, help="XDS_STREAM_BURST")
    parser.add_argument("--json", action="store_true", help="the report as JSON on standard output")
    arguments = vars(parser.parse_args())
    as_json = arguments.pop("json")
    wishes = Wishes(**arguments)
    _may_open(wishes.streams + 1000)
    reports: list[Report] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TaskProgressColumn())

    async def work() -> None:
        with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
            reports.append(await Bench(wishes, progress).run())

    try:
        interrupted_by = run_interruptibly(work())
    except LocalFailure as failure:
        raise SystemExit(f"storm: {failure}") from None
    if interrupted_by is not None:
        raise SystemExit(128 + interrupted_by)
    (report,) = reports
    print(json.dumps(asdict(report), indent=1) if as_json else report)
    raise SystemExit(report.first_answer.max >= EXISTENCE_SECONDS)


if __name__ == "__main__":
    main()
