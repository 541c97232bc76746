"""`alphaswarm-xds canary`: arguments to the canary's sources, verdicts to exit statuses."""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from xds.cli.canaryoptions import Duration, Judged, moment_option, source_options
from xds.cli.canarystate import read_memory, write_memory
from xds.cli.canaryview import live_view, plan_lines, report_line, report_lines
from xds.cli.output import as_json_option, print_json, say
from xds.errors import RequestError, SettingsError, XdsError
from xds.evidence import Asking
from xds.operations.canary import Verdict
from xds.operations.canarycheck import Report, check_canary
from xds.operations.canarymemory import Memory
from xds.operations.canaryplan import VARIABLE, Plan, plan_canary

_STATUS = {Verdict.GO: 0, Verdict.STOP: 1, Verdict.UNKNOWN: 3}
"""2 is for wrong arguments, as everywhere."""

_state_option = click.option(
    "--state",
    "state_file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where looks are remembered from one run to the next: rates, and since when a replica is not ready.",
)


@click.group()
def canary() -> None:
    """Judge the cutover's canary by the runbook's stop conditions, and show its next step.

    \b
    Stop conditions:
      readiness  a tenant router is not ready for more than a minute
      edge       more than 0.5 % of the edge's answers are 5xx, over five minutes
      audit      an audit event since the canary began has no cell

    \b
    Exit status: 0 go, 1 stop, 2 wrong arguments, 3 cannot tell, 130 interrupted. What can't be asked, or not yet
    be told, is never "go".
    """  # noqa: D301 -- click reads the \b


@canary.command("check")
@moment_option
@source_options
@_state_option
@as_json_option
@click.pass_context
def check_command(
    context: click.Context, /, *, since: float, state_file: Path | None, as_json: bool, **judged: object
) -> None:
    """Look once. Without a Prometheus, rates need an earlier look: --state FILE, or `watch`.

    \b
    Example:
      alphaswarm-xds canary check --since 2026-11-23T09:00Z --ready http://router-0:8080 \\
        --ready http://router-1:8080 --prometheus http://prometheus:9090
    """  # noqa: D301 -- click reads the \b
    how = Judged.of(context, judged)
    watch = _Watch(how, since, state_file)
    with _never_go():
        report = asyncio.run(watch.look_once())
    if as_json:
        print_json(report.to_json())
    else:
        for line in report_lines(report):
            say(line)
    context.exit(_STATUS[report.verdict])


@canary.command("watch")
@moment_option
@source_options
@click.option("--every", type=Duration(), default="15s", show_default=True, metavar="TIME", help="How often to look.")
@click.option(
    "--for", "deadline", type=Duration(), default="10m", show_default=True, metavar="TIME", help="How long to watch."
)
@_state_option
@as_json_option
@click.pass_context
def watch_command(
    context: click.Context,
    /,
    *,
    since: float,
    every: float,
    deadline: float,
    state_file: Path | None,
    as_json: bool,
    **judged: object,
) -> None:
    """Look again and again; ends at the first stop, or at the deadline with what the last look said.

    \b
    Example:
      alphaswarm-xds canary watch --since 2026-11-23T09:00Z --for 30m --ready http://router-0:8080 \\
        --edge http://127.0.0.1:9901
    """  # noqa: D301 -- click reads the \b
    how = Judged.of(context, judged)
    if how.needs_reads and state_file is None and deadline < how.limits.window_seconds:
        window = f"the window of {how.limits.window_seconds:.0f} s"
        raise click.UsageError(f"--for {deadline:.0f}s is less than {window}: no rate would be known")
    watch = _Watch(how, since, state_file)
    with _never_go():
        report = asyncio.run(watch.look_until(time.time() + deadline, every, as_json=as_json))
    context.exit(_STATUS[report.verdict])


@canary.command("plan")
@click.option("--weight", type=click.Choice(("0", "10", "50", "100")), help="Percent that go to the edge now.")
@click.option(
    "--tfvars",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help=f"… or the file of Terraform's variables that has {VARIABLE}.",
)
@as_json_option
def plan_command(*, weight: str | None, tfvars: Path | None, as_json: bool) -> None:
    """Print where the cutover stands, the next step's commands and the way back. Changes nothing.

    \b
    Example:
      alphaswarm-xds canary plan --tfvars deployments/cloudflare/terraform.tfvars
    """  # noqa: D301 -- click reads the \b
    if (weight is None) == (tfvars is None):
        raise click.UsageError("expected one of --weight and --tfvars")
    plan = plan_canary(int(weight)) if weight is not None else _plan_of(tfvars)
    if as_json:
        print_json(plan.to_json())
    else:
        for line in plan_lines(plan):
            say(line)


def _plan_of(tfvars: Path | None) -> Plan:
    assert tfvars is not None, "one of the two is given"
    lines = (line.partition("=") for line in tfvars.read_text(encoding="utf-8").splitlines())
    values = [value.partition("#")[0].strip() for name, equals, value in lines if equals and name.strip() == VARIABLE]
    if len(values) != 1 or not values[0].isdecimal():
        raise click.UsageError(f"{tfvars}: expected one line '{VARIABLE} = <percent>', got {values or 'none'}")
    try:
        return plan_canary(int(values[0]))
    except RequestError as error:
        raise click.UsageError(f"{tfvars}: {error}") from None


@contextmanager
def _never_go() -> Iterator[None]:
    """What goes wrong on the way to a verdict is "cannot tell"; wrong settings stay wrong settings."""
    try:
        yield
    except SettingsError:
        raise
    except XdsError as error:
        click.echo(f"{Verdict.UNKNOWN.value}: {error}", err=True)
        raise click.exceptions.Exit(_STATUS[Verdict.UNKNOWN]) from None


@dataclass(slots=True)
class _Watch:
    """Looks at the canary, each with the memory of those before."""

    how: Judged
    since: float
    state_file: Path | None
    memory: Memory = field(default_factory=Memory)

    async def look_once(self) -> Report:
        async with Asking() as asking:
            return await self._look(asking)

    async def look_until(self, until: float, every: float, *, as_json: bool) -> Report:
        """Look until `until` or the first stop; the last report."""
        is_live = sys.stdout.isatty() and not as_json
        live = Live(console=Console(), auto_refresh=False) if is_live else None
        async with Asking() as asking:
            with live or nullcontext():
                while True:
                    report = await self._look(asking)
                    self._show(report, until, live, as_json=as_json)
                    left = until - time.time()
                    if report.verdict is Verdict.STOP or left <= 0:
                        break
                    await asyncio.sleep(min(every, left))
        if live:
            for line in report_lines(report):
                say(line)
        return report

    def _show(self, report: Report, until: float, live: Live | None, *, as_json: bool) -> None:
        if live:
            live.update(live_view(report, until), refresh=True)
        else:
            say(json.dumps(report.to_json(), ensure_ascii=False) if as_json else report_line(report))

    async def _look(self, asking: Asking) -> Report:
        if self.state_file:
            self.memory = read_memory(self.state_file)
        report, self.memory = await check_canary(
            self.how.sources(asking), self.memory, since=self.since, now=time.time(), limits=self.how.limits
        )
        if self.state_file:
            write_memory(self.state_file, self.memory)
        return report
