"""Where a tenant goes and why, as the registry has it and as the replicas and their Envoys see it."""

from collections.abc import Iterator
from dataclasses import dataclass

from xds.errors import NotFound
from xds.model import Cell, Override, Tenant, TenantState
from xds.names import CellId, TenantId
from xds.operations.auditing import AuditEvent, AuditQuery
from xds.operations.phasing import Witness, Witnessed
from xds.operations.store import Store
from xds.operations.underway import PhasedMove


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """`cell` is where the tenant's requests go, `placed` where the registry has it beneath any override.

    `last` is the last thing that was done to it. `why` says all of it in sentences; `agrees` is whether every Envoy
    that was asked about routes by the registry's present revision, None if nobody was asked.
    """

    tenant: TenantId
    state: TenantState
    cell: CellId
    placed: CellId
    override: Override | None
    move: PhasedMove | None
    last: AuditEvent | None
    revision: int
    witnessed: tuple[Witnessed, ...]
    agrees: bool | None
    why: tuple[str, ...]


async def explain_tenant(store: Store, tenant: TenantId, witness: Witness | None = None) -> Explanation:
    """Where a tenant goes, and why; raises `NotFound`."""
    async with store.transaction() as transaction:
        held = (await transaction.tenants([tenant])).get(tenant)
        if held is None:
            raise NotFound(f"tenant {tenant}: no such tenant")
        override = (await transaction.overrides(tenants=[tenant])).get(tenant)
        move = (await transaction.moves([tenant])).get(tenant)
        effective = override.cell if override else held.cell
    # Outside: a cell must not be locked after a tenant.
    cells = {cell.id: cell for cell, _ in await store.list_cells()}
    cell = cells.get(effective)
    revision = await store.logged(tenant)
    last = next(iter(await store.list_audit(AuditQuery(tenant=tenant, limit=1))), None)
    witnessed = tuple(await witness.witness(tenant)) if witness else ()
    agrees = all(each.has_come_to(revision) for each in witnessed) if witness else None
    why = (
        *_placement(held, override, move, cell),
        *_history(held, last),
        *(sentence for each in witnessed for sentence in _seen(each, revision)),
    )
    return Explanation(
        tenant=tenant,
        state=held.state,
        cell=effective,
        placed=held.cell,
        override=override,
        move=move,
        last=last,
        revision=revision,
        witnessed=witnessed,
        agrees=agrees,
        why=why,
    )


def _placement(held: Tenant, override: Override | None, move: PhasedMove | None, cell: Cell | None) -> Iterator[str]:
    yield f"The registry has tenant {held.id} in {held.cell}, {held.state}."
    if override:
        until = override.expires_at.isoformat(timespec="seconds")
        yield (
            f"An override ({override.kind}) keeps it in {override.cell} until {until}, says {override.owner}:"
            f" {override.reason}."
        )
    if move:
        yield f"A move from {move.origin} to {move.to} is under way: {move.phase}."
    if held.state is TenantState.SUSPENDED:
        yield "It is suspended: its requests get a 403."
    elif cell is None or not cell.state.takes_traffic:
        yield f"{override.cell if override else held.cell} takes no traffic: its requests get a 503."
    else:
        held_back = " Its writes get a 503 meanwhile." if held.state is TenantState.MOVING else ""
        yield f"So its requests go to {cell.id}, which is {cell.state}.{held_back}"


def _history(held: Tenant, last: AuditEvent | None) -> Iterator[str]:
    if held.arrival is not None:
        yield f"It came from {held.arrival.previous} last."
    if last is not None:
        at, said = last.at.isoformat(timespec="seconds"), f": {last.message}" if last.message else ""
        yield f"The last thing done to it was '{last.action}' by {last.actor} at {at}{said}."


def _seen(each: Witnessed, revision: int) -> Iterator[str]:
    behind = " (behind)" if each.revision < revision else ""
    where = f"has it in {each.cell}, {each.state}" if each.cell else "has no such tenant"
    yield f"{each.server}: snapshot {each.snapshot}, of revision {each.revision}{behind}, {where}."
    acked = sum(progress == "acked" for _, progress in each.envoys)
    late = ", ".join(f"{node} ({progress})" for node, progress in each.envoys if progress != "acked")
    not_yet = f"; not yet: {late}" if late else ""
    yield f"{each.server}: {acked} of {len(each.envoys)} Envoys have acknowledged it{not_yet}."
