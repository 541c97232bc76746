"""What an operator can do with cells: list, add, change state, change endpoints.

The rules are here: what an id may look like, and which state may follow which. Knows no SQL.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType

from xds.errors import Conflict, NotFound, RequestError
from xds.model import Cell, CellState, Endpoint, Tenancy, UpstreamProtocol
from xds.names import CellId
from xds.operations.auditing import UNNAMED, Author
from xds.operations.store import Store, Transaction, Transactions

DEFAULT_PORT = 8000
"""Where a cell's API listens unless its endpoint says otherwise."""

TRANSITIONS: Mapping[CellState, frozenset[CellState]] = MappingProxyType(
    {
        CellState.PROVISIONING: frozenset({CellState.ACTIVE, CellState.RETIRED}),
        CellState.ACTIVE: frozenset({CellState.DRAINING, CellState.CORDONED}),
        CellState.DRAINING: frozenset({CellState.ACTIVE, CellState.CORDONED, CellState.RETIRED}),
        CellState.CORDONED: frozenset({CellState.ACTIVE, CellState.DRAINING, CellState.RETIRED}),
        CellState.RETIRED: frozenset({CellState.PROVISIONING}),
    }
)
"""Which state may follow which.

An active cell is never retired at once: draining or cordoned, it takes no new tenants while the last ones
leave. A retired cell's Envoys have dropped its endpoints, so it comes back the way a new one comes: through
provisioning. `retired` asks further that no tenant lives in the cell.
"""

_CELL_ID = re.compile(r"cell-[a-z0-9]([a-z0-9-]{0,41}[a-z0-9])?")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_ADDRESS = re.compile(r"[A-Za-z0-9._:-]{1,253}")


@dataclass(frozen=True, slots=True)
class CellListing:
    """A cell, how many tenants live in it, and how many it has room for (None: any number)."""

    cell: Cell
    tenants: int
    capacity: int | None = None


@dataclass(frozen=True, slots=True)
class CellAddition:
    """A cell as it is stored, and whether it was written: one that was there, and is the same, is not."""

    cell: Cell
    is_change: bool = True


@dataclass(frozen=True, slots=True)
class CellStateChange:
    """A cell's state before and after."""

    cell: CellId
    was: CellState
    now: CellState

    @property
    def is_change(self) -> bool:
        """Whether anything was written."""
        return self.was is not self.now


