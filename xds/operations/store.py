"""What operations need of a registry that can be written.

Owned here, by its consumer; `xds.registry` fulfils it. The rules are in the operations; a store only reads,
locks and writes, and refuses what its own constraints refuse.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from xds.model import Cell, CellState, Endpoint, Tenant, TenantState
from xds.names import CellId, TenantId


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


class Transaction(Protocol):
    """One transaction. Lock cells before tenants: all who do so cannot wait for one another in a circle."""

    async def cells(self, ids: Collection[CellId], *, to_change: bool = False) -> Mapping[CellId, Cell]:
        """Those of the cells that exist.

        Nobody changes them until the end; with `to_change`, nobody else relies on them either.
        """
        ...

    async def tenants(self, ids: Collection[TenantId]) -> Mapping[TenantId, Tenant]:
        """Those of the tenants that exist; nobody else changes them until the end."""
        ...

    async def count_tenants(self, cell: CellId) -> int:
        """How many tenants live in `cell`."""
        ...

    async def insert_cell(self, cell: Cell) -> None:
        """Add a cell and its endpoints; raises `Conflict` if it exists."""
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


class Store(Protocol):
    """A registry that can be written. Everything raises `RegistryUnavailable` when it cannot be reached."""

    def transaction(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction: committed when its context ends, undone if it ends with an exception."""
        ...

    async def list_cells(self) -> Sequence[tuple[Cell, int]]:
        """Every cell and how many tenants live in it, by id."""
        ...

    async def find_cell(self, cell: CellId) -> tuple[Cell, int] | None:
        """A cell and how many tenants live in it."""
        ...

    async def find_tenant(self, tenant: TenantId) -> Tenant | None:
        """A tenant."""
        ...

    async def list_tenants(
        self, *, cell: CellId | None, state: TenantState | None, limit: int | None, after: TenantId | None = None
    ) -> Sequence[Tenant]:
        """The tenants in `cell` and `state` (None: any), by id, those after `after`, at most `limit`."""
        ...
