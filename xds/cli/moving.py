"""`alphaswarm-xds tenants move`, at once or in phases, `moves` and `abort-move`."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from xds.cli.asking import witness
from xds.cli.changing import Intent, author_options, change_options, confirm, perform
from xds.cli.feeding import read_lines
from xds.cli.output import as_json_option, change_to_json, print_json, print_list, print_table, say
from xds.cli.registry import run
from xds.cli.remote import server_options
from xds.cli.times import seconds
from xds.names import CellId, TenantId
from xds.operations import Author, Move, move_share, move_tenants
from xds.operations.movelists import read_moves
from xds.operations.phasing import MoveOptions, Step, abort_move, move_in_phases

READABLE = 20
"""As many moves as are told one by one."""

_SHARE = re.compile(r"([0-9]{1,3}(?:\.[0-9]+)?)%")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be moved: tenants to a cell each, or a share of a cell's."""

    cells: Mapping[TenantId, CellId]
    origin: CellId | None = None
    to: CellId | None = None
    share: float = 0.0


def _share(_context: click.Context, _parameter: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    matched = _SHARE.fullmatch(value)
    if matched is None:
        raise click.BadParameter(f"expected a share such as 10%, got {value!r}")
    return float(matched[1]) / 100


@click.command("move")
@click.argument("tenant_ids", metavar="ID...", nargs=-1)
@click.option("--to", metavar="CELL", help="The cell to move to; it must be active.")
@click.option(
    "--file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Moves from a file, - for the standard input: CSV with the header tenant,cell, or JSON.",
)
@click.option("--from", "origin", metavar="CELL", help="With --share: the cell whose tenants move.")
@click.option("--share", callback=_share, metavar="N%", help="Of --from's tenants; which ones, their ids decide.")
@click.option("--hold", is_flag=True, help="In phases: writes get a 503 while the tenant moves.")
@click.option("--verify", is_flag=True, help="In phases: go on when every Envoy has acknowledged; asks --server.")
@click.option("--settle", callback=seconds, default="0s", help="With --hold: how long requests under way get to end.")
@click.option("--timeout", callback=seconds, default="30s", help="With --verify: how long Envoys may take.")
@click.option("--yes", is_flag=True, help="Don't ask, with --share.")
@server_options
@change_options
@click.pass_context
def move_command(
    context: click.Context,
    *,
    tenant_ids: tuple[str, ...],
    to: str | None,
    file: Path | None,
    origin: str | None,
    share: float | None,
    hold: bool,
    verify: bool,
    settle: float,
    timeout: float,
    yes: bool,
    servers: Sequence[str],
    token: str,
    intent: Intent,
) -> None:
    """Move tenants, all or none: those named, those in a file, or a share of a cell's.

    Envoys follow at once. Who is there already stays, so it can be said again. A share said again moves nobody.

    With --hold or --verify one tenant moves in phases: prepare, hold its writes, switch, finish. Reads go on. A
    websocket that is open, and a request under way, is not ended. It can be stopped: say it again, and it goes on, or
    `tenants abort-move`.

    \b
    Examples:
      alphaswarm-xds tenants move acme globex --to cell-shared-std-2
      alphaswarm-xds tenants move --file moves.csv --dry-run
      alphaswarm-xds tenants move --from cell-a --to cell-b --share 10%
      alphaswarm-xds tenants move acme --to cell-b --hold --verify --server http://127.0.0.1:8080
    """  # noqa: D301 -- click reads the \b
    asked = _asked(tenant_ids, to, file, origin, share)
    if verify and not servers:
        raise click.UsageError("--verify: expected every --server, to ask what its Envoys have acknowledged")
    if (hold or verify) and not intent.is_rehearsal:
        options = MoveOptions(
            holds=hold,
            settle_seconds=settle,
            verify_seconds=timeout,
            witness=witness(servers, token) if verify else None,
        )
        _move_in_phases(context, asked, options, intent)
        return
    if asked.origin is not None and asked.to is not None:
        whence, whither = asked.origin, asked.to
        question = f"Move {100 * asked.share:g} % of the tenants of {whence} to {whither}?"
        confirm(question, is_sure=yes or intent.is_rehearsal)
        moves = perform(context, intent, lambda store, by: move_share(store, whence, whither, asked.share, by=by))
    else:
        moves = perform(context, intent, lambda store, by: move_tenants(store, asked.cells, by=by))
    _tell(moves, intent)


@click.command("moves")
@as_json_option
@click.pass_context
def moves_command(context: click.Context, *, as_json: bool) -> None:
    """List the moves in phases that are under way.

    \b
    Example:
      alphaswarm-xds tenants moves
    """  # noqa: D301 -- click reads the \b
    listed = run(context, lambda registry: registry.list_moves())
    if as_json:
        print_list(listed)
    else:
        rows = ((m.tenant, m.origin, m.to, m.phase, m.operation) for m in listed)
        print_table(("TENANT", "FROM", "TO", "PHASE", "OPERATION"), rows, empty="no moves under way")


@click.command("abort-move")
@click.argument("tenant_id", metavar="ID")
@author_options
@as_json_option
@click.pass_context
def abort_command(context: click.Context, *, tenant_id: str, author: Author, as_json: bool) -> None:
    """End a move in phases: the tenant is back where it was, and its writes are let through.

    \b
    Example:
      alphaswarm-xds tenants abort-move acme
    """  # noqa: D301 -- click reads the \b
    move = run(context, lambda registry: abort_move(registry, TenantId(tenant_id), by=author))
    if as_json:
        print_json({**(asdict(move) if move is not None else {"tenant": tenant_id}), "changed": move is not None})
    elif move is None:
        say(f"tenant {tenant_id}: no move in phases is under way")
    else:
        say(f"tenant {move.tenant}: its move to {move.to} is aborted ({move.phase}); it is in {move.origin}")


def _asked(
    tenant_ids: tuple[str, ...], to: str | None, file: Path | None, origin: str | None, share: float | None
) -> _Asked:
    given = [bool(tenant_ids), file is not None, share is not None or origin is not None]
    if sum(given) != 1:
        raise click.UsageError("expected ID... --to CELL, or --file FILE, or --from CELL --to CELL --share N%")
    if file is not None:
        if to is not None:
            raise click.UsageError("--to: the file names the cells")
        return _Asked(read_moves(read_lines(file).read()))
    if to is None:
        raise click.UsageError("Missing option '--to'.")
    if tenant_ids:
        return _Asked({TenantId(tenant): CellId(to) for tenant in tenant_ids})
    if origin is None or share is None:
        raise click.UsageError("--from and --share need each other")
    return _Asked({}, CellId(origin), CellId(to), share)


def _move_in_phases(context: click.Context, asked: _Asked, options: MoveOptions, intent: Intent) -> None:
    if len(asked.cells) != 1:
        raise click.UsageError("--hold and --verify are for one tenant at a time")
    ((tenant, to),) = asked.cells.items()

    def told(step: Step) -> None:
        if not intent.as_json:
            envoys = "" if step.envoys is None else f", acknowledged by {step.envoys} Envoys"
            say(f"tenant {tenant}: {step.step}, in {step.cell}{envoys}")

    steps = run(context, lambda registry: move_in_phases(registry, tenant, to, options, by=intent.author, told=told))
    if intent.as_json:
        print_json({"tenant": tenant, "to": to, "changed": bool(steps), "steps": steps})
    elif not steps:
        say(f"tenant {tenant}: in {to} already")


def _tell(moves: Sequence[Move], intent: Intent) -> None:
    if intent.as_json:
        print_list(map(change_to_json, moves))
    elif len(moves) <= READABLE and moves:
        for move in moves:
            what = f"{move.was} → {move.now}" if move.is_change else f"in {move.now} already"
            say(f"tenant {move.tenant}: {what}")
    else:
        changed = Counter((move.was, move.now) for move in moves if move.is_change)
        for (was, now), count in sorted(changed.items()):
            say(f"{count} tenants: {was} → {now}")
        say(f"{len(moves) - changed.total()} tenants were there already")
