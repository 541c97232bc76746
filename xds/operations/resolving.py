"""Where a tenant's requests go, and why, in words for an operator.

Pure: told of what is published, not of what may be published next. Must not know how the Envoys are reached.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from xds.model import Cell, CellState, TenantState
from xds.names import CellId, NodeGroup, NodeId, ResourceName, TenantId, TypeUrl
from xds.operations.bearing import Bearer, Binding, Stranger, binding, table_of
from xds.operations.phasing import Witnessed
from xds.translate import AuthMode, CellBound, Translation
from xds.translate.naming import LEGACY_ROUTES, tenant_scope


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyStanding:
    """How far one Envoy has come with the resources that a tenant's requests need.

    `progress` is what holds for all of them: acked, or else nacked, sent or not_sent.
    """

    node_id: NodeId
    group: NodeGroup
    progress: str

    @property
    def has_acknowledged(self) -> bool:
        """Whether it routes the tenant as is published."""
        return self.progress == "acked"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedCell:
    """The cell that a tenant is in; `state` is None if the registry has no such cell, or it can't be translated."""

    id: CellId
    state: CellState | None
    endpoints: int
    zones: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """The answer; where `found` is false there is no tenant, and only `why` and the revision say something."""

    tenant: TenantId
    found: bool
    revision: int
    snapshot: int
    why: tuple[str, ...]
    state: TenantState | None = None
    cell: ResolvedCell | None = None
    route_table: str = ""
    envoys: tuple[EnvoyStanding, ...] = ()


def needed_by(published: Translation, tenant: TenantId) -> tuple[tuple[TypeUrl, ResourceName], ...]:
    """The resources that decide about a tenant's requests: its scope, and the route table which that names."""
    name = tenant_scope(tenant)
    scope = published.shared[TypeUrl.SCOPE].get(name)
    if scope is None:
        return ()
    return ((TypeUrl.SCOPE, name), *((TypeUrl(ref.type_url), ref.name) for ref in scope.refs))


def resolve(
    published: Translation, snapshot: int, tenant_id: TenantId, envoys: Iterable[EnvoyStanding] = ()
) -> Resolution:
    """Where `tenant_id` goes by what is published; `envoys` are those that are connected."""
    topology = published.topology
    tenant = topology.tenants.get(tenant_id)
    needed = needed_by(published, tenant_id)
    if tenant is None or not needed:
        why = (_absence(published, tenant_id), "The edge answers its requests with 403: the tenant is unknown.")
        return Resolution(tenant=tenant_id, found=False, revision=topology.revision, snapshot=snapshot, why=why)
    cell = topology.cells.get(tenant.cell)
    table = table_of(published, tenant_id)
    standings = tuple(envoys)
    return Resolution(
        tenant=tenant_id,
        found=True,
        revision=topology.revision,
        snapshot=snapshot,
        state=tenant.state,
        cell=_resolved(tenant.cell, cell),
        route_table=table,
        envoys=standings,
        why=(
            f"The registry has tenant {tenant_id} in {tenant.cell}, {tenant.state}.",
            _left_to_legacy(published) if table == LEGACY_ROUTES else _traffic(tenant.state, tenant.cell, cell),
            f"Its scope names the route table {table!r}, since revision {topology.revision} or before.",
            _agreement(standings),
        ),
    )


def witnessed_here(told: Resolution) -> Witnessed:
    """The same, as this replica testifies for who follows a tenant's moves."""
    return Witnessed(
        server="this replica",
        revision=told.revision,
        snapshot=told.snapshot,
        cell=told.cell.id if told.cell is not None else None,
        state=told.state,
        envoys=tuple((each.node_id, each.progress) for each in told.envoys),
        why=told.why,
    )


