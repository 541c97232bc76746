"""Where a tenant goes, and why: as the registry, this replica and its Envoys see it."""

from collections.abc import Sequence
from dataclasses import dataclass

from xds.control import audit, moves, overrides
from xds.control.operation import Parts
from xds.control.shapes import Answer, Id, Request
from xds.model import TenantState
from xds.names import TenantId
from xds.operations.explaining import explain_tenant
from xds.operations.phasing import Witnessed


class ExplainTenant(Request):
    """One tenant."""

    tenant: Id


class WitnessView(Answer):
    """What this replica says: what it has published, and how far each of its Envoys is, by node id."""

    revision: int
    snapshot: int
    cell: str | None = None
    state: str | None = None
    envoys: dict[str, str]


class ExplanationView(Answer):
    """`cell` is where its requests go, `placed` where the registry has it beneath any override.

    `revision` is that of its last change; it `agrees` if every Envoy of this replica has acknowledged that. Ask each
    replica. `why` says all of it in sentences.
    """

    tenant: str
    state: TenantState
    cell: str
    placed: str
    override: overrides.OverrideView | None = None
    move: moves.PhasedMoveView | None = None
    last: audit.AuditEventView | None = None
    revision: int
    agrees: bool
    here: WitnessView | None = None
    why: list[str]


@dataclass(frozen=True, slots=True)
class _Here:
    """This replica, as a witness."""

    parts: Parts

    async def witness(self, tenant: TenantId) -> Sequence[Witnessed]:
        seen = self.parts.witness(tenant)
        return [] if seen is None else [seen]


async def explain(parts: Parts, request: ExplainTenant, _by: str) -> ExplanationView:
    """Where a tenant goes, and why."""
    told = await explain_tenant(parts.registry, TenantId(request.tenant), _Here(parts))
    here = next(iter(told.witnessed), None)
    return ExplanationView(
        tenant=told.tenant,
        state=told.state,
        cell=told.cell,
        placed=told.placed,
        override=None if told.override is None else overrides.view_of(told.override),
        move=None if told.move is None else moves.view_of(told.move, is_change=False),
        last=None if told.last is None else audit.view_of(told.last),
        revision=told.revision,
        agrees=here is not None and bool(told.agrees),
        here=None if here is None else _view(here),
        why=list(told.why),
    )


def _view(seen: Witnessed) -> WitnessView:
    return WitnessView(
        revision=seen.revision, snapshot=seen.snapshot, cell=seen.cell, state=seen.state, envoys=dict(seen.envoys)
    )
