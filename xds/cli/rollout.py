"""`alphaswarm-xds rollout`: a change of settings on its way through the fleet, wave by wave."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from xds.cli.changing import confirm
from xds.cli.output import as_json_option, print_json, print_list, print_table, say
from xds.cli.registry import run
from xds.cli.snapshot import to_time, word_of
from xds.operations import rollouts as operations
from xds.operations.fleet import FleetNode
from xds.publish.rollout import Rollout, RolloutState
from xds.publish.waves import Waves
from xds.registry import PostgresRegistry

LOOK_SECONDS = 0.5
"""How often a watch looks."""

_message_option = click.option("--message", "-m", default="", help="Why.")
_by_option = click.option("--by", default="", help="Who decides. Default: your user name and host.")
_watch_option = click.option("--watch", "watches", is_flag=True, help="Watch it to its end.")


@click.group()
def rollout() -> None:
    """See, start, watch and abort rollouts of the publisher's settings.

    When the publisher starts with other settings than those in force, the change goes out in waves by itself: it goes
    on once every node of a wave has acknowledged and soaked, and is undone if one rejects it, is lost or crashes, if a
    wave takes too long, or the check says stop. A change that was in force before, or was stopped, waits for `start`,
    and so does any in manual mode.
    """


@rollout.command("list")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
@as_json_option
@click.pass_context
def list_command(context: click.Context, *, limit: int, as_json: bool) -> None:
    """List the newest rollouts."""
    found = run(context, lambda registry: registry.rollouts.rollouts(limit))
    if as_json:
        print_list(map(_to_json, found))
        return
    rows = ((r.id, r.state, f"{r.wave + 1}/{len(r.waves)}", r.waves.text, len(r.nodes), r.by, r.reason) for r in found)
    print_table(("ID", "STATE", "WAVE", "WAVES", "NODES", "BY", "REASON"), rows, empty="nothing was rolled out yet")


@rollout.command("start")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--waves", default=None, help="Who gets it first. Default: as the publisher planned (ROLLOUT_WAVES).")
@click.option("--soak", "soak_seconds", type=float, default=None, help="Seconds that each wave must hold.")
@_message_option
@_by_option
@_watch_option
@as_json_option
@click.pass_context
def start_command(
    context: click.Context,
    *,
    waves: str | None,
    soak_seconds: float | None,
    message: str,
    by: str,
    watches: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Start the rollout that is pending, or once more the one that was stopped."""
    planned = Waves(waves) if waves is not None else None
    confirm("Give the new structure to one wave of Envoys after the other?", is_sure=yes)
    started = run(
        context,
        lambda registry: operations.start(
            registry.rollouts, word_of(by, message), waves=planned, soak_seconds=soak_seconds
        ),
    )
    _tell(started, as_json=as_json)
    if watches:
        _watch(context, as_json=as_json)


@rollout.command("abort")
@_message_option
@_by_option
@as_json_option
@click.pass_context
def abort_command(context: click.Context, *, message: str, by: str, as_json: bool) -> None:
    """Stop the rollout: every node goes back to what it had before."""
    _tell(run(context, lambda registry: operations.abort(registry.rollouts, word_of(by, message))), as_json=as_json)


@rollout.command("watch")
@as_json_option
@click.pass_context
def watch_command(context: click.Context, *, as_json: bool) -> None:
    """Watch the rollout to its end, with a bar for each wave.

    \b
    Exit status: 0 done, 1 stopped, or there is none.
    """  # noqa: D301 -- click reads the \b
    _watch(context, as_json=as_json)


@dataclass(frozen=True, slots=True)
class _Look:
    rollout: Rollout
    nodes: tuple[FleetNode, ...]

    def counts(self, wave: int) -> tuple[int, int]:
        """How many nodes of a wave have it and hold it, and how many there are."""
        members = [node for node in self.nodes if self.rollout.waves.wave_of(node) == wave]
        is_over = self.rollout.state is RolloutState.DONE
        return sum(node.is_settled and (node.has_new or is_over) for node in members), len(members)


def _watch(context: click.Context, *, as_json: bool) -> None:
    ended = run(context, lambda registry: _watch_to_end(registry, as_json=as_json))
    if ended is None:
        raise click.ClickException("rollout: there is none")
    if ended.state is RolloutState.STOPPED:
        raise click.ClickException(f"rollout {ended.id}: stopped, every node is back where it was: {ended.reason}")
    if ended.state is RolloutState.PENDING:
        raise click.ClickException(f"rollout {ended.id}: is pending: alphaswarm-xds rollout start")


async def _watch_to_end(registry: PostgresRegistry, *, as_json: bool) -> Rollout | None:
    last: Rollout | None = None
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[note]}"),
        console=Console(stderr=True), disable=as_json,
    ) as progress:  # fmt: skip
        bars: list[TaskID] = []
        async for look in _looks(registry):
            last = look.rollout
            if as_json:
                print_json(_to_json(last))
                continue
            if not bars:
                bars = [progress.add_task(name, total=0, note="") for name in last.waves.names]
            _show(progress, bars, look)
    return last


async def _looks(registry: PostgresRegistry) -> AsyncIterator[_Look]:
    """Every look that differs from the one before, up to the end of the rollout."""
    before: _Look | None = None
    while True:
        found = await registry.rollouts.rollout()
        if found is None:
            return
        view = await registry.rollouts.view()
        look = _Look(found, tuple(node for node in view.nodes if node.gone_at is None))
        if look != before:
            yield look
            before = look
        if found.state is not RolloutState.RUNNING:
            return
        await asyncio.sleep(LOOK_SECONDS)


def _show(progress: Progress, bars: Iterable[TaskID], look: _Look) -> None:
    rollout = look.rollout
    for wave, bar in enumerate(bars):
        done, total = look.counts(wave)
        progress.update(bar, completed=done, total=total, note=_note(rollout, wave))


def _note(rollout: Rollout, wave: int) -> str:
    if wave != rollout.wave or rollout.state is not RolloutState.RUNNING:
        return rollout.state.value if wave == rollout.wave else ""
    if rollout.settled_at is None:
        return "waiting for acknowledgements"
    return f"soaking, {max(0.0, rollout.settled_at + rollout.soak_seconds - time.time()):.0f} s"


def _tell(rollout: Rollout, *, as_json: bool) -> None:
    if as_json:
        print_json(_to_json(rollout))
    else:
        say(f"rollout {rollout.id}: {rollout.state}" + (f": {rollout.reason}" if rollout.reason else ""))


def _to_json(rollout: Rollout) -> dict[str, object]:
    return {
        "id": rollout.id,
        "state": rollout.state,
        "waves": rollout.waves.names,
        "wave": rollout.wave,
        "wave_since": to_time(rollout.wave_since),
        "settled_at": None if rollout.settled_at is None else to_time(rollout.settled_at),
        "soak_seconds": rollout.soak_seconds,
        "nodes": sorted(rollout.nodes),
        "reason": rollout.reason,
        "by": rollout.by,
        "message": rollout.message,
        "ended_at": None if rollout.ended_at is None else to_time(rollout.ended_at),
    }
