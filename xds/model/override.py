"""Overrides: a tenant kept in another cell than the registry's placement, for a reason and for a time.

Knows nothing about how one comes into force.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from xds.names import CellId, TenantId


class OverrideKind(StrEnum):
    """What an override is for."""

    TESTING = "testing"
    ISOLATION = "isolation"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A tenant's requests go to `cell` until `expires_at`, wherever the tenant is placed."""

    tenant: TenantId
    cell: CellId
    kind: OverrideKind
    owner: str
    reason: str
    expires_at: datetime
