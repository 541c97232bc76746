"""What can be asked about cells."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from xds import operations
from xds.control.operation import Parts
from xds.control.paging import cut
from xds.control.preconditions import etag_of_cell, expecting_cell
from xds.control.shapes import Answer, Change, Cursor, Etag, Id, Limit, Next, Request, Tenants, Text
from xds.errors import RegistryError
from xds.model import Cell, CellState, Endpoint, Tenancy, UpstreamProtocol
from xds.names import CellId
from xds.operations import DEFAULT_PORT, Author, CellListing, CellTraits

Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$")]


class EndpointView(Answer):
    """An address at which a cell's API answers."""

    address: str
    port: int
    zone: str
    weight: int


class CellView(Answer):
    """A cell; one without `capacity` takes any number. `tenants` is not there while the registry can't be reached."""

    id: str
    state: CellState
    tenancy: Tenancy
    tier: str
    region: str
    labels: dict[str, str]
    protocol: UpstreamProtocol
    endpoints: list[EndpointView]
    tenants: int | None = None
    capacity: int | None = None
    etag: str


class CellPage(Answer):
    """Cells, by id."""

    data: list[CellView]
    next: Next = None


class ListCells(Request):
    """Without `limit`, all of them: there are some hundreds, and the runbook counts on it."""

    state: CellState | None = None
    limit: Limit | None = None
    cursor: Cursor = None


class GetCell(Request):
    """One cell."""

    cell: Id


