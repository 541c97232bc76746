"""Whether a token may be used in a cell, for the cell's own services: the edge's decision, asked once more.

Pure: decided on what is published. What is answered says no more than the token itself does, and nothing of a token
that does not hold.
"""

from dataclasses import dataclass

from xds.model import Tenant
from xds.names import CellId, TenantId
from xds.operations.bearing import Bearer, Binding, Stranger, binding
from xds.translate import CellBound, Translation
from xds.translate.refusals import suspended_tenant, unknown_tenant


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The answer, and why. `tenant` is empty unless the token holds."""

    allowed: bool
    reason: str
    tenant: str
    cell: CellId


def validate(bearer: Bearer | Stranger, published: Translation, cell: CellId) -> Validation:
    """Whether the token that `bearer` came with is good in `cell`."""
    if isinstance(bearer, Stranger):
        return Validation(allowed=False, reason=bearer.reason, tenant="", cell=cell)
    tenant = published.topology.tenants.get(TenantId(bearer.tenant))
    obstacle = _obstacle(bearer, tenant, published, cell)
    if obstacle or tenant is None:
        return Validation(allowed=False, reason=obstacle, tenant=bearer.tenant, cell=cell)
    is_allowed, reason = _bound(binding(bearer, tenant, published), published.options.auth.cell_bound)
    return Validation(allowed=is_allowed, reason=reason, tenant=bearer.tenant, cell=cell)


def _obstacle(bearer: Bearer, tenant: Tenant | None, published: Translation, cell: CellId) -> str:
    if not bearer.tenant:
        return "the token names no tenant"
    if tenant is None:
        return unknown_tenant(published.options)
    if not tenant.state.is_let_in:
        return suspended_tenant(published.options)
    return "" if tenant.cell == cell else "the tenant does not live in this cell"


def _bound(found: Binding, mode: CellBound) -> tuple[bool, str]:
    here = "the tenant lives in this cell"
    if mode is CellBound.OFF or found is Binding.NOWHERE:
        return True, here
    if found is Binding.HERE:
        return True, f"{here}, to which the token is bound"
    if found is Binding.LEFT:
        return True, f"{here}; the token is bound to the one that it has just left, and still good"
    if mode is CellBound.MONITOR:
        return True, f"{here}; the token is bound to another, which CBA_MODE=monitor lets through"
    return False, "the token is bound to another cell"
