"""`alphaswarm-xds audit`: who did what, when and why."""

from datetime import UTC, datetime

import click

from xds.cli.changing import event_text, event_to_json
from xds.cli.output import as_json_option, print_list, print_table
from xds.cli.registry import run
from xds.cli.times import past
from xds.names import CellId, TenantId
from xds.operations import AuditQuery, list_audit

_COLUMNS = ("AT", "ACTOR", "ACTION", "WHAT", "WHY", "OPERATION")


@click.group()
def audit() -> None:
    """List who did what, when and why."""


@audit.command("list")
@click.option("--cell", metavar="ID", help="Only of this cell, and of tenants that came to it or left it.")
@click.option("--tenant", metavar="ID", help="Only of this tenant.")
@click.option("--operation", metavar="ID", help="Only of this operation: one drain, say.")
@click.option("--since", callback=past, metavar="WHEN", help="Only since then: 30m, 12h, 7d, or a date.")
@click.option("--before", type=click.IntRange(min=1), metavar="N", help="Only what was before event N.")
@click.option(
    "--limit", type=click.IntRange(min=1), default=100, show_default=True, metavar="N", help="At most so many."
)
@as_json_option
@click.pass_context
def list_command(
    context: click.Context,
    *,
    cell: str | None,
    tenant: str | None,
    operation: str | None,
    since: datetime | None,
    before: int | None,
    limit: int,
    as_json: bool,
) -> None:
    """List what was done, the newest first. What was changed by plain SQL is there too, as its user's.

    \b
    Example:
      alphaswarm-xds audit list --tenant acme --since 7d
    """  # noqa: D301 -- click reads the \b
    query = AuditQuery(
        cell=CellId(cell) if cell is not None else None,
        tenant=TenantId(tenant) if tenant is not None else None,
        operation=operation,
        since=since,
        before=before,
        limit=limit,
    )
    events = run(context, lambda registry: list_audit(registry, query))
    if as_json:
        print_list(map(event_to_json, events))
        return
    rows = (
        (f"{e.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}", e.actor, e.action, event_text(e), e.message, e.operation)
        for e in events
    )
    print_table(_COLUMNS, rows, empty="no events")
