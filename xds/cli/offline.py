"""The red button: cells left while the database is down, by asking every running server. Reads no registry."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from xds.cli.feeding import progress_bar
from xds.cli.output import print_json, print_list, say
from xds.cli.remote import Server

LEFT = 1
"""The exit status of what has come to its end with somebody still in the cell, or a server that refused."""

Told = list[dict[str, Any]]


def evacuate_offline(servers: Sequence[Server], body: Mapping[str, object], *, as_json: bool) -> None:
    """Ask every server, whatever the ones before said, and tell of each."""
    told = _ask(servers, body)
    if as_json:
        print_list(told)
    for each in () if as_json else told:
        _say(each, body)
    if _refusals(told):
        raise click.exceptions.Exit(LEFT)


def drain_offline(
    servers: Sequence[Server], body: Mapping[str, object], *, batch: int, pause: float, as_json: bool
) -> None:
    """Ask every server for a batch, and the next one, until none has anybody left; stop where one refuses."""
    moved = {server.url: 0 for server in servers}
    with progress_bar(f"draining {body['from']}") as advance:
        while True:
            told = _ask(servers, {**body, "limit": batch})
            for each in told:
                moved[each["server"]] += each.get("tenants", 0)
            left = max((each.get("left", 0) for each in told), default=0)
            advance(max(moved.values()), max(moved.values()) + left)
            if _refusals(told) or not left:
                break
            time.sleep(pause)
    told = [each | ({} if "error" in each else {"tenants": moved[each["server"]]}) for each in told]
    if as_json:
        print_json({"cell": body["from"], "data": told})
    for each in () if as_json else told:
        _say(each, body)
    if _refusals(told):
        raise click.exceptions.Exit(LEFT)


def _ask(servers: Sequence[Server], body: Mapping[str, object]) -> Told:
    told: Told = []
    for server in servers:
        try:
            answer = server.post("/manage/emergency/evacuations", body)
        except click.ClickException as refusal:
            told.append({"server": server.url, "error": refusal.format_message().removeprefix(f"{server.url}: ")})
        else:
            told.append({"server": server.url} | {name: answer[name] for name in ("tenants", "to", "left")})
    return told


def _refusals(told: Told) -> bool:
    return any("error" in each for each in told)


def _say(each: Mapping[str, Any], body: Mapping[str, object]) -> None:
    if "error" in each:
        click.echo(f"{each['server']}: {each['error']}", err=True)
        return
    to = body.get("to") or ", ".join(each["to"]) or "nowhere"
    led = "would be led" if body.get("dry_run") else "led"
    say(f"{each['server']}: {each['tenants']} tenants {led} from {body['from']} to {to}")
