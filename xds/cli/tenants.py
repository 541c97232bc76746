"""`alphaswarm-xds tenants`: arguments to operations, results to tables or JSON."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from xds.cli.output import as_json_option, change_to_json, print_json, print_list, print_table, say
from xds.cli.registry import run
from xds.errors import RequestError
from xds.model import Tenant, TenantState
from xds.names import CellId, TenantId
from xds.operations import add_tenant, import_tenants, list_tenants, move_tenants, set_tenant_state

READABLE = 1000
"""As many rows as a person reads; a million would take a table minutes."""

_state_choice = click.Choice(TenantState, case_sensitive=False)


@click.group()
def tenants() -> None:
    """List, add, move, suspend and import tenants."""


@tenants.command("list")
@click.option("--cell", metavar="ID", help="Only tenants in this cell.")
@click.option("--state", type=_state_choice, help="Only tenants in this state.")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help=f"At most so many. Default: {READABLE}, all with --json."
)
@as_json_option
@click.pass_context
def list_command(
    context: click.Context, *, cell: str | None, state: TenantState | None, limit: int | None, as_json: bool
) -> None:
    """List tenants, by id.

    \b
    Example:
      alphaswarm-xds tenants list --cell cell-shared-std-local --limit 20
    """  # noqa: D301 -- click reads the \b
    cell_id = CellId(cell) if cell is not None else None
    asked = limit or (None if as_json else READABLE + 1)
    listed = run(context, lambda registry: list_tenants(registry, cell=cell_id, state=state, limit=asked))
    if as_json:
        print_list(listed)
        return
    shown = listed if limit else listed[:READABLE]
    print_table(("ID", "CELL", "STATE"), ((t.id, t.cell, t.state) for t in shown), empty="no tenants")
    if len(shown) < len(listed):
        click.echo(f"only the first {READABLE} are shown: use --limit N or --json for more", err=True)


@tenants.command("add")
@click.argument("tenant_id", metavar="ID")
@click.option("--cell", required=True, metavar="ID", help="The cell it is to live in; it must be active.")
@click.option("--state", type=_state_choice, default=TenantState.ACTIVE, help="Default: active.")
@as_json_option
@click.pass_context
def add_command(context: click.Context, *, tenant_id: str, cell: str, state: TenantState, as_json: bool) -> None:
    """Add a tenant.

    \b
    Example:
      alphaswarm-xds tenants add acme --cell cell-shared-std-local
    """  # noqa: D301 -- click reads the \b
    asked = Tenant(TenantId(tenant_id), CellId(cell), state)
    tenant = run(context, lambda registry: add_tenant(registry, asked))
    if as_json:
        print_json(tenant)
    else:
        say(f"tenant {tenant.id}: added to {tenant.cell}, {tenant.state}")


@tenants.command("move")
@click.argument("tenant_ids", metavar="ID...", nargs=-1, required=True)
@click.option("--to", "cell", required=True, metavar="CELL", help="The cell to move to; it must be active.")
@as_json_option
@click.pass_context
def move_command(context: click.Context, *, tenant_ids: tuple[str, ...], cell: str, as_json: bool) -> None:
    """Move one or more tenants to a cell, all or none.

    Envoys follow at once. A tenant that is there already stays, and is reported as such.

    \b
    Example:
      alphaswarm-xds tenants move acme globex --to cell-shared-std-2
    """  # noqa: D301 -- click reads the \b
    wanted = {TenantId(tenant): CellId(cell) for tenant in tenant_ids}
    moves = run(context, lambda registry: move_tenants(registry, wanted))
    if as_json:
        print_list(map(change_to_json, moves))
        return
    for move in moves:
        say(f"tenant {move.tenant}: " + (f"{move.was} → {move.now}" if move.is_change else f"in {move.now} already"))


@tenants.command("set-state")
@click.argument("tenant_id", metavar="ID")
@click.argument("state", type=_state_choice)
@as_json_option
@click.pass_context
def set_state_command(context: click.Context, *, tenant_id: str, state: TenantState, as_json: bool) -> None:
    """Suspend a tenant (its requests get a 403), or make it active again.

    \b
    Example:
      alphaswarm-xds tenants set-state acme suspended
    """  # noqa: D301 -- click reads the \b
    change = run(context, lambda registry: set_tenant_state(registry, TenantId(tenant_id), state))
    if as_json:
        print_json(change_to_json(change))
    else:
        outcome = f"{change.was} → {change.now}" if change.is_change else f"{change.now} already"
        say(f"tenant {change.tenant}: {outcome}")


@tenants.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@as_json_option
@click.pass_context
def import_command(context: click.Context, *, file: Path, as_json: bool) -> None:
    """Add or move the tenants that a CSV file names; FILE may be - for the standard input.

    The first line is the header `tenant,cell` or `tenant,cell,state`. Every line is checked before anything
    is written, and everything is written in one transaction. An empty state keeps the tenant's own.

    \b
    Example:
      printf 'tenant,cell\\nacme,cell-shared-std-local\\n' | alphaswarm-xds tenants import -
    """  # noqa: D301 -- click reads the \b
    lines = _read_lines(file)
    with _progress() as advance:
        done = run(context, lambda registry: import_tenants(registry, lines, advance))
    if as_json:
        print_json(done)
    else:
        say(f"tenants: {done.added} added, {done.changed} changed, {done.unchanged} unchanged")


def _read_lines(file: Path) -> StringIO:
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        # utf-8-sig: spreadsheets begin a file with a byte order mark.
        return StringIO(data.decode("utf-8-sig"), newline="")
    except OSError as error:
        raise RequestError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"cannot read {file}: expected UTF-8 text, got byte {error.start} wrong") from None


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    console = Console(stderr=True)
    columns = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("import", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
