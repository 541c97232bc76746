"""`alphaswarm-xds snapshot`: what was published, what is held, and an operator's word about it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

import click

from xds.cli.changing import confirm, whoever_runs_this
from xds.cli.output import as_json_option, print_json, print_list, print_table, say
from xds.cli.registry import run
from xds.cli.snapshotcheck import check_before, check_command
from xds.errors import Conflict
from xds.operations import snapshots as operations
from xds.operations.snapshots import Decided, Difference, Held, SnapshotStore, Word
from xds.publish.history import Entry
from xds.publish.policy import Mode, Policy
from xds.registry import PostgresRegistry

ACT_SECONDS = 10.0
"""How long to wait for the publisher."""

_NUMBER = click.IntRange(min=1)

_message_option = click.option("--message", "-m", default="", help="Why; it is kept with the snapshot.")
_by_option = click.option("--by", default="", help="Who decides. Default: your user name and host.")
_wait_option = click.option(
    "--wait/--no-wait", "waits", default=True, help="Wait until the publisher has acted. Default: wait."
)
_yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


@click.group()
def snapshot() -> None:
    """See what was published, compare, check, publish what is held, roll back, pin, freeze, resume."""


snapshot.add_command(check_command)


@snapshot.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--before", type=_NUMBER, default=None, metavar="NUMBER", help="Only older ones.")
@as_json_option
@click.pass_context
def list_command(context: click.Context, *, limit: int, before: int | None, as_json: bool) -> None:
    """List the newest snapshots."""
    entries = run(context, lambda registry: registry.snapshots.entries(before, limit))
    if as_json:
        print_list(map(_entry_to_json, entries))
        return
    columns = ("NUMBER", "AT", "BY", "KIND", "REVISION", "TENANTS", "CELLS", "CHANGED", "GONE", "MESSAGE")
    print_table(columns, map(_entry_row, entries), empty="nothing was published yet")


@snapshot.command("show")
@click.argument("number", type=_NUMBER, required=False)
@click.option("--type", "kind", default=None, help="Only resources of this type: cds, eds, lds, ecds, rds or srds.")
@click.option("--name", default=None, help="Only the resource of this name; with its content.")
@as_json_option
@click.pass_context
def show_command(
    context: click.Context, *, number: int | None, kind: str | None, name: str | None, as_json: bool
) -> None:
    """Show a snapshot, by default the one in force: what is known of it, and its resources."""

    async def read(registry: PostgresRegistry) -> operations.Shown:
        wanted = number or await operations.newest_number(registry.snapshots)
        return await operations.show(registry.snapshots, wanted, kind=kind, name=name)

    shown = run(context, read)
    entry = _entry_to_json(shown.entry)
    resources = [_resource_to_json(each, with_content=name is not None) for each in shown.resources]
    if as_json:
        print_json({**entry, "resources": resources})
        return
    for key, value in entry.items():
        say(f"{key:10} {value}")
    if name is not None:
        for each in resources:
            print_json(each)
        return
    rows = ((each["group"], each["type"], each["name"], each["version"], each["bytes"]) for each in resources)
    print_table(("GROUP", "TYPE", "NAME", "VERSION", "BYTES"), rows, empty="no such resource")


@snapshot.command("diff")
@click.argument("older", type=_NUMBER, required=False)
@click.argument("newer", type=_NUMBER, required=False)
@click.option("--content", "with_content", is_flag=True, help="Show what stood there, and what stands there now.")
@as_json_option
@click.pass_context
def diff_command(
    context: click.Context, *, older: int | None, newer: int | None, with_content: bool, as_json: bool
) -> None:
    """Compare two snapshots; with one, it and the one in force; with none, the one in force and what is held.

    \b
    Exit status: 0 nothing differs, 1 something does.
    """  # noqa: D301 -- click reads the \b

    async def read(registry: PostgresRegistry) -> tuple[Held | None, tuple[Difference, ...]]:
        store = registry.snapshots
        if older is None:
            held = await store.held(limit=None)
            return held, held.differences if held is not None else ()
        return None, await operations.compare(store, older, newer or await operations.newest_number(store))

    held, differences = run(context, read)
    shown = [_difference_to_json(each, with_content=with_content or as_json) for each in differences]
    if as_json:
        print_json({"held": _held_to_json(held), "differences": shown})
    else:
        _print_differences(held, shown, with_content=with_content)
    context.exit(1 if differences else 0)


def _print_differences(held: Held | None, shown: Iterable[dict[str, object]], *, with_content: bool) -> None:
    if held is not None:
        say(f"held: {held.reason}; revision {held.revision}, {held.upserts} changed, {held.removed} gone")
        say(f"to publish it: alphaswarm-xds snapshot publish --digest {held.digest}")
    rows = list(shown)
    print_table(
        ("", "TYPE", "NAME", "GROUP"),
        ((each["sign"], each["type"], each["name"], each["group"]) for each in rows),
        empty="nothing differs",
    )
    for each in rows if with_content else ():
        print_json(each)


@snapshot.command("publish")
@click.option("--digest", default="", help="Only if this is what is held: the one that you looked at.")
@click.option("--no-check", is_flag=True, help="Ask no Envoy whether it would take it.")
@_message_option
@_by_option
@_wait_option
@_yes_option
@as_json_option
@click.pass_context
def publish_command(
    context: click.Context,
    *,
    digest: str,
    no_check: bool,
    message: str,
    by: str,
    waits: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Publish what is held, by the mode or by the guard.

    If an Envoy is at hand (see `snapshot check`) it is asked first; nothing is published that it rejects.
    """
    held = run(context, lambda registry: registry.snapshots.held())
    if held is not None and digest in ("", held.digest):
        checked = "" if no_check else check_before(context, as_json=as_json)
        if not digest and not yes:
            what = f"{held.upserts} changed and {held.removed} gone resources, held by: {held.reason}"
            confirm(f"Publish {what}?", is_sure=False)
            digest = held.digest
        digest = digest or checked
    word = word_of(by, message)
    _decide(context, lambda store: operations.publish_held(store, word, digest=digest), waits=waits, as_json=as_json)


