"""Which tenants are still the legacy proxy's: a share of them, the same ones at every translation and in every process.

Decided here and not in Envoy, which would draw anew for each request: a tenant is at one side or the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from xds.names import CellId, TenantId

_STEPS = 100
"""Shares are in percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryOptions:
    """Where the legacy proxy is, and the share of tenants that are the cells', in percent."""

    legacy: tuple[str, int]
    weight: int = _STEPS
    cells: Mapping[CellId, int] = field(default_factory=dict)
    """Other shares, of the tenants that live in these cells."""

    tenants: Mapping[TenantId, bool] = field(default_factory=dict)
    """Tenants that are the cells', or are not, whatever the shares say."""

    def is_at_its_cell(self, tenant: TenantId, cell: CellId) -> bool:
        """Whether the tenant's requests go to its cell. One that a share takes in stays in at every larger share."""
        said = self.tenants.get(tenant)
        return _place(tenant) < self.cells.get(cell, self.weight) if said is None else said


def _place(tenant: TenantId) -> float:
    """Where the tenant stands among all, from 0 to just below 100: evenly spread, whatever the ids look like."""
    return int.from_bytes(sha256(tenant.encode()).digest()[:6], "big") * _STEPS / 2**48
