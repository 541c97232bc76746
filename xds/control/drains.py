"""What can be asked about emptying a cell: draining it in batches, evacuating it at once, and bringing all back.

Servers do the batches, whichever comes first; who asked may go away, and so may the server that he asked.
"""

from collections import Counter
from datetime import datetime
from typing import Annotated

from pydantic import Field

from xds import operations
from xds.control.forecasts import EachEnvoy, each_envoy
from xds.control.operation import Parts
from xds.control.paging import from_cursor, page_of
from xds.control.preconditions import etag_of_drain, expecting_cell, expecting_drain
from xds.control.shapes import Answer, Change, Cursor, Etag, Id, Limit, Next, Request
from xds.names import CellId
from xds.operations import Author, Drain, DrainOptions, DrainState, Store, Transaction
from xds.operations import drainorders as orders
from xds.operations.draining import lock

_LONGEST_PAUSE = 24 * 3600.0
_LARGEST_BATCH = 100_000


class DrainView(Answer):
    """A drain: servers work at it (running), whoever began it by a command (open), or nobody (stopped, and why).

    Without `to` the placement policy says where each tenant goes. `left` is how many are in the cell now; lists don't
    count them. The id is the operation in the audit trail.
    """

    id: str
    cell: str
    to: str | None = None
    state: DrainState
    stopped: str
    batch: int | None = None
    pause_seconds: float | None = None
    by: str | None = None
    message: str | None = None
    moved: int
    left: int | None = None
    started_at: datetime
    ended_at: datetime | None = None
    undone_at: datetime | None = None
    etag: str


class DrainPage(Answer):
    """Drains, the newest first."""

    data: list[DrainView]
    next: Next = None


class ListDrains(Request):
    """Those of a cell, or all; those that have not ended (true), or have (false)."""

    cell: Id | None = None
    open: bool | None = None
    limit: Limit = 20
    cursor: Cursor = None


class GetDrain(Request):
    """The drain of a cell that began last."""

    cell: Id


class RehearseDrain(Request):
    """What would become of a cell's tenants. Without `to`, the placement policy has each."""

    cell: Id
    to: Id | None = None


class RehearsedDrain(Answer):
    """How many tenants would go, and to which cells; nothing was changed. `kept` are in the cell by an override.

    What each Envoy would get is that of all batches as one.
    """

    tenants: int
    to: dict[str, int]
    kept: int
    being_moved: int
    each_envoy: EachEnvoy


class StartDrain(Change):
    """Move a cell's tenants away; one that was begun is gone on with. The etag is the cell's."""

    cell: Id
    to: Id | None = None
    batch: Annotated[int, Field(ge=1, le=_LARGEST_BATCH, strict=True, description="Tenants a transaction.")] = 100
    pause_seconds: Annotated[
        float, Field(ge=0, le=_LONGEST_PAUSE, strict=True, allow_inf_nan=False, description="Between two batches.")
    ] = 2.0
    etag: Etag


class StopDrain(Change):
    """No further batch; the cell stays draining. The etag is the drain's."""

    cell: Id
    etag: Etag


class ResumeDrain(Change):
    """Go on with what was stopped. The etag is the drain's."""

    cell: Id
    etag: Etag


class EvacuateCell(Change):
    """Move everybody out of a cell now, in one transaction, or nobody. The etag is the cell's."""

    cell: Id
    to: Id | None = None
    etag: Etag


class UndrainCell(Change):
    """Have the cell active, and all back whom its last drain has moved, and nobody since. The etag is the drain's."""

    cell: Id
    etag: Etag


class Undrained(Answer):
    """How many tenants came back, and how many stay where they were moved since."""

    cell: str
    operation: str
    moved: int
    stayed: int


async def list_drains(parts: Parts, request: ListDrains, _by: str) -> DrainPage:
    """A page of drains."""
    after = from_cursor(request.cursor, ("",))
    found = await parts.registry.list_drains(
        cell=None if request.cell is None else CellId(request.cell),
        is_open=request.open,
        limit=request.limit + 1,
        before=None if after is None else str(after[0]),
    )
    page, following = page_of(found, request.limit, key=lambda drain: (drain.id,))
    return DrainPage(data=[_view(drain, None) for drain in page], next=following)


