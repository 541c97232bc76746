"""`alphaswarm-xds cells`: arguments to operations, results to tables or JSON."""

import re

import click

from xds.cli.changing import Intent, change_options, confirm, perform
from xds.cli.draining import drain_command, evacuate_command, undrain_command
from xds.cli.labels import read_labels
from xds.cli.output import as_json_option, change_to_json, print_json, print_list, print_table, say
from xds.cli.registry import run
from xds.model import Cell, CellState, Endpoint, Tenancy, UpstreamProtocol
from xds.names import CellId
from xds.operations import (
    DEFAULT_PORT,
    CellTraits,
    add_cell,
    change_cell,
    list_cells,
    set_capacity,
    set_cell_state,
    set_endpoints,
)

_HOST_PORT = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<host>[^:]*))(?::(?P<port>[0-9]{1,5}))?")


class EndpointParameter(click.ParamType[Endpoint]):
    """`HOST[:PORT][,zone=ZONE][,weight=N]`; without a host, the cell's service name."""

    name = "endpoint"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Endpoint:
        """Read one endpoint."""
        address, *options = str(value).split(",")
        match = _HOST_PORT.fullmatch(address)
        pairs = dict(option.partition("=")[::2] for option in options)
        weight = pairs.get("weight", "1")
        if match is None or not set(pairs) <= {"zone", "weight"} or len(pairs) < len(options) or not weight.isdecimal():
            self.fail(f"expected HOST[:PORT][,zone=ZONE][,weight=N], an IPv6 HOST in [], got {value!r}", param, ctx)
        return Endpoint(
            address=match["v6"] or match["host"] or "",
            port=int(match["port"] or DEFAULT_PORT),
            zone=pairs.get("zone", ""),
            weight=int(weight),
        )


_endpoint_option = click.option(
    "--endpoint",
    "endpoints",
    multiple=True,
    type=EndpointParameter(),
    metavar="HOST[:PORT][,zone=ZONE][,weight=N]",
    help=f"Where the cell's API answers; may be repeated. Default: its service name, port {DEFAULT_PORT}.",
)


@click.group()
def cells() -> None:
    """List and change cells and their endpoints; drain and evacuate them."""


for _command in (drain_command, undrain_command, evacuate_command):
    cells.add_command(_command)


@cells.command("list")
@click.option("--state", type=click.Choice(CellState, case_sensitive=False), help="Only cells in this state.")
@as_json_option
@click.pass_context
def list_command(context: click.Context, *, state: CellState | None, as_json: bool) -> None:
    """List the cells, with the number of tenants in each.

    \b
    Example:
      alphaswarm-xds cells list --json | jq -r '.data[].id'
    """  # noqa: D301 -- click reads the \b
    listed = run(context, lambda registry: list_cells(registry, state=state))
    if as_json:
        print_list(_to_json(row.cell) | {"tenants": row.tenants, "capacity": row.capacity} for row in listed)
        return
    rows = (
        (
            c.id,
            c.state,
            c.tenancy,
            c.tier,
            c.region,
            c.protocol,
            row.tenants,
            _capacity(row.capacity),
            _endpoints_text(c.endpoints),
        )
        for row in listed
        for c in (row.cell,)
    )
    columns = ("ID", "STATE", "TENANCY", "TIER", "REGION", "PROTOCOL", "TENANTS", "CAPACITY", "ENDPOINTS")
    print_table(columns, rows, empty="no cells")


@cells.command("add")
@click.argument("cell_id", metavar="ID")
@click.option(
    "--state",
    type=click.Choice(CellState, case_sensitive=False),
    default=CellState.PROVISIONING,
    help="Its first state. Default: provisioning.",
)
@click.option(
    "--tenancy", type=click.Choice(Tenancy, case_sensitive=False), default=Tenancy.SHARED, help="Default: shared."
)
@click.option("--tier", default="std", show_default=True)
@click.option("--region", default="local", show_default=True)
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", callback=read_labels, help="May be repeated.")
@click.option(
    "--protocol",
    type=click.Choice(UpstreamProtocol, case_sensitive=False),
    default=UpstreamProtocol.HTTP1,
    help="What its API speaks. Default: http1.",
)
@click.option("--capacity", type=int, metavar="N", help="How many tenants it has room for. Default: any number.")
@_endpoint_option
@change_options
@click.pass_context
def add_command(
    context: click.Context,
    *,
    cell_id: str,
    state: CellState,
    tenancy: Tenancy,
    tier: str,
    region: str,
    labels: dict[str, str],
    protocol: UpstreamProtocol,
    capacity: int | None,
    endpoints: tuple[Endpoint, ...],
    intent: Intent,
) -> None:
    """Add a cell.

    It begins as provisioning unless told otherwise: Envoys then connect to it and check its health before
    its first request, and no tenant can be put there yet. Make it active when it is up.

    \b
    Examples:
      alphaswarm-xds cells add cell-shared-std-local
      alphaswarm-xds cells add cell-acme --tenancy dedicated --state active \\
          --endpoint 10.0.0.1:8000,zone=a,weight=2 --endpoint 10.0.0.2:8000,zone=b
    """  # noqa: D301 -- click reads the \b
    asked = Cell(
        id=CellId(cell_id),
        state=state,
        tenancy=tenancy,
        tier=tier,
        region=region,
        labels=tuple(labels.items()),
        protocol=protocol,
        endpoints=endpoints,
    )
    added = perform(context, intent, lambda store, by: add_cell(store, asked, capacity=capacity, by=by))
    cell = added.cell
    if intent.as_json:
        print_json(_to_json(cell) | {"capacity": capacity, "changed": added.is_change})
    else:
        what = "added" if added.is_change else "there already"
        say(f"cell {cell.id}: {what}, {cell.state}, at {_endpoints_text(cell.endpoints)}")


