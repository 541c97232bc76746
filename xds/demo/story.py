"""The demo from start to end: everything is started, the story is told, and it stays up if wanted.

Knows the order of things; the steps are in `steps`, their looks in `terminal`.
"""

import asyncio
import json
import shlex
from contextlib import AsyncExitStack
from dataclasses import dataclass

from xds.demo import seed
from xds.demo.checks import Step
from xds.demo.plan import Plan
from xds.demo.stack import Stack
from xds.demo.steps import mover, tell
from xds.demo.terminal import Terminal

_TOKEN_SECONDS = 12 * 3600.0
_WATCH_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the demo found, and how long each part took to start."""

    steps: tuple[Step, ...]
    seconds: dict[str, float]

    @property
    def ok(self) -> bool:
        """Whether every step really happened."""
        return bool(self.steps) and all(step.ok for step in self.steps)

    def to_json(self) -> str:
        """One JSON object, for scripts."""
        steps = [step.to_json() for step in self.steps]
        seconds = {part: round(taken, 3) for part, taken in self.seconds.items()}
        return json.dumps({"ok": self.ok, "steps": steps, "started_in_seconds": seconds}, indent=2)


class Demo:
    """One run of the demo; `report` is there once the story is told."""

    def __init__(self, plan: Plan, terminal: Terminal) -> None:
        self.report: Report | None = None
        self._plan = plan
        self._terminal = terminal

    async def run(self, *, stay: bool) -> None:
        """Start everything, tell the story, stay up until cancelled if wanted, and end everything.

        Raises `LocalFailure` when this machine is in the way.
        """
        stack = Stack(self._plan, observer=self._terminal)
        async with AsyncExitStack() as exits:
            with self._terminal:
                await exits.enter_async_context(stack)
            self.report = await self._narrate(stack)
            if stay:
                await self._stay(stack)
            self._terminal.say("Stopping everything.")

    async def _narrate(self, stack: Stack) -> Report:
        steps: list[Step] = []
        async for step in tell(stack):
            steps.append(step)
            self._terminal.show(step, len(steps))
        report = Report(steps=tuple(steps), seconds=stack.parts.seconds)
        self._terminal.say("")
        if report.ok:
            self._terminal.say("Every step really happened.", style="bold green")
        else:
            failed = ", ".join(step.id for step in steps if not step.ok)
            self._terminal.say(f"Failed: {failed}. The logs stay in {stack.keep_logs()}", style="bold red")
        return report

    async def _stay(self, stack: Stack) -> None:
        for line in guide(stack):
            self._terminal.say(line)
        missed: set[str] = set()
        try:
            while True:
                await asyncio.sleep(_WATCH_SECONDS)
                for child in stack.children():
                    if not child.is_running and child.name not in missed:
                        missed.add(child.name)
                        self._terminal.say(f"Ended: {child.failure()}", style="bold red")
        except asyncio.CancelledError:
            self._terminal.say("")
            self._terminal.say("Stopping everything.")
            raise


def guide(stack: Stack) -> list[str]:
    """What to try by hand: the addresses, and lines to copy."""
    tenant = mover(stack)
    home, other = stack.placements[tenant], next(cell for cell in stack.plan.cells if cell != stack.placements[tenant])
    token = stack.idp.mint(tenant, expires_in=_TOKEN_SECONDS)
    update = seed.MOVE.replace("$1", f"'{tenant}'").replace("$2", f"'{other}'")
    url = stack.control_plane.url
    urls = [client.url for client in stack.clients.values()]
    return [
        "",
        "Everything stays up until Ctrl-C. The addresses:",
        *(f"  Envoy {edge:<28} {client.url}" for edge, client in stack.clients.items()),
        *(f"  Envoy {edge + ', its console':<28} {process.admin}" for edge, process in stack.envoys.items()),
        f"  {'control plane':<34} {url}/readyz  {url}/statusz  {url}/metrics  {url}/manage/cells",
        f"  {'logs':<34} {stack.folder}",
        "",
        f"Try it as {tenant}, who lives in {home} (the token is good for {_TOKEN_SECONDS / 3600:.0f} h):",
        "",
        f"  TOKEN={token}",
        *(f'  curl -sS -H "authorization: Bearer $TOKEN" {url}/api/whoami' for url in urls),
        f'  curl -sS -H "authorization: Bearer $TOKEN" -H "x-alphaswarm-cell: {other}" {urls[0]}/api/whoami',
        f"  curl -sS -i {urls[0]}/api/whoami",
        "",
        f"Move {tenant} to {other}, then ask again:",
        "",
        f'  {shlex.quote(str(stack.postgres.psql))} {shlex.quote(stack.postgres.dsn)} -c "{update}"',
        "",
        f"  curl -sS {url}/statusz",
        "",
    ]