@snapshot.command("rollback")
@click.argument("number", type=_NUMBER)
@_message_option
@_by_option
@_wait_option
@_yes_option
@as_json_option
@click.pass_context
def rollback_command(
    context: click.Context, *, number: int, message: str, by: str, waits: bool, yes: bool, as_json: bool
) -> None:
    """Serve a snapshot of before, byte for byte but for the keys of today, and nothing else until `resume`."""
    if not yes:
        differences = run(context, lambda registry: _since(registry, number))
        question = f"Serve snapshot {number} again ({len(differences)} resources differ) until 'snapshot resume'?"
        confirm(question, is_sure=False)
    word = word_of(by, message)
    _decide(context, lambda store: operations.roll_back(store, number, word), waits=waits, as_json=as_json)


async def _since(registry: PostgresRegistry, number: int) -> tuple[Difference, ...]:
    store = registry.snapshots
    return await operations.compare(store, await operations.newest_number(store), number)


def _add_decision(name: str, decide: Callable[[SnapshotStore, Word], Awaitable[Decided]], words: str) -> None:
    @snapshot.command(name, help=words)
    @_message_option
    @_by_option
    @_wait_option
    @as_json_option
    @click.pass_context
    def command(context: click.Context, *, message: str, by: str, waits: bool, as_json: bool) -> None:
        word = word_of(by, message)
        _decide(context, lambda store: decide(store, word), waits=waits, as_json=as_json)


_add_decision("pin", operations.pin, "Keep serving the snapshot in force until `resume`, whatever the registry says.")
_add_decision(
    "freeze", operations.freeze, "Publish nothing until `resume`; changes are held, and can be seen by `diff`."
)


@snapshot.command("resume")
@_message_option
@_by_option
@_wait_option
@_yes_option
@as_json_option
@click.pass_context
def resume_command(context: click.Context, *, message: str, by: str, waits: bool, yes: bool, as_json: bool) -> None:
    """Undo rollback, pin and freeze: what was held meanwhile is published, unless the guard or the mode holds it."""
    held = None if yes else run(context, lambda registry: registry.snapshots.held())
    if held is not None:
        what = f"{held.upserts} changed and {held.removed} gone resources"
        confirm(f"Publish {what}, which are held meanwhile?", is_sure=False)
    word = word_of(by, message)
    _decide(context, lambda store: operations.resume(store, word), waits=waits, as_json=as_json)


