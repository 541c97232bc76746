"""Tenants: customers, each living in one cell.

Knows nothing about tokens or Envoy.
"""

from dataclasses import dataclass
from enum import StrEnum

from xds.names import CellId, TenantId


class TenantState(StrEnum):
    """Whether a tenant's requests are let through; a suspended tenant's are answered with 403."""

    ACTIVE = "active"
    SUSPENDED = "suspended"


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant and the cell that it lives in."""

    id: TenantId
    cell: CellId
    state: TenantState = TenantState.ACTIVE
