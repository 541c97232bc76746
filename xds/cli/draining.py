"""`alphaswarm-xds cells drain`, `undrain` and `evacuate`."""

import shlex
import time

import click

from xds.cli.changing import Intent, change_options, confirm, perform
from xds.cli.feeding import progress_bar
from xds.cli.offline import LEFT, drain_offline, evacuate_offline
from xds.cli.output import print_json, say
from xds.cli.registry import run
from xds.cli.remote import Server, server_options
from xds.cli.settings import read_settings
from xds.cli.times import seconds
from xds.names import CellId
from xds.operations import Drained, DrainOptions, drain_cell, evacuate_cell, undrain_cell

_to_option = click.option("--to", metavar="CELL", help="Where all of them go; it must be active.")
_by_capacity_option = click.option(
    "--by-capacity",
    is_flag=True,
    help="Each goes where PLACEMENT_POLICY has it, among the cells of the same tier and region. The default.",
)

_yes_option = click.option("--yes", is_flag=True, help="Don't ask.")
_offline_option = click.option(
    "--offline", is_flag=True, help="The database is down: have each --server do it, and the database know later."
)


@click.command("drain")
@click.argument("cell_id", metavar="CELL")
@_to_option
@_by_capacity_option
@click.option("--batch", type=click.IntRange(min=1), default=100, show_default=True, help="Tenants a transaction.")
@click.option("--pause", callback=seconds, default="2s", show_default=True, help="Between two batches: 0.5s, 2s, 1m.")
@click.option("--stop-on-error", is_flag=True, help="End at the first batch that fails, instead of the third.")
@_yes_option
@_offline_option
@server_options
@change_options
@click.pass_context
def drain_command(
    context: click.Context,
    *,
    cell_id: str,
    to: str | None,
    by_capacity: bool,
    batch: int,
    pause: float,
    stop_on_error: bool,
    yes: bool,
    offline: bool,
    servers: tuple[str, ...],
    token: str,
    intent: Intent,
) -> None:
    """Set a cell draining, and move its tenants away in batches.

    It can be stopped at any time, by Ctrl-C or worse: a batch is moved or it isn't. Run it again and it goes on;
    `cells undrain` brings everybody back. Status 0 if the cell is empty, 1 if not.

    With --offline, while the database is down: each server leads a batch elsewhere, then the next, as `evacuate` does.

    \b
    Examples:
      alphaswarm-xds cells drain cell-shared-std-local --dry-run
      alphaswarm-xds cells drain cell-shared-std-local --to cell-shared-std-2 --batch 500 --pause 1s -m 'new kernel'
    """  # noqa: D301 -- click reads the \b
    cell = CellId(cell_id)
    if offline:
        asked, body = _asked(servers, token, to, by_capacity=by_capacity), _offline(cell_id, to, intent)
        confirm(f"Have {len(asked)} servers lead the tenants of {cell} elsewhere?", is_sure=yes or intent.is_rehearsal)
        if intent.is_rehearsal:
            evacuate_offline(asked, body, as_json=intent.as_json)
        else:
            drain_offline(asked, body, batch=batch, pause=pause, as_json=intent.as_json)
        return
    _refuse(servers)
    options = _options(context, to, by_capacity=by_capacity, batch=batch, pause=pause, stops_on_error=stop_on_error)
    confirm(f"Set {cell} draining and move all of its tenants away?", is_sure=yes or intent.is_rehearsal)
    if intent.is_rehearsal:
        # All batches as one: what becomes of the tenants is the same.
        perform(context, intent, lambda store, by: evacuate_cell(store, cell, options, by=by, action="cells drain"))
    started = time.monotonic()
    try:
        with progress_bar(f"draining {cell}") as advance:
            drained = run(
                context, lambda registry: drain_cell(registry, cell, options, by=intent.author, progress=advance)
            )
    except KeyboardInterrupt:
        words = ["alphaswarm-xds", "cells", "drain", cell, *(("--to", to) if to else ())]
        click.echo(f"stopped between two batches. To go on: {shlex.join(words)}", err=True)
        click.echo(f"To bring everybody back: alphaswarm-xds cells undrain {cell}", err=True)
        raise
    _tell(drained, intent, time.monotonic() - started)


