"""`alphaswarm-xds tenants override`: arguments to operations, results to tables or JSON."""

from dataclasses import asdict
from datetime import UTC, datetime

import click

from xds.cli.changing import Intent, change_options, perform
from xds.cli.output import as_json_option, print_json, print_list, print_table, say
from xds.cli.registry import run
from xds.cli.times import future
from xds.model import Override, OverrideKind
from xds.names import CellId, TenantId
from xds.operations import OverrideChange, clear_override, list_overrides, set_override


@click.group()
def override() -> None:
    """Keep tenants in other cells than they are placed in, for a reason and for a time."""


@override.command("set")
@click.argument("tenant_id", metavar="TENANT")
@click.option("--cell", required=True, metavar="ID", help="Where its requests go; an active or a cordoned cell.")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for whoever finds it.")
@click.option("--owner", metavar="TEXT", help="Whom to ask. Default: the actor.")
@click.option(
    "--expires", "expires_at", required=True, callback=future, metavar="WHEN", help="30m, 12h, 7d, or a date."
)
@click.option(
    "--kind",
    type=click.Choice(OverrideKind, case_sensitive=False),
    default=OverrideKind.TESTING,
    help="Default: testing.",
)
@change_options
@click.pass_context
def set_command(
    context: click.Context,
    *,
    tenant_id: str,
    cell: str,
    reason: str,
    owner: str | None,
    expires_at: datetime,
    kind: OverrideKind,
    intent: Intent,
) -> None:
    """Keep a tenant in a cell until a time, above its placement.

    \b
    Example:
      alphaswarm-xds tenants override set acme --cell cell-canary --expires 2h --reason 'new build' --owner anna
    """  # noqa: D301 -- click reads the \b
    asked = Override(
        tenant=TenantId(tenant_id),
        cell=CellId(cell),
        kind=kind,
        owner=owner or intent.author.actor,
        reason=reason,
        expires_at=expires_at.replace(microsecond=0),
    )
    now = datetime.now(UTC)
    change = perform(context, intent, lambda store, by: set_override(store, asked, now=now, by=by))
    _tell(change, intent)


@override.command("clear")
@click.argument("tenant_id", metavar="TENANT")
@change_options
@click.pass_context
def clear_command(context: click.Context, *, tenant_id: str, intent: Intent) -> None:
    """Let a tenant be where it is placed.

    \b
    Example:
      alphaswarm-xds tenants override clear acme
    """  # noqa: D301 -- click reads the \b
    _tell(perform(context, intent, lambda store, by: clear_override(store, TenantId(tenant_id), by=by)), intent)


@override.command("list")
@click.option("--cell", metavar="ID", help="Only those into this cell.")
@as_json_option
@click.pass_context
def list_command(context: click.Context, *, cell: str | None, as_json: bool) -> None:
    """List overrides, by tenant.

    \b
    Example:
      alphaswarm-xds tenants override list
    """  # noqa: D301 -- click reads the \b
    listed = run(context, lambda registry: list_overrides(registry, cell=CellId(cell) if cell is not None else None))
    if as_json:
        print_list(map(_to_json, listed))
        return
    rows = ((o.tenant, o.cell, o.kind, o.owner, f"{o.expires_at:%Y-%m-%d %H:%M}", o.reason) for o in listed)
    print_table(("TENANT", "CELL", "KIND", "OWNER", "EXPIRES", "REASON"), rows, empty="no overrides")


def _tell(change: OverrideChange, intent: Intent) -> None:
    if intent.as_json:
        was, now = (_to_json(each) if each else None for each in (change.was, change.now))
        print_json({"tenant": change.tenant, "was": was, "now": now, "changed": change.is_change})
    elif change.now:
        until = f"{change.now.expires_at:%Y-%m-%d %H:%M} UTC"
        said = f"kept in {change.now.cell} until {until}"
        say(f"tenant {change.tenant}: {said}{'' if change.is_change else ' already'}")
    else:
        said = "its override is cleared" if change.is_change else "has no override"
        say(f"tenant {change.tenant}: {said}")


def _to_json(each: Override) -> dict[str, object]:
    return asdict(each) | {"expires_at": each.expires_at.astimezone(UTC).isoformat(timespec="seconds")}
