"""`alphaswarm-xds tenants`: arguments to operations, results to tables or JSON."""

from dataclasses import asdict
from pathlib import Path

import click

from xds.cli.changing import Intent, change_options, perform
from xds.cli.explaining import explain_command
from xds.cli.feeding import progress_bar, read_lines
from xds.cli.moving import abort_command, move_command, moves_command
from xds.cli.output import as_json_option, change_to_json, print_json, print_list, print_table, say
from xds.cli.overrides import override
from xds.cli.registry import run
from xds.cli.settings import read_settings
from xds.model import Tenant, TenantState
from xds.names import CellId, TenantId
from xds.operations import Wish, add_tenant, import_tenants, list_tenants, place_tenant, set_tenant_state

READABLE = 1000
"""As many rows as a person reads; a million would take a table minutes."""

_state_choice = click.Choice(TenantState, case_sensitive=False)


@click.group()
def tenants() -> None:
    """List, add, move, suspend, import, override and explain tenants."""


for _command in (move_command, moves_command, abort_command, override, explain_command):
    tenants.add_command(_command)


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
    """List tenants and the cells that they are placed in, by id. `override list` has who is kept elsewhere.

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
@click.option("--cell", metavar="ID", help="The cell it is to live in; it must be active. Default: by policy.")
@click.option("--tier", help="Without --cell: a cell of this tier. Default: std.")
@click.option("--region", help="Without --cell: a cell of this region. Default: local.")
@click.option("--state", type=_state_choice, default=TenantState.ACTIVE, help="Default: active.")
@change_options
@click.pass_context
def add_command(
    context: click.Context,
    *,
    tenant_id: str,
    cell: str | None,
    tier: str | None,
    region: str | None,
    state: TenantState,
    intent: Intent,
) -> None:
    """Add a tenant: in the cell that is named, or where PLACEMENT_POLICY has it.

    By policy it goes to an active shared cell of the tier and region that has room: the least filled one.

    \b
    Examples:
      alphaswarm-xds tenants add acme --cell cell-shared-std-local
      alphaswarm-xds tenants add globex --tier ent --region us
    """  # noqa: D301 -- click reads the \b
    if cell is not None and (tier or region):
        raise click.UsageError("--cell names the cell; --tier and --region are for a tenant that is placed by policy")
    if cell is not None:
        asked = Tenant(TenantId(tenant_id), CellId(cell), state)
        added = perform(context, intent, lambda store, by: add_tenant(store, asked, by=by))
    else:
        policy = read_settings(context).placement_policy
        wish = Wish(tier=tier or "std", region=region or "local", policy=policy)
        added = perform(
            context, intent, lambda store, by: place_tenant(store, TenantId(tenant_id), wish, state=state, by=by)
        )
    tenant = added.tenant
    if intent.as_json:
        print_json({**asdict(tenant), "changed": added.is_change})
    else:
        what = "added to" if added.is_change else "there already, in"
        say(f"tenant {tenant.id}: {what} {tenant.cell}, {tenant.state}")


@tenants.command("set-state")
@click.argument("tenant_id", metavar="ID")
@click.argument("state", type=_state_choice)
@change_options
@click.pass_context
def set_state_command(context: click.Context, *, tenant_id: str, state: TenantState, intent: Intent) -> None:
    """Suspend a tenant (its requests get a 403), hold its writes (moving: 503), or make it active again.

    \b
    Example:
      alphaswarm-xds tenants set-state acme suspended
    """  # noqa: D301 -- click reads the \b
    change = perform(context, intent, lambda store, by: set_tenant_state(store, TenantId(tenant_id), state, by=by))
    if intent.as_json:
        print_json(change_to_json(change))
    else:
        outcome = f"{change.was} → {change.now}" if change.is_change else f"{change.now} already"
        say(f"tenant {change.tenant}: {outcome}")


@tenants.command("import")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@change_options
@click.pass_context
def import_command(context: click.Context, *, file: Path, intent: Intent) -> None:
    """Add or move the tenants that a CSV file names; FILE may be - for the standard input.

    The first line is the header `tenant,cell` or `tenant,cell,state`. Every line is checked before anything
    is written, and everything is written in one transaction. An empty state keeps the tenant's own.

    \b
    Example:
      printf 'tenant,cell\\nacme,cell-shared-std-local\\n' | alphaswarm-xds tenants import -
    """  # noqa: D301 -- click reads the \b
    lines = read_lines(file)
    with progress_bar("importing") as advance:
        done = perform(context, intent, lambda store, by: import_tenants(store, lines, advance, by=by))
    if intent.as_json:
        print_json(done)
    else:
        say(f"tenants: {done.added} added, {done.changed} changed, {done.unchanged} unchanged")