@click.command("evacuate")
@click.argument("cell_id", metavar="CELL")
@_to_option
@_by_capacity_option
@_yes_option
@_offline_option
@server_options
@change_options
@click.pass_context
def evacuate_command(
    context: click.Context,
    *,
    cell_id: str,
    to: str | None,
    by_capacity: bool,
    yes: bool,
    offline: bool,
    servers: tuple[str, ...],
    token: str,
    intent: Intent,
) -> None:
    """Move everybody out of a cell now, in one transaction, or nobody.

    The cell is draining then. Overrides into it are deleted. `cells undrain` brings the tenants back.

    With --offline, while the database is down: each server leads them elsewhere at once, and has the database know
    when it is back. Name every server. Without --to they go to the active shared cells of the same tier and region,
    each to the one with the fewest tenants. Status 1 if one refused.

    \b
    Examples:
      alphaswarm-xds cells evacuate cell-shared-std-local --yes -m 'rack 4 burns'
      alphaswarm-xds cells evacuate cell-shared-std-local --to cell-shared-std-2 --yes --offline \\
          --server http://10.0.0.1:8080 --server http://10.0.0.2:8080
    """  # noqa: D301 -- click reads the \b
    if offline:
        asked = _asked(servers, token, to, by_capacity=by_capacity)
        where = to or "the cells like it"
        is_sure = yes or intent.is_rehearsal
        confirm(f"Have {len(asked)} servers lead every tenant of {cell_id} to {where}?", is_sure=is_sure)
        evacuate_offline(asked, _offline(cell_id, to, intent), as_json=intent.as_json)
        return
    _refuse(servers)
    options = _options(context, to, by_capacity=by_capacity)
    confirm(f"Move every tenant out of {cell_id} at once?", is_sure=yes or intent.is_rehearsal)
    started = time.monotonic()
    drained = perform(context, intent, lambda store, by: evacuate_cell(store, CellId(cell_id), options, by=by))
    _tell(drained, intent, time.monotonic() - started)


@click.command("undrain")
@click.argument("cell_id", metavar="CELL")
@change_options
@click.pass_context
def undrain_command(context: click.Context, *, cell_id: str, intent: Intent) -> None:
    """Make a drained cell active again, and bring back those whom the drain, or an evacuation, has moved.

    Who was moved since, by anybody, stays there.

    \b
    Example:
      alphaswarm-xds cells undrain cell-shared-std-local
    """  # noqa: D301 -- click reads the \b
    done = perform(context, intent, lambda store, by: undrain_cell(store, CellId(cell_id), by=by))
    if intent.as_json:
        told = {"cell": cell_id, "operation": done.drain.id, "moved": done.moved, "stayed": done.stayed}
        print_json(told | {"changed": done.is_change})
    elif not done.is_change:
        say(f"cell {cell_id}: undrained already ({done.drain.id})")
    else:
        stayed = f", {done.stayed} stay where they were moved since" if done.stayed else ""
        say(f"cell {cell_id}: active, {done.moved} tenants brought back{stayed}")


def _offline(cell: str, to: str | None, intent: Intent) -> dict[str, object]:
    """What each server is asked."""
    given: dict[str, object] = {"from": cell, "to": to, "message": intent.author.message}
    return {name: value for name, value in given.items() if value is not None} | {"dry_run": intent.is_rehearsal}


def _refuse(servers: tuple[str, ...]) -> None:
    if servers:
        raise click.UsageError("--server: expected with --offline only")


def _asked(servers: tuple[str, ...], token: str, to: str | None, *, by_capacity: bool) -> list[Server]:
    """The servers that do it while the database is down."""
    if not servers or (to is not None and by_capacity):
        raise click.UsageError("--offline: expected every --server, and --to or --by-capacity")
    return [Server(url, token) for url in servers]


def _options(
    context: click.Context,
    to: str | None,
    *,
    by_capacity: bool,
    batch: int = 100,
    pause: float = 0.0,
    stops_on_error: bool = False,
) -> DrainOptions:
    if to is not None and by_capacity:
        raise click.UsageError("--to names the cell, --by-capacity leaves it to the policy: expected one of them")
    return DrainOptions(
        to=CellId(to) if to is not None else None,
        policy=read_settings(context).placement_policy,
        batch=batch,
        pause=pause,
        stops_on_error=stops_on_error,
    )


def _tell(drained: Drained, intent: Intent, took: float) -> None:
    drain = drained.drain
    if intent.as_json:
        print_json(
            {
                "cell": drain.cell,
                "operation": drain.id,
                "moved": drained.moved,
                "batches": drained.batches,
                "resumed": drained.is_resumed,
                "left": drained.left,
                "kept_by_override": drained.kept,
                "seconds": round(took, 3),
            }
        )
    else:
        say(f"cell {drain.cell}: draining, {drained.moved} tenants moved in {took:.1f} s ({drain.id})")
        for tenants, why in ((drained.left, "being moved in phases"), (drained.kept, "kept there by an override")):
            if tenants:
                named = ", ".join(tenants[:5]) + (f" and {len(tenants) - 5} more" if len(tenants) > 5 else "")
                click.echo(f"still there, {why}: {named}", err=True)
    if not drained.is_empty:
        raise click.exceptions.Exit(LEFT)
