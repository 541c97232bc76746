"""What would come of a change: it is done for real, looked at, and undone."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Annotated, Any, cast

from pydantic import Field, model_validator

from xds.control import cells, drains, moves, overrides, tenants
from xds.control.audit import AuditEventView, view_of
from xds.control.forecasts import EachEnvoy, each_envoy
from xds.control.operation import Parts, Rehearsal
from xds.control.shapes import Answer, Change, Request
from xds.operations import Store, Transaction
from xds.operations.auditing import UNNAMED, Author

SHOWN = 1000
"""Changes that are told; a cell can have a hundred thousand tenants."""


class Rehearse(Request):
    """One change, by the name of its operation, with all that would be asked of that: its etag, too."""

    add_cell: cells.AddCell | None = None
    set_cell_state: cells.SetCellState | None = None
    change_cell: cells.ChangeCell | None = None
    set_endpoints: cells.SetEndpoints | None = None
    set_capacity: cells.SetCapacity | None = None
    evacuate_cell: drains.EvacuateCell | None = None
    undrain_cell: drains.UndrainCell | None = None
    add_tenant: tenants.AddTenant | None = None
    set_tenant_state: tenants.SetTenantState | None = None
    move_tenant: tenants.MoveTenant | None = None
    move_tenants: tenants.MoveTenants | None = None
    move_each: moves.MoveEach | None = None
    move_share: moves.MoveShare | None = None
    set_override: overrides.SetOverride | None = None
    clear_override: overrides.ClearOverride | None = None

    @model_validator(mode="after")
    def _is_one(self) -> "Rehearse":
        if len(self.model_fields_set) != 1 or self.change is None:
            raise ValueError(f"expected one change, one of {', '.join(Rehearse.model_fields)}")
        return self

    @property
    def name(self) -> str:
        """The operation that is tried."""
        (name,) = self.model_fields_set
        return name

    @property
    def change(self) -> Change | None:
        """What is asked of it."""
        return cast(Change | None, getattr(self, self.name))


class Rehearsed(Answer):
    """What would be in the audit trail, the first of it, and how much that is in all; nothing was changed."""

    each_envoy: EachEnvoy
    changes: Annotated[list[AuditEventView], Field(max_length=SHOWN)]
    changes_in_all: int


_RUN: Mapping[str, Callable[[Parts, Any, str], Awaitable[object]]] = {
    name: getattr(module, name)
    for module in (cells, drains, overrides, tenants, moves)
    for name in Rehearse.model_fields
    if hasattr(module, name)
}


async def rehearse(parts: Parts, request: Rehearse, by: str) -> Rehearsed:
    """Do it, look, and undo it."""
    rehearsal = parts.rehearsal()
    trying = replace(parts, registry=cast(Store, _Trying(parts.registry, rehearsal)))
    with suppress(_TriedError):
        await _RUN[request.name](trying, request.change, by)
    return Rehearsed(
        each_envoy=await each_envoy(parts, rehearsal),
        changes=[view_of(event) for event in rehearsal.events[:SHOWN]],
        changes_in_all=len(rehearsal.events),
    )


class _TriedError(Exception):
    """Ends an operation with the transaction that has changed something: what it would read then is not there."""


class _Trying:
    """A store, whose transactions are a rehearsal's: of one that changes something, and any before it that read."""

    def __init__(self, store: Store, rehearsal: Rehearsal) -> None:
        self._store = store
        self._rehearsal = rehearsal

    @asynccontextmanager
    async def transaction(self, by: Author = UNNAMED, action: str = "") -> AsyncIterator[Transaction]:
        async with self._rehearsal.transaction(by, action) as transaction:
            yield transaction
        if self._rehearsal.events:
            raise _TriedError

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)