@snapshot.command("mode")
@click.argument("mode", type=click.Choice(Mode, case_sensitive=False))
@_message_option
@_by_option
@_wait_option
@as_json_option
@click.pass_context
def mode_command(context: click.Context, *, mode: Mode, message: str, by: str, waits: bool, as_json: bool) -> None:
    """Publish changes as they come (auto), or when an operator says so (manual)."""
    word = word_of(by, message)
    _decide(context, lambda store: operations.set_mode(store, mode, word), waits=waits, as_json=as_json)


def word_of(by: str, message: str) -> Word:
    """Who decides, and why; without a name, whoever runs the command."""
    return Word(by=by or whoever_runs_this(), message=message)


def _decide(
    context: click.Context,
    operation: Callable[[SnapshotStore], Awaitable[Decided]],
    *,
    waits: bool,
    as_json: bool,
) -> None:
    async def act(registry: PostgresRegistry) -> tuple[Decided, bool, Entry | None]:
        store = registry.snapshots
        decided = await operation(store)
        acted = await _is_acted_on(store) if waits else False
        entries = await store.entries(None, 20)
        approved = decided.now.approved
        if acted and approved and all(each.digest != approved for each in entries):
            raise Conflict("snapshots: what is held is no longer what you approved of: look at it again")
        return decided, acted, entries[0] if entries else None

    decided, acted, entry = run(context, act)
    number = entry.number if entry is not None else None
    if as_json:
        print_json(
            {"changed": decided.is_change, "policy": _policy_to_json(decided.now), "acted": acted}
            | {"snapshot": number}
        )
    elif acted or not waits:
        say(f"{decided.now.label}: {'snapshot ' + str(number) + ' is in force' if acted else 'decided'}")
    if waits and not acted:
        raise click.ClickException(
            f"decided, but no publisher has acted on it in {ACT_SECONDS:.0f} s; one will as soon as it runs"
        )


async def _is_acted_on(store: SnapshotStore) -> bool:
    ends = time.monotonic() + ACT_SECONDS
    while time.monotonic() < ends:
        if await store.is_acted_on():
            return True
        await asyncio.sleep(0.05)
    return False


def _entry_row(entry: Entry) -> tuple[object, ...]:
    counts = entry.counts
    return (
        entry.number,
        to_time(entry.at),
        entry.by,
        entry.kind,
        entry.revision,
        counts.get("tenants", 0),
        counts.get("cells", 0),
        entry.upserts,
        entry.removed,
        entry.message,
    )


def _entry_to_json(entry: Entry) -> dict[str, object]:
    return {
        "number": entry.number,
        "at": to_time(entry.at),
        "by": entry.by,
        "kind": entry.kind,
        "message": entry.message,
        "revision": entry.revision,
        "digest": entry.digest,
        "counts": dict(entry.counts),
        "changed": entry.upserts,
        "gone": entry.removed,
    }


def _policy_to_json(policy: Policy) -> dict[str, object]:
    return {
        "mode": policy.mode,
        "frozen": policy.is_frozen,
        "pinned": policy.pinned,
        "by": policy.by,
        "message": policy.message,
        "at": to_time(policy.at),
    }


def _held_to_json(held: Held | None) -> dict[str, object] | None:
    if held is None:
        return None
    return {
        "digest": held.digest,
        "revision": held.revision,
        "reason": held.reason,
        "counts": dict(held.counts),
        "changed": held.upserts,
        "gone": held.removed,
        "at": to_time(held.at),
    }


def _resource_to_json(each: operations.ShownResource, *, with_content: bool) -> dict[str, object]:
    place, resource = each.place, each.resource
    shown: dict[str, object] = {
        "group": place.group,
        "type": place.kind,
        "name": place.name,
        "version": resource.version,
        "bytes": len(resource.body),
    }
    return {**shown, "content": operations.readable(place, resource.body)} if with_content else shown


def _difference_to_json(each: Difference, *, with_content: bool) -> dict[str, object]:
    place = each.place
    shown: dict[str, object] = {
        "sign": each.sign,
        "group": place.group,
        "type": place.kind,
        "name": place.name,
        "before": each.before.version if each.before else None,
        "after": each.after.version if each.after else None,
    }
    if with_content:
        sides = (("before_content", each.before), ("after_content", each.after))
        shown |= {name: operations.readable(place, side.body) if side else None for name, side in sides}
    return shown


def to_time(seconds: float) -> str:
    """An instant as JSON has it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
