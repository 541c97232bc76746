"""`alphaswarm-xds demo`: the arguments, and what the exit status says.

Knows nothing about how a demo is made.
"""

from pathlib import Path
from typing import Literal

import click
from rich.console import Console

from xds.demo.interrupt import run_interruptibly
from xds.demo.plan import Plan
from xds.demo.story import Demo
from xds.demo.terminal import Terminal

_EDGES = ("edge-a", "edge-b")


def _ports(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[int, ...]:
    """Read `A,B`."""
    parts = [part.strip() for part in (value or "").split(",") if part.strip()]
    if not all(part.isdecimal() and 0 < int(part) < 65536 for part in parts) or len(parts) not in (0, len(_EDGES)):
        raise click.BadParameter(f"expected two ports of 1 to 65535, as in 10000,10001, got {value!r}")
    ports = tuple(int(part) for part in parts)
    if len(set(ports)) != len(ports):
        raise click.BadParameter(f"expected two different ports, got {value!r}")
    return ports


@click.command("demo")
@click.option("--once", is_flag=True, help="Tell the story and end: status 0 only if every step really happened.")
@click.option("--edge-ports", metavar="A,B", callback=_ports, help="Where the two Envoys listen. Default: chosen.")
@click.option("--http-port", type=click.IntRange(0, 65535), default=0, help="Where /readyz is. Default: chosen.")
@click.option(
    "--variant",
    type=click.Choice(["delta", "sotw"]),
    default="delta",
    show_default=True,
    help="The protocol variant that the Envoys speak.",
)
@click.option(
    "--envoy",
    envvar="ENVOY_BIN",
    show_envvar=True,
    type=click.Path(path_type=Path),
    help="Another Envoy than the packaged one.",
)
@click.option("--json", "as_json", is_flag=True, help="With --once: results as JSON on stdout, the story on stderr.")
def demo(
    *,
    once: bool,
    edge_ports: tuple[int, ...],
    http_port: int,
    variant: Literal["delta", "sotw"],
    envoy: Path | None,
    as_json: bool,
) -> None:
    """Run the whole system for real on this machine, and show that it works.

    Starts a PostgreSQL, seeds a registry with three cells and two dozen tenants, starts the control plane,
    two Envoys that subscribe to it, and three small cell APIs. Then it shows, each step really checked: a
    tenant's request arriving at its cell, spoofed headers losing, missing, bad and expired tokens and an
    unknown tenant refused, and a tenant moved in the database with every Envoy following, timed.

    Stays up until Ctrl-C, with addresses and lines to try; nothing stays behind. Needs no root, no Docker
    and no network.

    \b
    Exit status:
      0    every step happened (after Ctrl-C or SIGTERM too, once it stays up)
      1    a step failed, or this machine is in the way (a port is taken, a binary cannot run)
      2    wrong arguments
      130  Ctrl-C before the story's end (143: SIGTERM)
    """  # noqa: D301 -- click reads the \b
    if as_json and not once:
        raise click.UsageError("--json needs --once")
    plan = Plan(edges=_EDGES, edge_ports=edge_ports, http_port=http_port, variant=variant, envoy=envoy)
    run = Demo(plan, Terminal(Console(stderr=as_json)))
    interrupted_by = run_interruptibly(run.run(stay=not once))
    if interrupted_by is not None and (once or run.report is None):
        raise click.exceptions.Exit(128 + interrupted_by)
    if as_json and run.report is not None:
        click.echo(run.report.to_json())
    if run.report is None or not run.report.ok:
        raise click.exceptions.Exit(1)
