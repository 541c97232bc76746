"""API keys as they may be shown: everything but the key.

Knows neither how a key looks nor where keys are kept.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from xds.names import KeyId, TenantId


class KeyState(StrEnum):
    """Whether a key is good for a token."""

    VALID = "valid"
    EXPIRED = "expired"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key of a tenant's. Every time is in UTC; `last_used_at` is right to a minute."""

    id: KeyId
    tenant: TenantId
    name: str
    created_at: datetime
    created_by: str
    expires_at: datetime
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None

    def state(self, now: datetime) -> KeyState:
        """What the key is at `now`."""
        if self.revoked_at is not None:
            return KeyState.REVOKED
        return KeyState.VALID if now < self.expires_at else KeyState.EXPIRED
