"""Overrides above the registry's placement: set, clear, list, and end those whose time is over.

An override is in force until it is deleted, so somebody must call `end_expired` every few seconds.
"""

from dataclasses import dataclass
from datetime import datetime

from xds.errors import Conflict, RequestError
from xds.model import CellState, Override
from xds.names import CellId, TenantId
from xds.operations.auditing import UNNAMED, Author
from xds.operations.cells import known_cell
from xds.operations.placing import within_capacity
from xds.operations.store import Store, Transactions
from xds.operations.tenants import known_tenant, refuse_under_way

EXPIRY = Author("expiry")
"""Who ends overrides whose time is over."""

_TAKES_OVERRIDES = frozenset({CellState.ACTIVE, CellState.CORDONED})
"""A cordoned cell is as good: nobody else is placed there, which is what isolation and quarantine want."""


@dataclass(frozen=True, slots=True)
class OverrideChange:
    """A tenant's override before and after; None: none."""

    tenant: TenantId
    was: Override | None
    now: Override | None

    @property
    def is_change(self) -> bool:
        """Whether anything was written."""
        return self.was != self.now


async def list_overrides(store: Store, *, cell: CellId | None = None) -> tuple[Override, ...]:
    """Every override (into `cell`), by tenant."""
    return tuple(await store.list_overrides(cell=cell))


async def set_override(
    store: Transactions, override: Override, *, now: datetime, by: Author = UNNAMED
) -> OverrideChange:
    """Keep a tenant in another cell, instead of where it is placed and of any override before."""
    _check(override, now)
    async with store.transaction(by, "tenants override set") as transaction:
        cell = known_cell(await transaction.cells([override.cell], to_change=True), override.cell)
        await known_tenant(transaction, override.tenant)
        await refuse_under_way(transaction, [override.tenant])
        was = (await transaction.overrides(tenants=[override.tenant])).get(override.tenant)
        if was == override:
            return OverrideChange(override.tenant, was, override)
        if cell.state not in _TAKES_OVERRIDES:
            raise Conflict(f"cell {cell.id}: is {cell.state}, only an active or a cordoned cell takes an override")
        async with within_capacity(transaction, [cell.id]):
            await transaction.put_override(override)
    return OverrideChange(override.tenant, was, override)


async def clear_override(store: Transactions, tenant: TenantId, *, by: Author = UNNAMED) -> OverrideChange:
    """Let a tenant be where it is placed."""
    async with store.transaction(by, "tenants override clear") as transaction:
        await known_tenant(transaction, tenant)
        was = (await transaction.overrides(tenants=[tenant])).get(tenant)
        if was is not None:
            await transaction.delete_overrides([tenant])
    return OverrideChange(tenant, was, None)


async def end_expired(store: Transactions) -> tuple[TenantId, ...]:
    """Delete the overrides whose time is over; whose they were."""
    async with store.transaction(EXPIRY, "tenants override expire") as transaction:
        tenants = tuple(await transaction.expired_overrides())
        if tenants:
            await transaction.delete_overrides(tenants)
    return tenants


def _check(override: Override, now: datetime) -> None:
    for name, text, longest in (("owner", override.owner, 200), ("reason", override.reason, 1000)):
        if not (text.isprintable() and 1 <= len(text) <= longest):
            raise RequestError(f"override {name}: expected 1 to {longest} printable characters, got {text!r}")
    if override.expires_at <= now:
        at = override.expires_at.isoformat(timespec="seconds")
        raise RequestError(f"override expiry: expected a time to come, got {at}")
