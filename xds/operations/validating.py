"""Whether a token may be used in a cell, for the cell's own services: the edge's decision, asked once more.

Pure: decided on the topology that is given. What is answered says no more than the token itself does, and nothing of
a token that does not hold.
"""

from dataclasses import dataclass

from xds.model import Topology
from xds.names import CellId, TenantId
from xds.settings import CbaMode
from xds.tokens import Refused, Verified, Verifier


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """The answer, and why. `tenant` is empty unless the token holds."""

    allowed: bool
    reason: str
    tenant: str
    cell: CellId


def validate(
    verifier: Verifier, topology: Topology, bound: CbaMode, *, token: str, cell: CellId, now: float
) -> Validation:
    """Whether `token` is good in `cell` at `now`."""
    outcome = verifier.verify(token, now)
    if isinstance(outcome, Refused):
        return Validation(allowed=False, reason=outcome.reason, tenant="", cell=cell)
    obstacle = _obstacle(outcome.tenant, topology, cell)
    is_elsewhere = bound is not CbaMode.OFF and outcome.cell not in (None, cell)
    if not obstacle and is_elsewhere and bound is CbaMode.ENFORCE:
        obstacle = "the token is bound to another cell"
    return Validation(
        allowed=not obstacle, reason=obstacle or _approval(outcome, is_elsewhere), tenant=outcome.tenant, cell=cell
    )


def _obstacle(name: str, topology: Topology, cell: CellId) -> str:
    if not name:
        return "the token names no tenant"
    tenant = topology.tenants.get(TenantId(name))
    if tenant is None:
        return "the tenant is unknown"
    if not tenant.state.is_let_in:
        return f"the tenant is {tenant.state}"
    return "" if tenant.cell == cell else "the tenant does not live in this cell"


def _approval(token: Verified, is_elsewhere: bool) -> str:
    if is_elsewhere:
        return "the tenant lives in this cell; the token is bound to another, which CBA_MODE=monitor lets through"
    bound = "" if token.cell is None else ", to which the token is bound"
    return f"the tenant lives in this cell{bound}"