@cells.command("set-state")
@click.argument("cell_id", metavar="ID")
@click.argument("state", type=click.Choice(CellState, case_sensitive=False))
@click.option("--yes", is_flag=True, help="Don't ask, of retired.")
@change_options
@click.pass_context
def set_state_command(context: click.Context, *, cell_id: str, state: CellState, yes: bool, intent: Intent) -> None:
    """Bring a cell into another state.

    \b
    provisioning  known to Envoys, not in use     → active, retired
    active        takes tenants and traffic       → draining, cordoned
    draining      its tenants are being moved     → active, cordoned, retired
    cordoned      its tenants stay, no new ones   → active, draining, retired
    retired       gone from Envoys; no tenants    → provisioning

    \b
    Example:
      alphaswarm-xds cells set-state cell-shared-std-local draining
    """  # noqa: D301 -- click reads the \b
    if state is CellState.RETIRED:
        _confirm_retirement(cell_id, intent, is_sure=yes)
    _set_state(context, cell_id, state, intent)


@cells.command("change")
@click.argument("cell_id", metavar="ID")
@click.option("--tenancy", type=click.Choice(Tenancy, case_sensitive=False))
@click.option("--tier", help="Another tier: which tenants are placed there.")
@click.option("--region", help="Another region.")
@click.option("--protocol", type=click.Choice(UpstreamProtocol, case_sensitive=False), help="What its API speaks now.")
@click.option("--label", "labels", multiple=True, metavar="NAME=VALUE", callback=read_labels, help="May be repeated.")
@click.option("--remove-label", "removed_labels", multiple=True, metavar="NAME", help="May be repeated.")
@change_options
@click.pass_context
def change_command(
    context: click.Context,
    *,
    cell_id: str,
    labels: dict[str, str],
    removed_labels: tuple[str, ...],
    intent: Intent,
    tenancy: Tenancy | None,
    tier: str | None,
    region: str | None,
    protocol: UpstreamProtocol | None,
) -> None:
    """Give a cell another tenancy, tier, region, protocol or labels; what is not named stays, and so do its tenants.

    \b
    Example:
      alphaswarm-xds cells change cell-shared-std-2 --tier ent --label rack=4 --remove-label spare
    """  # noqa: D301 -- click reads the \b
    traits = CellTraits(
        tenancy=tenancy,
        tier=tier,
        region=region,
        protocol=protocol,
        labels=labels,
        removed_labels=frozenset(removed_labels),
    )
    if traits == CellTraits():
        raise click.UsageError("expected what is to be another: --tier, --region, --tenancy, --protocol or --label")
    change = perform(context, intent, lambda store, by: change_cell(store, CellId(cell_id), traits, by=by))
    if intent.as_json:
        print_json({"was": _to_json(change.was), "now": _to_json(change.now), "changed": change.is_change})
    else:
        names = [name for name in _to_json(change.now) if _to_json(change.was)[name] != _to_json(change.now)[name]]
        told = (f"{name} {_to_json(change.was)[name]} → {_to_json(change.now)[name]}" for name in names)
        say(f"cell {cell_id}: " + (", ".join(told) or "is so already"))


@cells.command("cordon")
@click.argument("cell_id", metavar="ID")
@change_options
@click.pass_context
def cordon_command(context: click.Context, *, cell_id: str, intent: Intent) -> None:
    """Let a cell take no new tenants; those it has stay, and are served.

    \b
    Example:
      alphaswarm-xds cells cordon cell-shared-std-local -m 'disk is filling up'
    """  # noqa: D301 -- click reads the \b
    _set_state(context, cell_id, CellState.CORDONED, intent, "cells cordon")