@dataclass(frozen=True, slots=True, kw_only=True)
class CellTraits:
    """What is to be another in a cell; None: as it is. Labels are set, or removed, one by one."""

    tenancy: Tenancy | None = None
    tier: str | None = None
    region: str | None = None
    protocol: UpstreamProtocol | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    removed_labels: frozenset[str] = frozenset()

    def of(self, cell: Cell) -> Cell:
        """The cell as it is to be."""
        given = {name: getattr(self, name) for name in ("tenancy", "tier", "region", "protocol")}
        kept = {name: value for name, value in cell.labels if name not in self.removed_labels}
        labels = tuple(sorted((kept | dict(self.labels)).items()))
        return replace(cell, labels=labels, **{name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True, slots=True)
class CellChange:
    """A cell before and after."""

    was: Cell
    now: Cell

    @property
    def is_change(self) -> bool:
        """Whether anything was written."""
        return self.was != self.now


@dataclass(frozen=True, slots=True)
class CapacityChange:
    """How many tenants a cell had room for, and has; None: any number."""

    cell: CellId
    was: int | None
    now: int | None

    @property
    def is_change(self) -> bool:
        """Whether anything was written."""
        return self.was != self.now


@dataclass(frozen=True, slots=True)
class EndpointsChange:
    """A cell's endpoints before and after."""

    cell: CellId
    was: tuple[Endpoint, ...]
    now: tuple[Endpoint, ...]

    @property
    def is_change(self) -> bool:
        """Whether anything was written."""
        return self.was != self.now


async def list_cells(store: Store, *, state: CellState | None = None) -> tuple[CellListing, ...]:
    """Every cell (in `state`), by id."""
    return tuple(
        CellListing(cell, fill.tenants, fill.capacity)
        for cell, fill in await store.list_cells()
        if state is None or cell.state is state
    )


async def get_cell(store: Store, cell_id: CellId) -> CellListing:
    """A cell; raises `NotFound`."""
    found = await store.find_cell(cell_id)
    if found is None:
        raise NotFound(f"cell {cell_id}: no such cell")
    cell, fill = found
    return CellListing(cell, fill.tenants, fill.capacity)


async def add_cell(
    store: Transactions, cell: Cell, *, capacity: int | None = None, by: Author = UNNAMED
) -> CellAddition:
    """Add `cell` and return it as it was stored; raises `Conflict` if another with its id is there.

    Without endpoints it gets one; an endpoint without an address gets the cell's service name.
    """
    endpoints = _complete(cell.id, cell.endpoints or (Endpoint(address="", port=DEFAULT_PORT),))
    cell = replace(cell, endpoints=endpoints, labels=tuple(sorted(cell.labels)))
    faults = [*_cell_faults(cell), *_endpoint_faults(endpoints), *_capacity_faults(cell.id, capacity)]
    if faults:
        raise RequestError("; ".join(faults))
    async with store.transaction(by, "cells add") as transaction:
        if held := (await transaction.cells([cell.id])).get(cell.id):
            room = (await transaction.fills([cell.id]))[cell.id].capacity
            if (held, room) != (cell, capacity):
                raise Conflict(f"cell {cell.id}: exists already, and {_differing(held, cell, room, capacity)}")
            return CellAddition(held, is_change=False)
        await transaction.insert_cell(cell, capacity)
    return CellAddition(cell)


async def change_cell(store: Transactions, cell_id: CellId, traits: CellTraits, *, by: Author = UNNAMED) -> CellChange:
    """Give a cell another tenancy, tier, region, protocol or labels; its tenants stay where they are."""
    async with store.transaction(by, "cells change") as transaction:
        was = known_cell(await transaction.cells([cell_id], to_change=True), cell_id)
        now = traits.of(was)
        if faults := _cell_faults(now):
            raise RequestError("; ".join(faults))
        if now != was:
            await transaction.update_cell(now)
    return CellChange(was, now)


async def set_capacity(
    store: Transactions, cell_id: CellId, capacity: int | None, *, by: Author = UNNAMED
) -> CapacityChange:
    """Limit how many tenants a cell takes; None: any number. One that has more keeps them, and takes no others."""
    if faults := _capacity_faults(cell_id, capacity):
        raise RequestError(faults[0])
    async with store.transaction(by, "cells set-capacity") as transaction:
        known_cell(await transaction.cells([cell_id], to_change=True), cell_id)
        was = (await transaction.fills([cell_id]))[cell_id].capacity
        if was != capacity:
            await transaction.update_capacity(cell_id, capacity)
    return CapacityChange(cell_id, was, capacity)


async def set_cell_state(
    store: Transactions, cell_id: CellId, state: CellState, *, by: Author = UNNAMED, action: str = "cells set-state"
) -> CellStateChange:
    """Bring a cell into `state`; raises `Conflict` when that may not follow its present one."""
    async with store.transaction(by, action) as transaction:
        cell = known_cell(await transaction.cells([cell_id], to_change=True), cell_id)
        if cell.state is state:
            return CellStateChange(cell_id, state, state)
        check_transition(cell, state)
        if state is CellState.RETIRED:
            await _refuse_to_retire(transaction, cell_id)
        await transaction.update_cell_state(cell_id, state)
    return CellStateChange(cell_id, cell.state, state)


async def _refuse_to_retire(transaction: Transaction, cell_id: CellId) -> None:
    """Raise `Conflict` if somebody is in the cell, or may come to it, or back."""
    if tenants := await transaction.count_tenants(cell_id):
        raise Conflict(f"cell {cell_id}: cannot be retired while tenants live in it ({tenants}): move them first")
    for tenant in await transaction.between(cell_id):
        raise Conflict(
            f"cell {cell_id}: cannot be retired while the move of tenant {tenant} from or to it is under way:"
            " finish or abort it first"
        )


async def set_endpoints(
    store: Transactions, cell_id: CellId, endpoints: Sequence[Endpoint], *, by: Author = UNNAMED
) -> EndpointsChange:
    """Give a cell these endpoints and no others; one without an address gets the cell's service name."""
    if not endpoints:
        raise RequestError(f"cell {cell_id}: expected at least one endpoint; to stop a cell's traffic set its state")
    now = _complete(cell_id, endpoints)
    if faults := _endpoint_faults(now):
        raise RequestError("; ".join(faults))
    async with store.transaction(by, "cells set-endpoints") as transaction:
        was = known_cell(await transaction.cells([cell_id], to_change=True), cell_id).endpoints
        if was != now:
            await transaction.replace_endpoints(cell_id, now)
    return EndpointsChange(cell_id, was, now)


def check_transition(cell: Cell, state: CellState) -> None:
    """Raise `Conflict` if `state` may not follow the cell's."""
    if state not in TRANSITIONS[cell.state]:
        allowed = ", ".join(sorted(TRANSITIONS[cell.state]))
        raise Conflict(f"cell {cell.id}: {cell.state} cannot become {state}, only {allowed}")


def known_cell(cells: Mapping[CellId, Cell], cell_id: CellId) -> Cell:
    """The cell with this id out of `cells`; raises `NotFound`."""
    if cell_id not in cells:
        raise NotFound(f"cell {cell_id}: no such cell")
    return cells[cell_id]


def accepting_cell(cells: Mapping[CellId, Cell], cell_id: CellId) -> Cell:
    """The cell with this id, if it takes tenants; raises `NotFound` or `Conflict`."""
    cell = known_cell(cells, cell_id)
    if not cell.state.takes_tenants:
        raise Conflict(f"cell {cell_id}: is {cell.state}, only an active cell takes tenants")
    return cell


def _differing(held: Cell, asked: Cell, room: int | None, capacity: int | None) -> str:
    """In what a cell differs from the one that is asked for."""
    names = [each.name for each in fields(Cell) if getattr(held, each.name) != getattr(asked, each.name)]
    return "has another " + ", ".join([*names, *(["capacity"] if room != capacity else [])])


def _complete(cell_id: CellId, endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    # Here and not above: the translation's package takes a second to import, and most commands need none of it.
    from xds.translate.naming import default_address  # noqa: PLC0415

    addressed = (replace(e, address=e.address or default_address(cell_id)) for e in endpoints)
    return tuple(sorted(addressed))


def _cell_faults(cell: Cell) -> list[str]:
    faults = []
    if not _CELL_ID.fullmatch(cell.id):
        faults.append(f"cell id: expected 'cell-' and at most 43 of a-z, 0-9, '-', not ending in '-', got {cell.id!r}")
    faults += [
        f"{name}: expected 1 to 63 letters, digits, '.', '_', '-', got {value!r}"
        for name, value in (("tier", cell.tier), ("region", cell.region))
        if not _LABEL.fullmatch(value)
    ]
    faults += [f"label: expected a name, got {name!r}" for name, _ in cell.labels if not name or "\0" in name]
    return faults


def _capacity_faults(cell_id: CellId, capacity: int | None) -> list[str]:
    if capacity is None or 0 <= capacity < 2**31:
        return []
    return [f"cell {cell_id}: expected a capacity of 0 to {2**31 - 1} tenants, got {capacity}"]


def _endpoint_faults(endpoints: Sequence[Endpoint]) -> list[str]:
    faults = []
    for number, endpoint in enumerate(endpoints):
        at = f"endpoint {endpoint.address}:{endpoint.port}"
        if not _ADDRESS.fullmatch(endpoint.address):
            faults.append(f"{at}: expected an IP address or a host name of at most 253 characters")
        if not 1 <= endpoint.port <= 65535:
            faults.append(f"{at}: expected a port of 1 to 65535")
        if not 1 <= endpoint.weight <= 1000:
            faults.append(f"{at}: expected a weight of 1 to 1000, got {endpoint.weight}")
        if endpoint.zone and not _LABEL.fullmatch(endpoint.zone):
            faults.append(f"{at}: expected a zone of letters, digits, '.', '_', '-', got {endpoint.zone!r}")
        if any((e.address, e.port) == (endpoint.address, endpoint.port) for e in endpoints[:number]):
            faults.append(f"{at}: is given twice")
    return faults
