"""`alphaswarm-xds fleet`: the Envoys of all replicas, and how far each has come.

Asks the database, or a running server, which answers the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import click

from xds.cli.output import as_json_option, print_json, print_table, say
from xds.cli.registry import run
from xds.cli.remote import Server, token_option
from xds.control.fleet import replicas_of, views_of

NOT_WELL = 3
"""The exit status of `--check`: it could be asked, and what it says is not good."""

_COLUMNS = ("NODE", "GROUP", "REGION", "ZONE", "ENVOY", "REPLICA", "SINCE", "SENT", "ACKED", "NACKED", "LAG", "STATE")

Document = Mapping[str, Any]

_server_option = click.option(
    "--server", metavar="URL", default=None, help="Ask this server, not the database; http://xds.internal:8080, say."
)


@click.group()
def fleet() -> None:
    """See the Envoys that are, or lately were, connected to any replica.

    The replicas write down in the database what they see, within a second. While it is down, a --server that is asked
    tells of its own Envoys, and says so.
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
@token_option
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
    a --server that is asked must be ready, too.

    \b
    Exit status: 0 it could be asked, 1 it could not, 2 wrong arguments; with --check, 3 if not all is well.

    \b
    Example:
      alphaswarm-xds fleet status --check --max-lag 5
    """  # noqa: D301 -- click reads the \b
    if server is not None:
        asked = Server(server, token)
        summary: Document = asked.get("/manage/fleet")
        nodes: Sequence[Document] = list(asked.get_all("/manage/fleet/nodes", group=group))
    else:
        summary, known = _from_database(context)
        nodes = [node for node in known if group in (None, node["group"])]
    if as_json:
        print_json({**summary, "data": nodes})
    else:
        _show(summary, nodes)
    is_well = summary["replicas"] and summary.get("ready", True) and not any(_is_late(node, max_lag) for node in nodes)
    context.exit(NOT_WELL if check and not is_well else 0)


@fleet.command("node")
@click.argument("node_id", metavar="ID")
@_server_option
@token_option
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
        told: Document = Server(server, token).get(f"/manage/fleet/nodes/{quote(node_id, safe='')}")
    else:
        summary, nodes = _from_database(context)
        told = {"data": [node for node in nodes if node["id"] == node_id], "complete": summary["complete"]}
        if not told["data"]:
            raise click.ClickException(f"node {node_id}: no replica knows it")
    if as_json:
        print_json(dict(told))
        return
    _tell_if_partial(told)
    for node in told["data"]:
        for key, value in node.items():
            if key != "types":
                say(f"{key:12} {value}")
        rows = (
            (of["type"], of.get("subscribed", "*"), of["sent"], of["acked"], of["nacked"], of["version"], of["error"])
            for of in node["types"]
        )
        columns = ("TYPE", "SUBSCRIBED", "SENT", "ACKED", "NACKED", "VERSION", "ERROR")
        print_table(columns, rows, empty="it has asked for nothing yet")


def _from_database(context: click.Context) -> tuple[Document, list[Document]]:
    """What the API would tell of it: replicas, and nodes."""
    view = run(context, lambda registry: registry.rollouts.view())
    replicas = [each.model_dump(mode="json", exclude_none=True) for each in replicas_of(view)]
    nodes = [each.model_dump(mode="json", exclude_none=True) for each in views_of(view)]
    return {"complete": True, "replicas": replicas}, [*nodes]


def _show(summary: Document, nodes: Iterable[Document]) -> None:
    _tell_if_partial(summary)
    if "ready" in summary:
        held = f"; held: {summary['held']}" if summary["held"] else ""
        readiness = "ready" if summary["ready"] else f"not ready: {summary['reason']}"
        say(f"snapshot {summary['snapshot']}, publishing {summary['mode']}{held}; {readiness}")
    rows = (
        (each["name"], each["version"], each["snapshot"], "publishes" if each["publishes"] else "")
        for each in summary["replicas"]
    )
    print_table(("REPLICA", "VERSION", "SNAPSHOT", ""), rows, empty="no replica has said anything lately")
    say("")
    print_table(_COLUMNS, map(_row, nodes), empty="no Envoy is connected")


def _tell_if_partial(told: Document) -> None:
    if not told["complete"]:
        click.echo("the database can't be asked: this is what one replica knows", err=True)


def _is_late(node: Document, max_lag: float) -> bool:
    return "gone_at" not in node and (bool(node["error"]) or node["lag_seconds"] > max_lag)


def _state(node: Document) -> str:
    if "gone_at" in node:
        return f"gone since {node['gone_at']}"
    if node["error"]:
        return f"rejects {node['error']}"
    ok = "ok" if node["settled"] else "behind"
    return f"{ok}, has what is rolled out" if node["lane"] != node["group"] else ok


def _row(node: Document) -> tuple[object, ...]:
    totals = (sum(of[name] for of in node["types"]) for name in ("sent", "acked", "nacked"))
    about = (*(node[name] for name in ("id", "group", "region", "zone", "user_agent", "replica", "connected_at")),)
    return (*about, *totals, f"{node['lag_seconds']:.1f}", _state(node))
