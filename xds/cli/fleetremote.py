"""`alphaswarm-xds fleet`: the Envoys that are connected to a running server, and how far each has come."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import click

from xds.cli.output import as_json_option, print_json, print_table, say
from xds.cli.remote import Server, server_options

NOT_WELL = 3
"""The exit status of `--check`: it could be asked, and what it says is not good."""

_COLUMNS = ("NODE", "GROUP", "VARIANT", "PEER", "CONNECTED", "SENT", "ACKED", "NACKED", "STATE")


@click.group()
def fleet() -> None:
    """See the Envoys that are connected to a running server.

    It is asked over HTTP; of several replicas, each knows its own Envoys.
    """


@fleet.command("status")
@click.option("--group", metavar="GROUP", default=None, help="Only Envoys of this node group.")
@click.option("--check", is_flag=True, help=f"Exit with {NOT_WELL} if it is not ready or an Envoy rejects something.")
@server_options
@as_json_option
@click.pass_context
def status_command(
    context: click.Context, *, group: str | None, check: bool, server: str, token: str, as_json: bool
) -> None:
    """Show what is served, and every Envoy with what it acknowledged.

    \b
    Exit status: 0 it could be asked, 1 it could not, 2 wrong arguments; with --check, 3 as said there.

    \b
    Example:
      alphaswarm-xds fleet status --server http://xds.internal:8080 --check
    """  # noqa: D301 -- click reads the \b
    asked = Server(server, token)
    summary = asked.get("/manage/fleet")
    nodes = list(asked.get_all("/manage/fleet/nodes", group=group))
    if as_json:
        print_json({**summary, "data": nodes})
    else:
        held = f"; held: {summary['held']}" if summary["held"] else ""
        readiness = "ready" if summary["ready"] else f"not ready: {summary['reason']}"
        say(f"snapshot {summary['snapshot']}, publishing {summary['mode']}{held}; {readiness}")
        say(f"{summary['nodes']} Envoys connected, {summary['rejecting']} of them reject something")
        print_table(_COLUMNS, map(_row, nodes), empty="no Envoy is connected")
    rejecting = [node for node in nodes if node["rejecting"]]
    context.exit(NOT_WELL if check and (rejecting or not summary["ready"]) else 0)


@fleet.command("node")
@click.argument("node_id", metavar="ID")
@server_options
@as_json_option
def node_command(*, node_id: str, server: str, token: str, as_json: bool) -> None:
    """Show one Envoy: each type of resource, what was sent and what became of it.

    \b
    Exit status: 0 it is connected, 1 it is not or the server could not be asked, 2 wrong arguments.

    \b
    Example:
      alphaswarm-xds fleet node edge-1 --json
    """  # noqa: D301 -- click reads the \b
    told = Server(server, token).get(f"/manage/fleet/nodes/{quote(node_id, safe='')}")
    if as_json:
        print_json(told)
        return
    for stream in told["data"]:
        say(f"node {stream['id']} of group {stream['group']}: {stream['variant']} from {stream['peer']}")
        say(f"{stream['user_agent']}, connected since {stream['connected_at']}")
        columns = ("TYPE", "SUBSCRIBED", "SENT", "ACKED", "NACKED", "VERSION", "ERROR")
        print_table(columns, map(_type_row, stream["types"]), empty="it has asked for nothing yet")


def _row(node: Mapping[str, Any]) -> tuple[object, ...]:
    totals = (sum(each[name] for each in node["types"]) for name in ("sent", "acked", "nacked"))
    state = f"rejects {', '.join(node['rejecting'])}" if node["rejecting"] else "ok"
    return (node["id"], node["group"], node["variant"], node["peer"], node["connected_at"], *totals, state)


def _type_row(each: Mapping[str, Any]) -> tuple[object, ...]:
    subscribed = each.get("subscribed", "*")
    return (each["type"], subscribed, each["sent"], each["acked"], each["nacked"], each["version"], each["error"])