@cells.command("uncordon")
@click.argument("cell_id", metavar="ID")
@change_options
@click.pass_context
def uncordon_command(context: click.Context, *, cell_id: str, intent: Intent) -> None:
    """Let a cordoned cell take tenants again.

    \b
    Example:
      alphaswarm-xds cells uncordon cell-shared-std-local
    """  # noqa: D301 -- click reads the \b
    _set_state(context, cell_id, CellState.ACTIVE, intent, "cells uncordon")


@cells.command("retire")
@click.argument("cell_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Don't ask.")
@change_options
@click.pass_context
def retire_command(context: click.Context, *, cell_id: str, yes: bool, intent: Intent) -> None:
    """Take a cell out of Envoys. It must be empty: see `cells drain`.

    \b
    Example:
      alphaswarm-xds cells retire cell-shared-std-local --yes
    """  # noqa: D301 -- click reads the \b
    _confirm_retirement(cell_id, intent, is_sure=yes)
    _set_state(context, cell_id, CellState.RETIRED, intent, "cells retire")


@cells.command("set-capacity")
@click.argument("cell_id", metavar="ID")
@click.argument("capacity", metavar="N|none")
@change_options
@click.pass_context
def set_capacity_command(context: click.Context, *, cell_id: str, capacity: str, intent: Intent) -> None:
    """Limit how many tenants a cell takes; none: any number.

    A cell that has more keeps them, and takes no others.

    \b
    Example:
      alphaswarm-xds cells set-capacity cell-shared-std-local 5000
    """  # noqa: D301 -- click reads the \b
    if not (capacity.isdecimal() or capacity == "none"):
        raise click.UsageError(f"expected a number of tenants, or none, got {capacity!r}")
    room = int(capacity) if capacity.isdecimal() else None
    change = perform(context, intent, lambda store, by: set_capacity(store, CellId(cell_id), room, by=by))
    if intent.as_json:
        print_json(change_to_json(change))
    else:
        was, now = _capacity(change.was), _capacity(change.now)
        say(f"cell {change.cell}: room for " + (f"{was} → {now}" if change.is_change else f"{now} already"))


@cells.command("set-endpoints")
@click.argument("cell_id", metavar="ID")
@_endpoint_option
@change_options
@click.pass_context
def set_endpoints_command(
    context: click.Context, *, cell_id: str, endpoints: tuple[Endpoint, ...], intent: Intent
) -> None:
    """Give a cell these endpoints and no others.

    \b
    Example:
      alphaswarm-xds cells set-endpoints cell-acme --endpoint 10.0.0.1:8000 --endpoint 10.0.0.3:8000
    """  # noqa: D301 -- click reads the \b
    if not endpoints:
        raise click.UsageError("expected at least one --endpoint")
    change = perform(context, intent, lambda store, by: set_endpoints(store, CellId(cell_id), endpoints, by=by))
    if intent.as_json:
        print_json(change_to_json(change))
    else:
        was, now = _endpoints_text(change.was), _endpoints_text(change.now)
        say(f"cell {change.cell}: " + (f"{was or 'none'} → {now}" if change.is_change else f"{now} already"))


def _confirm_retirement(cell_id: str, intent: Intent, *, is_sure: bool) -> None:
    confirm(f"Take {cell_id} out of every Envoy?", is_sure=is_sure or intent.is_rehearsal)


def _set_state(
    context: click.Context, cell_id: str, state: CellState, intent: Intent, action: str = "cells set-state"
) -> None:
    change = perform(
        context, intent, lambda store, by: set_cell_state(store, CellId(cell_id), state, by=by, action=action)
    )
    if intent.as_json:
        print_json(change_to_json(change))
    else:
        say(f"cell {change.cell}: " + (f"{change.was} → {change.now}" if change.is_change else f"{change.now} already"))


def _capacity(capacity: int | None) -> str:
    return "any" if capacity is None else str(capacity)


def _to_json(cell: Cell) -> dict[str, object]:
    return {
        "id": cell.id,
        "state": cell.state,
        "tenancy": cell.tenancy,
        "tier": cell.tier,
        "region": cell.region,
        "labels": dict(cell.labels),
        "protocol": cell.protocol,
        "endpoints": cell.endpoints,
    }


def _endpoints_text(endpoints: tuple[Endpoint, ...]) -> str:
    return " ".join(_endpoint_text(endpoint) for endpoint in endpoints)


def _endpoint_text(endpoint: Endpoint) -> str:
    """As `--endpoint` takes it."""
    address = f"[{endpoint.address}]" if ":" in endpoint.address else endpoint.address
    zone = f",zone={endpoint.zone}" if endpoint.zone else ""
    weight = f",weight={endpoint.weight}" if endpoint.weight != 1 else ""
    return f"{address}:{endpoint.port}{zone}{weight}"
