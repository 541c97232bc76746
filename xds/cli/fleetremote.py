"""What one running server says of the Envoys that are connected to it, over HTTP: needs no database."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from xds.cli.output import print_json, print_table, say
from xds.cli.remote import Server

_COLUMNS = ("NODE", "GROUP", "VARIANT", "PEER", "CONNECTED", "SENT", "ACKED", "NACKED", "STATE")


def show_status(asked: Server, group: str | None, *, as_json: bool) -> bool:
    """Show what is served, and every Envoy with what it acknowledged; whether all is well."""
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
    return summary["ready"] and not any(node["rejecting"] for node in nodes)


def show_node(asked: Server, node_id: str, *, as_json: bool) -> None:
    """Show one Envoy: each type of resource, what was sent and what became of it."""
    told = asked.get(f"/manage/fleet/nodes/{quote(node_id, safe='')}")
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
