"""Playing a scenario: traffic at a constant rate, moves that are followed by every Envoy, and notes of what happens.

Knows nothing about what the system runs on, nor about what a scenario does with all this.
"""

import asyncio
import json
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Self

import aiohttp
import asyncpg

from tests.load.results import Event, Outcome, Push, Sample, Step
from tests.load.system import System
from xds.demo import seed
from xds.demo.checks import Check
from xds.demo.client import once
from xds.errors import LocalFailure

PATH = "/api/x"
FOLLOWED_SECONDS = 10.0
"""How long an Envoy has to follow a move."""
TIMEOUT_SECONDS = 10.0
"""How long a request may take."""

_ROOT = Path(__file__).parents[2]
_START_SECONDS = 20.0
_ASK_SECONDS = 0.001
_LOOK_SECONDS = 0.05
_LINE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How large a scenario is played."""

    seconds: float = 10.0
    rate: float = 200.0
    envoys: int = 2
    joining: int = 4
    """How many Envoys there are once all have joined."""
    clients: int = 2000
    connections: int = 8


class Play:
    """One run of a scenario on one system; what it notes is in `outcome`."""

    def __init__(self, system: System, wishes: Wishes, outcome: Outcome, look: Callable[[str], None]) -> None:
        self.system = system
        self.wishes = wishes
        self.outcome = outcome
        self._look = look
        self._step = ""
        self._recent: deque[float] = deque(maxlen=1000)
        self._began = perf_counter()
        self._turn = deque(system.placements)
        self._followed: set[str] = set()
        self.asked = self.refused = 0
        """How often it was asked whether a move is followed, and refused."""
        self.reached = list(system.edges)
        """The Envoys that are to follow."""

    def now(self) -> float:
        """Seconds since it began."""
        return perf_counter() - self._began

    def note(self, what: str) -> None:
        """Something was done to the system just now."""
        self.outcome.events.append(Event(self.now(), what))

    def check(self, asked: str, came: str, *, ok: bool) -> None:
        """What had to be so, what is, and whether it holds."""
        self.outcome.checks.append(Check(asked=asked, came=came, ok=ok))

    def check_requests(self) -> None:
        """The default condition: no request failed."""
        sent, failed = len(self.outcome.samples), len(self.outcome.failed)
        came = "; ".join([f"{failed} of {sent:,} failed", *self.outcome.failures()])
        self.check("no request fails", came, ok=sent > 0 and failed == 0)

    def check_pushes(self, *, p99: float) -> None:
        """Every Envoy followed every move, and 99 % of them within `p99` milliseconds."""
        late = [push for push in self.outcome.pushes if push.took is None]
        took = sorted(self.outcome.followed())
        count = len(self.outcome.pushes)
        self.check("every Envoy follows every move", f"{count - len(late)} of {count}", ok=count > 0 and not late)
        self.check("no question about a move fails", f"{self.refused} of {self.asked:,}", ok=self.refused == 0)
        worst = took[max(0, -(-len(took) * 99 // 100) - 1)] if took else 0.0
        self.check(f"COMMIT → new cell within {p99:g} ms (p99)", f"{worst:.0f} ms", ok=bool(took) and worst <= p99)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """What happens meanwhile is shown and summed under this name."""
        began, self._step = self.now(), name
        self._tell()
        try:
            yield
        finally:
            self.outcome.steps.append(Step(name, began, self.now()))

    async def wait(self, share: float = 1.0) -> None:
        """Let the traffic go on for a share of the seconds that were wished for."""
        await asyncio.sleep(self.wishes.seconds * share)

    @asynccontextmanager
    async def traffic(
        self,
        tokens: Mapping[str, str] | None = None,
        *,
        targets: Mapping[str, str] | None = None,
        rate: float | None = None,
    ) -> AsyncIterator[None]:
        """Requests of all tenants, or those with a token here, through all Envoys, or those named."""
        plan = {
            "targets": dict(targets or self.system.targets),
            "tokens": dict(tokens or await self.system.tokens(list(self.system.placements))),
            "path": PATH,
            "rate": rate or self.wishes.rate,
            "connections": self.wishes.connections,
            "timeout": TIMEOUT_SECONDS,
        }
        process = await asyncio.create_subprocess_exec(
            *self.system.generator,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES,
            cwd=_ROOT,
            start_new_session=True,  # Ctrl-C is ours
        )
        begun = asyncio.Event()
        try:
            assert process.stdin
            process.stdin.write(json.dumps(plan).encode() + b"\n")
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(process, begun))
                async with asyncio.timeout(_START_SECONDS):
                    await begun.wait()
                yield
                process.stdin.close()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.send_signal(signal.SIGKILL)
                await process.wait()

    async def _read(self, process: asyncio.subprocess.Process, begun: asyncio.Event) -> None:
        """Take in what the generator tells until it ends."""
        assert process.stdout
        assert process.stderr
        while line := await process.stdout.readline():
            told = json.loads(line)
            if isinstance(told, dict):
                if told["missed"]:
                    self.check("every request is sent", f"{told['missed']} never were", ok=False)
                return
            begun.set()
            due, *rest = told
            sample = Sample(due - self._began, *rest)
            self.outcome.samples.append(sample)
            self._recent.append(sample.took)
            if len(self.outcome.samples) % 20 == 0:
                self._tell()
        raise LocalFailure(f"the load generator ended: {(await process.stderr.read()).decode()[-500:].strip()}")

    def _tell(self) -> None:
        recent = sorted(self._recent)
        p99 = f", p99 {recent[int(len(recent) * 0.99)]:.1f} ms" if recent else ""
        took = self.outcome.followed()[-1:]
        push = f", last push {took[0]:.0f} ms" if took else ""
        failed = len(self.outcome.failed)
        self._look(f"{self._step}: {len(self.outcome.samples):,} requests, {failed} failed{p99}{push}")

    async def moves(self, per_second: float, seconds: float, *, seen: float = 5.0) -> float:
        """Move tenants at a constant rate, a COMMIT each, and see about `seen` of them a second followed.

        How many a second there were.
        """
        total, every = max(1, round(per_second * seconds)), max(1, round(per_second / seen))
        connection = await self.system.connect()
        try:
            async with asyncio.TaskGroup() as group:
                began = perf_counter()
                for number in range(total):
                    await asyncio.sleep(max(0.0, began + number / per_second - perf_counter()))
                    tenant, cell = self._next_move()
                    await self._move(connection, group, tenant, cell, is_seen=number % every == 0)
                await asyncio.sleep(max(0.0, began + total / per_second - perf_counter()))
                return total / (perf_counter() - began)
        finally:
            await connection.close(timeout=5)

    async def move(self) -> None:
        """Move one tenant, and see every Envoy follow."""
        connection = await self.system.connect()
        try:
            async with asyncio.TaskGroup() as group:
                await self._move(connection, group, *self._next_move(), is_seen=True)
        finally:
            await connection.close(timeout=5)

    async def _move(
        self, connection: asyncpg.Connection, group: asyncio.TaskGroup, tenant: str, cell: str, *, is_seen: bool
    ) -> None:
        token = (await self.system.tokens([tenant]))[tenant] if is_seen else ""
        commit = await seed.move(connection, tenant, cell)
        self.system.placements[tenant] = cell
        for edge in self.reached if is_seen else ():
            self._followed.add(tenant)
            group.create_task(self._follow(edge, tenant, cell, token, commit.returned))

    async def until_answered(self, tenant: str, cell: str, *, timeout: float) -> None:
        """Wait until every Envoy has the tenant answered by that cell; raises `LocalFailure` if that takes longer."""
        token, began = (await self.system.tokens([tenant]))[tenant], perf_counter()
        for edge in self.reached:
            while (await self._ask(self.system.edges[edge], token))[1] != cell:
                if perf_counter() - began > timeout:
                    raise LocalFailure(f"{tenant} is not answered by {cell} through {edge} in {timeout:g} s")
                await asyncio.sleep(_LOOK_SECONDS)

    def _next_move(self) -> tuple[str, str]:
        """The tenant whose turn it is, and another cell for it."""
        for _ in range(len(self._turn)):
            self._turn.rotate(-1)
            if self._turn[0] not in self._followed:
                break
        cells = list(self.system.cells)
        here = cells.index(self.system.placements[self._turn[0]])
        return self._turn[0], cells[(here + 1) % len(cells)]

    async def _follow(self, edge: str, tenant: str, cell: str, token: str, committed: float) -> None:
        """Ask an Envoy until the new cell answers."""
        took: float | None = None
        while took is None and perf_counter() - committed < FOLLOWED_SECONDS:
            status, answered = await self._ask(self.system.edges[edge], token)
            self.asked += 1
            self.refused += status != 200
            if answered == cell:
                took = (perf_counter() - committed) * 1000
            else:
                await asyncio.sleep(_ASK_SECONDS)
        self.outcome.pushes.append(Push(committed - self._began, edge, tenant, took))
        self._followed.discard(tenant)

    async def _ask(self, url: str, token: str) -> tuple[int, str]:
        """Status, and who answered by his own account; 0 where nobody did."""
        try:
            async with self._session.get(url + PATH, headers={"authorization": f"Bearer {token}"}) as answer:
                return answer.status, str((await answer.json())["cell"]) if answer.status == 200 else ""
        except (aiohttp.ClientError, TimeoutError):
            return 0, ""

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        self._session = aiohttp.ClientSession(timeout=timeout, middlewares=(once,))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()
