"""What can be asked about moves of many tenants, and about one that moves in phases.

A phase is one request: prepare, hold, switch, finish, or abort. Who asks decides when the next one comes, having seen
by an explanation of the tenant that every Envoy follows.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

from pydantic import Field

from xds import operations
from xds.control.operation import Parts
from xds.control.paging import cut
from xds.control.preconditions import expecting_tenant
from xds.control.shapes import Answer, Change, Cursor, Etag, Id, Limit, Next, Request
from xds.control.tenants import Moves, move_view
from xds.names import CellId, TenantId
from xds.operations import Author, PhasedMove, phasing

T = TypeVar("T")


class MoveEach(Change):
    """A cell for each of several tenants, all or none, wherever they are now."""

    cells: Annotated[dict[Id, Id], Field(min_length=1, max_length=1000)]


class MoveShare(Change):
    """A share (0.1 is a tenth) of a cell's tenants to another cell. Asked for again it moves nobody."""

    origin: Id = Field(alias="from")
    to: Id
    share: Annotated[float, Field(gt=0, le=1, strict=True, allow_inf_nan=False)]


class MovedShare(Answer):
    """How many tenants have moved."""

    was: str
    now: str
    moved: int


class PrepareMove(Change):
    """Another cell for a tenant, in phases: a place is kept for it there. The etag is the tenant's."""

    tenant: Id
    to: Id
    etag: Etag


class NextPhase(Change):
    """The next phase of a tenant's move. The etag is the tenant's."""

    tenant: Id
    etag: Etag


class ListPhasedMoves(Request):
    """Those that are under way."""

    limit: Limit = 100
    cursor: Cursor = None


class PhasedMoveView(Answer):
    """A tenant's move, and its phase: prepared, held (its writes get a 503) or switched; or finished, aborted, or none.

    The operation is that of the audit trail.
    """

    tenant: str
    origin: str
    to: str
    phase: str
    operation: str
    changed: bool


class PhasedMovePage(Answer):
    """Moves in phases, by tenant."""

    data: list[PhasedMoveView]
    next: Next = None


async def move_each(parts: Parts, request: MoveEach, by: str) -> Moves:
    """Move tenants, each to its cell, in one transaction."""
    wanted = {TenantId(tenant): CellId(cell) for tenant, cell in request.cells.items()}
    moved = await operations.move_tenants(parts.registry, wanted, by=Author(by, request.message))
    return Moves(data=[move_view(each) for each in moved])


async def move_share(parts: Parts, request: MoveShare, by: str) -> MovedShare:
    """Move a share of a cell's tenants, in one transaction."""
    author, whence, to = Author(by, request.message), CellId(request.origin), CellId(request.to)
    moved = await operations.move_share(parts.registry, whence, to, request.share, by=author)
    return MovedShare(was=whence, now=to, moved=sum(each.is_change for each in moved))


async def list_phased_moves(parts: Parts, request: ListPhasedMoves, _by: str) -> PhasedMovePage:
    """A page of those that are under way."""
    found = await parts.registry.list_moves()
    page, following = cut(found, request.limit, request.cursor, key=lambda move: (move.tenant,), like=("",))
    return PhasedMovePage(data=[view_of(move) for move in page], next=following)


async def prepare_move(parts: Parts, request: PrepareMove, by: str) -> PhasedMoveView:
    """Note that a tenant is to move; what is under way already is no change, nor is a tenant that lives there."""
    tenant, to = TenantId(request.tenant), CellId(request.to)
    before = await _under_way(parts, tenant)
    store = expecting_tenant(parts.registry, tenant, request.etag, cells=[to])
    move = await phasing.prepare_move(store, tenant, to, by=Author(by, request.message))
    return _none(tenant, to) if move is None else view_of(move, is_change=before is None)


async def hold_move(parts: Parts, request: NextPhase, by: str) -> PhasedMoveView:
    """Have a tenant's writes answered with a 503 while it moves."""
    return view_of(await _step(parts, request, by, phasing.hold_move))


async def switch_move(parts: Parts, request: NextPhase, by: str) -> PhasedMoveView:
    """Lead the tenant to its new cell; writes that are held stay so."""
    return view_of(await _step(parts, request, by, phasing.switch_move))


async def finish_move(parts: Parts, request: NextPhase, by: str) -> PhasedMoveView:
    """Let the tenant's writes through at its new cell."""
    return view_of(await _step(parts, request, by, phasing.finish_move), phase="finished")


async def abort_move(parts: Parts, request: NextPhase, by: str) -> PhasedMoveView:
    """Put the tenant back where it was; no change if no move is under way."""
    move = await _step(parts, request, by, phasing.abort_move)
    if move is not None:
        return view_of(move, phase="aborted")
    return _none(TenantId(request.tenant), (await operations.get_tenant(parts.registry, TenantId(request.tenant))).cell)


def view_of(move: PhasedMove, *, phase: str = "", is_change: bool = True) -> PhasedMoveView:
    """A move as it is shown."""
    return PhasedMoveView(
        tenant=move.tenant,
        origin=move.origin,
        to=move.to,
        phase=phase or move.phase,
        operation=move.operation,
        changed=is_change,
    )


def _none(tenant: TenantId, cell: CellId) -> PhasedMoveView:
    return PhasedMoveView(tenant=tenant, origin=cell, to=cell, phase="none", operation="", changed=False)


async def _under_way(parts: Parts, tenant: TenantId) -> PhasedMove | None:
    return next((move for move in await parts.registry.list_moves() if move.tenant == tenant), None)


async def _step(parts: Parts, request: NextPhase, by: str, step: Callable[..., Awaitable[T]]) -> T:
    tenant = TenantId(request.tenant)
    move = await _under_way(parts, tenant)
    cells = [] if move is None else sorted({move.origin, move.to})  # what the step locks, which must come first
    store = expecting_tenant(parts.registry, tenant, request.etag, cells=cells)
    return await step(store, tenant, by=Author(by, request.message))
