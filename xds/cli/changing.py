"""What every command that changes something has in common: who does it and why, and a dry run.

Knows nothing about what is changed.
"""

import getpass
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from functools import wraps
from typing import NoReturn, TypeVar

import click

from xds.cli.output import print_json, say
from xds.cli.registry import run
from xds.cli.settings import read_settings
from xds.operations import AuditEvent, Author, Transactions
from xds.registry import Rehearsal

T = TypeVar("T")

SHOWN = 20
"""As many lines of a dry run as a person reads; what is more is counted."""


@dataclass(frozen=True, slots=True)
class Intent:
    """Who wants it and why, and whether it is only to be tried."""

    author: Author
    is_rehearsal: bool = False
    as_json: bool = False


def author_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command --actor and --message; its parameter is `author`."""

    @click.option(
        "--actor", default=whoever_runs_this, show_default="user@host", help="Who does it, for the audit trail."
    )
    @click.option("-m", "--message", default="", help="Why, for the audit trail.")
    @wraps(command)
    def with_author(*args: object, actor: str, message: str, **kwargs: object) -> None:
        command(*args, author=Author(actor, message), **kwargs)

    return with_author


def change_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command --actor, --message, --dry-run and --json; its parameter is `intent`."""

    @author_options
    @click.option("--dry-run", is_flag=True, help="Change nothing: say what would be changed.")
    @click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
    @wraps(command)
    def with_intent(*args: object, author: Author, dry_run: bool, as_json: bool, **kwargs: object) -> None:
        command(*args, intent=Intent(author, dry_run, as_json), **kwargs)

    return with_intent


def perform(context: click.Context, intent: Intent, operation: Callable[[Transactions, Author], Awaitable[T]]) -> T:
    """What `operation` returns; or, if it is only to be tried, say what would come of it, and end the program."""
    if intent.is_rehearsal:
        _tell(context, intent, run(context, lambda registry: _rehearse(registry.rehearsal(), intent, operation)))
    return run(context, lambda registry: operation(registry, intent.author))


def confirm(question: str, *, is_sure: bool) -> None:
    """Ask before something dangerous; without a terminal only --yes is an answer."""
    if is_sure:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Say --yes: there is no terminal to ask")
    click.confirm(question, abort=True, err=True)


def event_to_json(event: AuditEvent) -> dict[str, object]:
    """An event of the audit trail as JSON types."""
    return asdict(event) | {"at": event.at.isoformat(timespec="milliseconds")}


def event_text(event: AuditEvent) -> str:
    """What became of something, in a line: only what differs."""
    subject = " ".join(filter(None, (event.kind, event.tenant or event.cell)))
    if event.before is None:
        return f"{subject}: added: {_fields(event.after or {})}"
    if event.after is None:
        return f"{subject}: removed: {_fields(event.before)}"
    pairs = [(name, event.before.get(name), value) for name, value in event.after.items()]
    differing = (f"{name} {_value(was)} → {_value(now)}" for name, was, now in pairs if was != now)
    return f"{subject}: {', '.join(differing)}"


async def _rehearse(
    rehearsal: Rehearsal, intent: Intent, operation: Callable[[Transactions, Author], Awaitable[object]]
) -> Rehearsal:
    await operation(rehearsal, intent.author)
    return rehearsal


def _tell(context: click.Context, intent: Intent, rehearsal: Rehearsal) -> NoReturn:
    # Here and not above: what translates takes a second to import.
    from xds.configured import changes_options  # noqa: PLC0415
    from xds.operations.forecasting import forecast  # noqa: PLC0415

    options = changes_options(read_settings(context))
    told = forecast(rehearsal.before, rehearsal.after, options, now=time.time())
    if intent.as_json:
        changes = [event_to_json(event) for event in rehearsal.events]
        print_json({"dry_run": True, "each_envoy": asdict(told), "changes": changes})
    else:
        for line in _diff(rehearsal.events):
            say(line)
        envoys = f"{told.resources} resources, {told.removed} removals, {told.bytes} bytes"
        say(f"dry run: nothing was changed; {told.tenants} tenants would be affected; each Envoy would get {envoys}")
    raise click.exceptions.Exit(0)


def _diff(events: Sequence[AuditEvent]) -> list[str]:
    """A line for each of a few events; of many, how many went from where to where."""
    lines = [event_text(event) for event in events]
    if len(lines) <= SHOWN:
        return lines
    of_tenants = Counter(event_text(event).partition(": ")[2] for event in events if event.kind == "tenant")
    others = [event_text(event) for event in events if event.kind != "tenant"]
    counted = [f"{count} tenants: {what}" for what, count in of_tenants.most_common()]
    lines = [*others, *counted]
    return lines[:SHOWN] + ([f"and {len(lines) - SHOWN} more lines: use --json"] if len(lines) > SHOWN else [])


def _fields(values: object) -> str:
    assert isinstance(values, dict), "events have objects"
    return ", ".join(f"{name} {_value(value)}" for name, value in values.items() if value not in (None, "", {}, []))


def _value(value: object) -> object:
    """A value in a line: of a rollout's nodes, say, only how many they are."""
    return len(value) if isinstance(value, list) else value


def whoever_runs_this() -> str:
    """`user@host`; the user's number where it has no name, in a container say."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"