class NewEndpoint(Request):
    """An endpoint; without an address, the cell's service name."""

    address: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{0,253}$")] = ""
    port: Annotated[int, Field(ge=1, le=65535, strict=True)] = DEFAULT_PORT
    zone: Annotated[str, Field(pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$")] = ""
    weight: Annotated[int, Field(ge=1, le=1000, strict=True)] = 1


class AddCell(Change):
    """A cell that does not exist; without endpoints it gets one."""

    id: Annotated[str, Field(pattern=r"^cell-[a-z0-9]([a-z0-9-]{0,41}[a-z0-9])?$")]
    state: CellState = CellState.PROVISIONING
    tenancy: Tenancy = Tenancy.SHARED
    tier: Label = "std"
    region: Label = "local"
    labels: Annotated[dict[Annotated[Text, Field(min_length=1)], Text], Field(max_length=100)] = Field(
        default_factory=dict
    )
    protocol: UpstreamProtocol = UpstreamProtocol.HTTP1
    endpoints: Annotated[list[NewEndpoint], Field(max_length=1000)] = Field(default_factory=list)
    capacity: Tenants | None = None


class ChangeCell(Change):
    """Another tenancy, tier, region or protocol for a cell, and labels set or removed; what is left out stays."""

    cell: Id
    tenancy: Tenancy | None = None
    tier: Label | None = None
    region: Label | None = None
    protocol: UpstreamProtocol | None = None
    labels: Annotated[dict[Annotated[Text, Field(min_length=1)], Text], Field(max_length=100)] = Field(
        default_factory=dict
    )
    remove_labels: Annotated[list[Text], Field(max_length=100)] = Field(default_factory=list)
    etag: Etag


class SetCellState(Change):
    """Another state for a cell."""

    cell: Id
    state: CellState
    etag: Etag


class SetEndpoints(Change):
    """These endpoints, and no others, for a cell."""

    cell: Id
    endpoints: Annotated[list[NewEndpoint], Field(min_length=1, max_length=1000)]
    etag: Etag


class SetCapacity(Change):
    """Room for so many tenants in a cell; without `capacity`, for any number."""

    cell: Id
    capacity: Tenants | None = None
    etag: Etag


class StateChange(Answer):
    """A cell's or tenant's state before and after."""

    id: str
    was: str
    now: str
    changed: bool


async def list_cells(parts: Parts, request: ListCells, _by: str) -> CellPage:
    """The registry's cells; while it can't be reached, those that are served."""
    try:
        listings = await operations.list_cells(parts.registry, state=request.state)
        views = [_to_view(listing) for listing in listings]
    except RegistryError:
        topology = parts.topology()
        if topology is None:
            raise
        served = sorted(topology.cells.values(), key=lambda cell: cell.id)
        views = [
            _to_view(CellListing(cell, 0), is_counted=False) for cell in served if request.state in (None, cell.state)
        ]
    limit = request.limit or len(views)
    page, following = cut(views, limit, request.cursor, key=lambda each: (each.id,), like=("",))
    return CellPage(data=page, next=following)


async def get_cell(parts: Parts, request: GetCell, _by: str) -> CellView:
    """The cell, as the registry has it."""
    return _to_view(await operations.get_cell(parts.registry, CellId(request.cell)))


async def add_cell(parts: Parts, request: AddCell, by: str) -> CellView:
    """Add a cell."""
    added = await operations.add_cell(
        parts.registry,
        Cell(
            id=CellId(request.id),
            state=request.state,
            tenancy=request.tenancy,
            tier=request.tier,
            region=request.region,
            labels=tuple(request.labels.items()),
            protocol=request.protocol,
            endpoints=_endpoints(request.endpoints),
        ),
        capacity=request.capacity,
        by=Author(by, request.message),
    )
    return await get_cell(parts, GetCell(cell=added.cell.id), by)


async def change_cell(parts: Parts, request: ChangeCell, by: str) -> CellView:
    """Give a cell another tenancy, tier, region, protocol or labels."""
    cell = CellId(request.cell)
    store = expecting_cell(parts.registry, cell, request.etag)
    traits = CellTraits(
        tenancy=request.tenancy,
        tier=request.tier,
        region=request.region,
        protocol=request.protocol,
        labels=request.labels,
        removed_labels=frozenset(request.remove_labels),
    )
    await operations.change_cell(store, cell, traits, by=Author(by, request.message))
    return await get_cell(parts, GetCell(cell=cell), by)


async def set_cell_state(parts: Parts, request: SetCellState, by: str) -> StateChange:
    """Bring a cell into another state."""
    cell = CellId(request.cell)
    store = expecting_cell(parts.registry, cell, request.etag)
    change = await operations.set_cell_state(store, cell, request.state, by=Author(by, request.message))
    return StateChange(id=change.cell, was=change.was, now=change.now, changed=change.is_change)


async def set_endpoints(parts: Parts, request: SetEndpoints, by: str) -> CellView:
    """Exchange a cell's endpoints."""
    cell = CellId(request.cell)
    store = expecting_cell(parts.registry, cell, request.etag)
    await operations.set_endpoints(store, cell, _endpoints(request.endpoints), by=Author(by, request.message))
    return await get_cell(parts, GetCell(cell=cell), by)


async def set_capacity(parts: Parts, request: SetCapacity, by: str) -> CellView:
    """Limit how many tenants a cell takes."""
    cell = CellId(request.cell)
    store = expecting_cell(parts.registry, cell, request.etag)
    await operations.set_capacity(store, cell, request.capacity, by=Author(by, request.message))
    return await get_cell(parts, GetCell(cell=cell), by)


def _endpoints(given: list[NewEndpoint]) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(address=e.address, port=e.port, zone=e.zone, weight=e.weight) for e in given)


def _to_view(listing: CellListing, *, is_counted: bool = True) -> CellView:
    cell = listing.cell
    labels: Mapping[str, str] = dict(cell.labels)
    return CellView(
        id=cell.id,
        state=cell.state,
        tenancy=cell.tenancy,
        tier=cell.tier,
        region=cell.region,
        labels=dict(sorted(labels.items())),
        protocol=cell.protocol,
        endpoints=[EndpointView(address=e.address, port=e.port, zone=e.zone, weight=e.weight) for e in cell.endpoints],
        tenants=listing.tenants if is_counted else None,
        capacity=listing.capacity,
        etag=etag_of_cell(cell, listing.capacity),
    )
