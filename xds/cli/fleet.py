"""`alphaswarm-xds fleet`: the Envoys of all replicas, and how far each has come."""

import time
from collections.abc import Iterable

import click

from xds.cli.fleetremote import show_node, show_status
from xds.cli.output import as_json_option, print_json, print_table, say
from xds.cli.registry import run
from xds.cli.remote import Server
from xds.cli.snapshot import to_time
from xds.operations.fleet import FleetNode, FleetView, Replica

NOT_WELL = 3
"""The exit status of `--check`: it could be asked, and what it says is not good."""

_COLUMNS = ("NODE", "GROUP", "REGION", "ZONE", "ENVOY", "REPLICA", "SINCE", "SENT", "ACKED", "NACKED", "LAG", "STATE")

_server_option = click.option(
    "--server", metavar="URL", default=None, help="Ask this one server, not the database; it knows its own Envoys."
)
_token_option = click.option(
    "--token", envvar="XDS_OPERATOR_TOKEN", default="", help="For --server: an operator's token (XDS_OPERATOR_TOKEN)."
)


@click.group()
def fleet() -> None:
    """See the Envoys that are, or lately were, connected to any replica.

    The replicas write down in the database what they see, within a second. While it is down, ask each with --server.
    """


@fleet.command("status")
@click.option("--group", metavar="GROUP", default=None, help="Only Envoys of this node group.")
@click.option("--check", is_flag=True, help=f"Exit with {NOT_WELL} if not all is well.")
@click.option(
    "--max-lag",
    type=click.FloatRange(min=0),
    default=10.0,
    show_default=True,
    help="How many seconds an Envoy may be behind what it is to have.",
)
@_server_option
@_token_option
@as_json_option
@click.pass_context
def status_command(
    context: click.Context,
    *,
    group: str | None,
    check: bool,
    max_lag: float,
    server: str | None,
    token: str,
    as_json: bool,
) -> None:
    """Show every replica, and every Envoy with what it acknowledged.

    \b
    All is well if there is a replica and no connected Envoy rejects something or is behind for longer than --max-lag;
    for --server, if it is ready and no Envoy rejects something.

    \b
    Exit status: 0 it could be asked, 1 it could not, 2 wrong arguments; with --check, 3 if not all is well.

    \b
    Example:
      alphaswarm-xds fleet status --check --max-lag 5
    """  # noqa: D301 -- click reads the \b
    if server is not None:
        is_well = show_status(Server(server, token), group, as_json=as_json)
    else:
        view = run(context, lambda registry: registry.rollouts.view())
        nodes = [node for node in view.nodes if group in (None, node.group)]
        _show(view, nodes, as_json=as_json)
        is_well = bool(view.replicas) and not any(_is_late(node, max_lag) for node in nodes)
    context.exit(NOT_WELL if check and not is_well else 0)


@fleet.command("node")
@click.argument("node_id", metavar="ID")
@_server_option
@_token_option
@as_json_option
@click.pass_context
def node_command(context: click.Context, *, node_id: str, server: str | None, token: str, as_json: bool) -> None:
    """Show one Envoy on each replica: each type of resource, what was sent and what became of it.

    \b
    Exit status: 0 it is connected, or was within the last hour; 1 it is not known or could not be asked for, 2 wrong
    arguments.

    \b
    Example:
      alphaswarm-xds fleet node edge-1 --json
    """  # noqa: D301 -- click reads the \b
    if server is not None:
        show_node(Server(server, token), node_id, as_json=as_json)
        return
    view = run(context, lambda registry: registry.rollouts.view())
    found = [node for node in view.nodes if node.id == node_id]
    if not found:
        raise click.ClickException(f"node {node_id}: no replica knows it")
    if as_json:
        print_json({"data": list(map(_node_to_json, found))})
        return
    for node in found:
        for key, value in _node_to_json(node).items():
            if key != "types":
                say(f"{key:12} {value}")
        rows = ((kind, of["sent"], of["acked"], of["nacked"], of["version"]) for kind, of in node.types.items())
        print_table(("TYPE", "SENT", "ACKED", "NACKED", "VERSION"), rows, empty="it has asked for nothing yet")


def _show(view: FleetView, nodes: Iterable[FleetNode], *, as_json: bool) -> None:
    if as_json:
        replicas = [_replica_to_json(each) for each in view.replicas]
        print_json({"replicas": replicas, "data": [_node_to_json(node) for node in nodes]})
        return
    rows = ((each.name, each.version, each.snapshot, "publishes" if each.publishes else "") for each in view.replicas)
    print_table(("REPLICA", "VERSION", "SNAPSHOT", ""), rows, empty="no replica has said anything lately")
    say("")
    print_table(_COLUMNS, map(_row, nodes), empty="no Envoy is connected")


def _is_late(node: FleetNode, max_lag: float) -> bool:
    return node.gone_at is None and (bool(node.error) or _lag(node) > max_lag)


def _lag(node: FleetNode) -> float:
    """For how many seconds it has been behind what it is to have."""
    return max(0.0, time.time() - node.behind_since) if node.behind_since is not None else 0.0


def _state(node: FleetNode) -> str:
    if node.gone_at is not None:
        return f"gone since {to_time(node.gone_at)}"
    if node.error:
        return f"rejects {node.error}"
    ok = "ok" if node.is_settled else "behind"
    return f"{ok}, has what is rolled out" if node.has_new else ok


def _row(node: FleetNode) -> tuple[object, ...]:
    totals = (sum(int(str(of[name])) for of in node.types.values()) for name in ("sent", "acked", "nacked"))
    about = (node.id, node.group, node.region, node.zone, node.user_agent, node.replica, to_time(node.connected_at))
    return (*about, *totals, f"{_lag(node):.1f}", _state(node))


def _replica_to_json(replica: Replica) -> dict[str, object]:
    return {
        "name": replica.name,
        "version": replica.version,
        "started_at": to_time(replica.started_at),
        "seen_at": to_time(replica.seen_at),
        "snapshot": replica.snapshot,
        "publishes": replica.publishes,
    }


def _node_to_json(node: FleetNode) -> dict[str, object]:
    return {
        "id": node.id,
        "group": node.group,
        "lane": node.lane,
        "region": node.region,
        "zone": node.zone,
        "labels": dict(node.labels),
        "user_agent": node.user_agent,
        "variant": node.variant,
        "peer": node.peer,
        "replica": node.replica,
        "connected_at": to_time(node.connected_at),
        "gone_at": None if node.gone_at is None else to_time(node.gone_at),
        "settled": node.is_settled,
        "lag_seconds": round(_lag(node), 3),
        "error": node.error,
        "types": {kind: dict(of) for kind, of in node.types.items()},
    }