async def get_drain(parts: Parts, request: GetDrain, _by: str) -> DrainView:
    """A cell's last drain, and how far it is."""
    return await _shown(parts, CellId(request.cell))


async def rehearse_drain(parts: Parts, request: RehearseDrain, by: str) -> RehearsedDrain:
    """Do all of it, look, and undo it."""
    rehearsal, cell = parts.rehearsal(), CellId(request.cell)
    # All batches as one: what becomes of the tenants is the same.
    done = await operations.evacuate_cell(rehearsal, cell, _options(parts, request.to), by=Author(by))
    went = Counter(
        str(event.after["cell_id"])
        for event in rehearsal.events
        if event.kind == "tenant" and event.before and event.after and event.before["cell_id"] == cell
    )
    kept = sum(event.kind == "override" for event in rehearsal.events)
    return RehearsedDrain(
        tenants=done.moved,
        to=dict(sorted(went.items())),
        kept=kept,
        being_moved=len(done.left),
        each_envoy=await each_envoy(parts, rehearsal),
    )


async def start_drain(parts: Parts, request: StartDrain, by: str) -> DrainView:
    """Set a cell draining, and have servers move its tenants away."""
    cell = CellId(request.cell)
    options = _options(parts, request.to, batch=request.batch, pause=request.pause_seconds)
    store = _expecting(parts, cell, options.to, request.etag)
    await orders.order_drain(store, cell, options, by=Author(by, request.message))
    return await _shown(parts, cell)


async def stop_drain(parts: Parts, request: StopDrain, by: str) -> DrainView:
    """Have servers stop before the next batch."""
    cell = CellId(request.cell)
    store = expecting_drain(parts.registry, cell, request.etag)
    await orders.stop_drain(store, cell, by=Author(by, request.message))
    return await _shown(parts, cell)


async def resume_drain(parts: Parts, request: ResumeDrain, by: str) -> DrainView:
    """Have servers go on."""
    cell = CellId(request.cell)
    store = expecting_drain(parts.registry, cell, request.etag)
    await orders.resume_drain(store, cell, by=Author(by, request.message))
    return await _shown(parts, cell)


async def evacuate_cell(parts: Parts, request: EvacuateCell, by: str) -> DrainView:
    """Move everybody out at once."""
    cell, options = CellId(request.cell), _options(parts, request.to)
    store = _expecting(parts, cell, options.to, request.etag)
    await operations.evacuate_cell(store, cell, options, by=Author(by, request.message))
    return await _shown(parts, cell)


async def undrain_cell(parts: Parts, request: UndrainCell, by: str) -> Undrained:
    """Bring back whom the last drain has moved."""
    cell = CellId(request.cell)
    store = expecting_drain(parts.registry, cell, request.etag)
    done = await operations.undrain_cell(store, cell, by=Author(by, request.message))
    return Undrained(cell=cell, operation=done.drain.id, moved=done.moved, stayed=done.stayed)


def _options(parts: Parts, to: str | None, *, batch: int = 1, pause: float = 0.0) -> DrainOptions:
    return DrainOptions(to=None if to is None else CellId(to), policy=parts.policy, batch=batch, pause=pause)


def _expecting(parts: Parts, cell: CellId, to: CellId | None, etag: str) -> Store:
    async def lock_all(transaction: Transaction) -> None:
        await lock(transaction, cell, to)

    return expecting_cell(parts.registry, cell, etag, lock=lock_all)


async def _shown(parts: Parts, cell: CellId) -> DrainView:
    drain = await orders.last_drain(parts.registry, cell)
    return _view(drain, (await operations.get_cell(parts.registry, cell)).tenants)


def _view(drain: Drain, left: int | None) -> DrainView:
    assert drain.started_at is not None, "the registry has given it"
    given = drain.orders
    return DrainView(
        id=drain.id,
        cell=drain.cell,
        to=drain.to,
        state=drain.state,
        stopped=drain.stopped,
        batch=None if given is None else given.batch,
        pause_seconds=None if given is None else given.pause,
        by=None if given is None else given.actor,
        message=None if given is None else given.message,
        moved=drain.moved,
        left=left,
        started_at=drain.started_at,
        ended_at=drain.ended_at,
        undone_at=drain.undone_at,
        etag=etag_of_drain(drain),
    )