def resolve_token(bearer: Bearer | Stranger, resolution: Resolution, published: Translation) -> Resolution:
    """Where a request with a token goes: what the token says, then what becomes of its tenant, its `resolution`."""
    if isinstance(bearer, Stranger):
        return replace(resolution, why=(f"The edge answers {bearer.status}: {bearer.reason}.",))
    if not bearer.tenant:
        why = f"The token is good, but {bearer.source} names no tenant in it: the edge answers 403."
        return replace(resolution, why=(why,))
    said = f"The token is good, and {bearer.source} says that it is tenant {bearer.tenant}'s."
    if published.options.auth.mode is AuthMode.OFF:
        said = f"No token is looked at (AUTH_MODE=off): every request is tenant {bearer.tenant}'s."
    return replace(resolution, why=(said, *_bound(bearer, resolution, published), *resolution.why))


def _bound(bearer: Bearer, resolution: Resolution, published: Translation) -> tuple[str, ...]:
    """What the token's cell comes to; nothing where it is not what decides."""
    tenant, here = published.topology.tenants.get(resolution.tenant), resolution.cell
    takes_traffic = here is not None and here.state is not None and here.state.takes_traffic
    if tenant is None or not (tenant.state.is_let_in and takes_traffic) or resolution.route_table == LEGACY_ROUTES:
        return ()
    mode, place = published.options.auth.cell_bound, bearer.cell or "what is no cell's id"
    outcome = {
        CellBound.ENFORCE: "the edge answers 401",
        CellBound.MONITOR: "the edge counts that, and lets it through",
        CellBound.OFF: "the edge does not look at that",
    }[mode]
    match binding(bearer, tenant, published):
        case Binding.NOWHERE:
            return ()
        case Binding.HERE:
            return (f"It is bound to {place}, where the tenant lives.",)
        case Binding.LEFT:
            return (f"It is bound to {place}, which the tenant has just left: the edge lets it through for its grace.",)
        case Binding.ELSEWHERE:
            lives = f"and the tenant lives in {tenant.cell}"
            return (f"It is bound to {place}, {lives}: with CBA_MODE={mode.value} {outcome}.",)


def _absence(published: Translation, tenant: TenantId) -> str:
    problem = published.tenant_problems.get(tenant)
    return f"Tenant {tenant} is left out: {problem.text}." if problem else f"The registry has no tenant {tenant}."


def _resolved(cell_id: CellId, cell: Cell | None) -> ResolvedCell:
    held = cell.endpoints if cell else ()
    zones = sorted({endpoint.zone for endpoint in held})
    counts = tuple((zone, sum(endpoint.zone == zone for endpoint in held)) for zone in zones)
    return ResolvedCell(id=cell_id, state=cell.state if cell else None, endpoints=len(held), zones=counts)


def _left_to_legacy(published: Translation) -> str:
    canary = published.options.canary
    where = f" at {':'.join(map(str, canary.legacy))}" if canary else ""
    return f"It is not in the canary's share, so its requests go to the legacy proxy{where}."


def _traffic(state: TenantState, cell_id: CellId, cell: Cell | None) -> str:
    if not state.is_let_in:
        return f"The tenant is {state}, so the edge answers its requests with 403, whatever its cell."
    if cell is None:
        return f"There is no cell {cell_id} that Envoys can be told of, so its requests get a 503."
    if not cell.state.takes_traffic:
        return f"{cell_id} is {cell.state} and takes no traffic, so its requests get a 503."
    which = "its requests" if state is TenantState.ACTIVE else "it is being moved: writes get a 503, other requests"
    return f"{cell_id} is {cell.state} and takes traffic, so {which} go to one of {len(cell.endpoints)} endpoints."


def _agreement(envoys: tuple[EnvoyStanding, ...]) -> str:
    if not envoys:
        return "No Envoy is connected to this replica, so none is known to follow."
    behind = [envoy for envoy in envoys if not envoy.has_acknowledged]
    if not behind:
        return f"All {len(envoys)} connected Envoys have acknowledged it."
    named = ", ".join(f"{envoy.node_id} ({envoy.progress})" for envoy in behind[:5])
    more = f" and {len(behind) - 5} more" if len(behind) > 5 else ""
    return (
        f"{len(envoys) - len(behind)} of {len(envoys)} connected Envoys have acknowledged it; not yet: {named}{more}."
    )
