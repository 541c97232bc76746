"""Who does something and why, and what was done: the audit trail.

What is done is written down where it is done, in the transaction that does it. Knows neither how nor where.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from xds.errors import RequestError
from xds.names import CellId, TenantId


@dataclass(frozen=True, slots=True)
class Author:
    """Who does something, and why; an `operation` that is done bit by bit has an id of its own."""

    actor: str
    message: str = ""
    operation: str = ""

    def __post_init__(self) -> None:
        if not (self.actor.isprintable() and 1 <= len(self.actor) <= 200):
            raise RequestError(f"actor: expected 1 to 200 printable characters, got {self.actor!r}")
        if not (self.message.isprintable() and len(self.message) <= 1000):
            raise RequestError(f"message: expected at most 1000 printable characters, got {self.message!r}")


UNNAMED = Author("unknown")
"""Whoever did not say who they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One thing before and after; None is before it was there, or after it was gone.

    `cell` is what it is about: a tenant's is where it lives after it. What `operation` is the same was done at once,
    or by one drain.
    """

    id: int
    at: datetime
    actor: str
    action: str
    operation: str
    message: str
    kind: str
    cell: CellId | None
    tenant: TenantId | None
    before: Mapping[str, object] | None = field(default=None, hash=False)
    after: Mapping[str, object] | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """Which events: all that are asked for must be so. A cell's are also those of tenants that left it.

    `before` is an event's id: only older ones.
    """

    cell: CellId | None = None
    tenant: TenantId | None = None
    operation: str | None = None
    since: datetime | None = None
    before: int | None = None
    limit: int | None = None


class AuditStore(Protocol):
    """Where the trail is. Raises `RegistryUnavailable` when it cannot be reached."""

    async def list_audit(self, query: AuditQuery) -> Sequence[AuditEvent]:
        """The events that are asked for, the newest first."""
        ...


async def list_audit(store: AuditStore, query: AuditQuery) -> tuple[AuditEvent, ...]:
    """The events that are asked for, the newest first."""
    return tuple(await store.list_audit(query))
