"""What operations need of a registry that can be written.

Owned here, by its consumer; `xds.registry` fulfils it. The rules are in the operations; a store only reads,
locks and writes, and refuses what its own constraints refuse.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from xds.model import Cell, CellState, Endpoint, Override, Tenant, TenantState
from xds.names import CellId, Revision, TenantId
from xds.operations.auditing import UNNAMED, AuditStore, Author
from xds.operations.placing import Fill, Places
from xds.operations.underway import Drain, PhasedMove


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a tenant is to live; a state of None keeps the one it has (active, for a new tenant)."""

    tenant: TenantId
    cell: CellId
    state: TenantState | None = None


@dataclass(frozen=True, slots=True)
class Put:
    """How many tenants a bulk write added, and how many others it changed."""

    added: int
    changed: int


class Overrides(Protocol):
    """The overrides, in a transaction. Lock the tenant first."""

    async def overrides(
        self, *, tenants: Collection[TenantId] | None = None, cell: CellId | None = None
    ) -> Mapping[TenantId, Override]:
        """Those of these tenants, and into this cell; None: of any, into any."""
        ...

    async def put_override(self, override: Override) -> None:
        """Have this be the tenant's one override."""
        ...

    async def delete_overrides(self, tenants: Collection[TenantId]) -> None:
        """Let these tenants be where they are placed."""
        ...

    async def expired_overrides(self) -> Sequence[TenantId]:
        """The tenants whose override is over and who are not being changed just now; locks them."""
        ...


class UnderWay(Protocol):
    """What takes longer than a transaction. Lock the cell, or the tenant, first."""

    async def last_drain(self, cell: CellId) -> Drain | None:
        """The drain of a cell that began last."""
        ...

    async def put_drain(self, drain: Drain) -> None:
        """Keep a drain as it is now."""
        ...

    async def went(self, operation: str) -> Collection[TenantId]:
        """Whom an operation has moved, and who is still there, wherever."""
        ...

    async def moved_by(self, operation: str) -> Mapping[TenantId, CellId]:
        """Whom an operation has moved, and nobody since: each tenant and the cell it came from."""
        ...

    async def leaving(self, cell: CellId) -> Sequence[TenantId]:
        """The tenants that are placed in `cell` and have a move in phases under way, by id."""
        ...

    async def moves(self, tenants: Collection[TenantId]) -> Mapping[TenantId, PhasedMove]:
        """The moves in phases of these tenants that are under way."""
        ...

    async def between(self, cell: CellId) -> Sequence[TenantId]:
        """The tenants that have a move in phases from or to `cell` under way, by id."""
        ...

    async def put_move(self, move: PhasedMove) -> None:
        """Keep a move in phases as it is now."""
        ...

    async def delete_move(self, tenant: TenantId) -> None:
        """Forget a move in phases: it has ended."""
        ...


class Transaction(Places, Overrides, UnderWay, Protocol):
    """One transaction. Lock cells before tenants: all who do so cannot wait for one another in a circle.

    A tenant's cell is where the registry has placed it, whatever override stands above that.
    """

    async def cells(self, ids: Collection[CellId], *, to_change: bool = False) -> Mapping[CellId, Cell]:
        """Those of the cells that exist.

        Nobody changes them until the end; with `to_change`, nobody else relies on them either.
        """
        ...

    async def tenants(self, ids: Collection[TenantId]) -> Mapping[TenantId, Tenant]:
        """Those of the tenants that exist; nobody else changes them until the end."""
        ...

    async def residents(self, cell: CellId, limit: int | None = None) -> Sequence[TenantId]:
        """The tenants that are placed in `cell` and have no move in phases under way, by id, at most `limit`.

        Nobody else changes them until the end.
        """
        ...

    async def count_tenants(self, cell: CellId) -> int:
        """How many tenants live in `cell`, or are kept there by an override."""
        ...

    async def insert_cell(self, cell: Cell, capacity: int | None = None) -> None:
        """Add a cell and its endpoints; raises `Conflict` if it exists."""
        ...

    async def update_capacity(self, cell: CellId, capacity: int | None) -> None:
        """Set how many tenants a cell has room for; None: any number."""
        ...

    async def update_cell(self, cell: Cell) -> None:
        """Set a cell's tenancy, tier, region, labels and protocol."""
        ...

    async def update_cell_state(self, cell: CellId, state: CellState) -> None:
        """Set a cell's state."""
        ...

    async def replace_endpoints(self, cell: CellId, endpoints: Sequence[Endpoint]) -> None:
        """Give a cell these endpoints and no others."""
        ...

    async def insert_tenant(self, tenant: Tenant) -> None:
        """Add a tenant; raises `Conflict` if it exists."""
        ...

    async def update_tenant_state(self, tenant: TenantId, state: TenantState) -> None:
        """Set a tenant's state."""
        ...

    async def move_tenants(self, cells: Mapping[TenantId, CellId]) -> int:
        """Put each tenant into its cell, all in one statement; how many were not there already."""
        ...

    async def put_tenants(self, placements: Sequence[Placement]) -> Put:
        """Add or change tenants in bulk, each at most once."""
        ...


class Transactions(Protocol):
    """What changes are made in: a registry, or a rehearsal on one, which commits nothing."""

    def transaction(self, by: Author = UNNAMED, action: str = "") -> AbstractAsyncContextManager[Transaction]:
        """A transaction: committed when its context ends, undone if it ends with an exception.

        What it changes is in the audit trail, with who did it and what it is called. Raises `RegistryUnavailable`
        when the registry cannot be reached.
        """
        ...


class Store(Transactions, AuditStore, Protocol):
    """A registry that can be read and written. Everything raises `RegistryUnavailable` when it cannot be reached."""

    async def list_cells(self) -> Sequence[tuple[Cell, Fill]]:
        """Every cell and how full it is, by id."""
        ...

    async def find_cell(self, cell: CellId) -> tuple[Cell, Fill] | None:
        """A cell and how full it is."""
        ...

    async def find_tenant(self, tenant: TenantId) -> Tenant | None:
        """A tenant, where it is placed."""
        ...

    async def list_tenants(
        self, *, cell: CellId | None, state: TenantState | None, limit: int | None, after: TenantId | None = None
    ) -> Sequence[Tenant]:
        """The tenants in `cell` and `state` (None: any), by id, those after `after`, at most `limit`."""
        ...

    async def list_overrides(
        self, *, cell: CellId | None = None, tenants: Collection[TenantId] | None = None
    ) -> Sequence[Override]:
        """The overrides into `cell` (None: any), of `tenants` (None: any), by tenant."""
        ...

    async def list_drains(
        self, *, cell: CellId | None, is_open: bool | None, limit: int, before: str | None = None
    ) -> Sequence[Drain]:
        """The drains of `cell` (None: any) that have not ended, or have; those begun before drain `before`.

        The newest first, at most `limit`.
        """
        ...

    async def due_drains(self) -> Sequence[Drain]:
        """The drains that servers work off and whose pause is over."""
        ...

    async def list_moves(self) -> Sequence[PhasedMove]:
        """The moves in phases that are under way, by tenant."""
        ...

    async def logged(self, tenant: TenantId) -> Revision:
        """The revision of a tenant's last change; 0 if the change log has none."""
        ...
