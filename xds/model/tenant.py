"""Tenants: customers, each living in one cell.

Knows nothing about tokens or Envoy.
"""

from dataclasses import dataclass
from enum import StrEnum

from xds.names import CellId, TenantId


class TenantState(StrEnum):
    """Whether a tenant's requests are let through.

    A suspended tenant's are answered with 403. Of a moving tenant's those that only read go to its cell, like an
    active one's; those that may write get a 503 that says when to come back.
    """

    ACTIVE = "active"
    SUSPENDED = "suspended"
    MOVING = "moving"

    @property
    def is_let_in(self) -> bool:
        """Whether the tenant's tokens are good for anything."""
        return self is not TenantState.SUSPENDED


@dataclass(frozen=True, slots=True)
class Arrival:
    """From which cell a tenant came last, and when, in seconds since 1970."""

    previous: CellId
    at: float


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant and the cell that it lives in; `arrival` is None if it has always lived there."""

    id: TenantId
    cell: CellId
    state: TenantState = TenantState.ACTIVE
    arrival: Arrival | None = None
