"""Whose a request with a token is, and whether the token may be used where that tenant lives, by what is published.

Pure. Must not know how a token is checked.
"""

from dataclasses import dataclass
from enum import Enum, auto

from xds.model import Tenant
from xds.names import ResourceName, TenantId, TypeUrl
from xds.tokens import Reason, Refused, Verified
from xds.translate import Translation
from xds.translate.naming import graced, tenant_scope
from xds.translate.unwritable import UNWRITABLE_TEXT, is_unwritable


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """A request that is let in: `source` says whose it is.

    `tenant` is empty if the token names none. `cell` is None if it is bound to none, and empty if it is bound to what
    is no cell's id.
    """

    source: str
    tenant: str
    cell: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranger:
    """A request that is not, by what the edge answers it."""

    status: int
    reason: str


def of_outcome(outcome: Verified | Refused) -> Bearer | Stranger:
    """What the edge makes of a JWT."""
    if isinstance(outcome, Refused):
        return Stranger(status=403 if outcome.reason is Reason.AUDIENCE else 401, reason=outcome.reason)
    subject = outcome.claims.get("sub")
    if isinstance(subject, str) and is_unwritable(subject):
        return Stranger(status=401, reason=UNWRITABLE_TEXT)
    return Bearer(source=outcome.issuer, tenant=outcome.tenant, cell=outcome.cell)


class Binding(Enum):
    """Where a token is bound to, seen from where its tenant lives."""

    NOWHERE = auto()
    HERE = auto()
    LEFT = auto()
    """To the cell that the tenant has just left, whose tokens are still good: its grace."""

    ELSEWHERE = auto()


def binding(bearer: Bearer, tenant: Tenant, published: Translation) -> Binding:
    """How the token of this tenant is bound; its grace is there as long as the published scope has it."""
    if bearer.cell is None:
        return Binding.NOWHERE
    if bearer.cell == tenant.cell:
        return Binding.HERE
    left = graced(table_of(published, tenant.id))
    return Binding.LEFT if left == (tenant.cell, bearer.cell) else Binding.ELSEWHERE


def table_of(published: Translation, tenant: TenantId) -> ResourceName:
    """The route table that a tenant's scope names; empty without a scope."""
    scope = published.shared[TypeUrl.SCOPE].get(tenant_scope(tenant))
    refs = scope.refs if scope is not None else ()
    return next((ref.name for ref in refs if ref.type_url == TypeUrl.ROUTE), ResourceName(""))
