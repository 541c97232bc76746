"""Tenants to scope resources.

Knows of cells only whether they could be translated.
"""

from collections.abc import Container

from xds.model import Tenant, TenantState, is_reserved, is_tenant_id
from xds.names import CellId, ResourceName, TenantId, TypeUrl
from xds.snapshot import Ref, Resource, encode_resource
from xds.translate.cells import is_cell_id
from xds.translate.grace import admitted_cell
from xds.translate.naming import (
    LEGACY_ROUTES,
    PUBLIC_ROUTES,
    SUSPENDED_ROUTES,
    UNAVAILABLE_ROUTES,
    cell_routes,
    grace_routes,
    held_routes,
    tenant_scope,
)
from xds.translate.options import EdgeOptions
from xds.translate.problems import Problem
from xds.translate.scopes import scope


class TenantTranslator:
    """Translates tenants one by one, as of `now`; keeps one reference a route table, not one a tenant."""

    def __init__(self, cells: Container[CellId], options: EdgeOptions, now: float) -> None:
        self._cells = cells
        self._options = options
        self._now = now
        self._needs: dict[ResourceName, tuple[Ref, ...]] = {}

    def translate(self, tenant: Tenant) -> Resource | Problem:
        """The tenant's scope, or why there is none."""
        if not is_tenant_id(tenant.id):
            fault = "is reserved for claims that are no text" if is_reserved(tenant.id) else "can't be a header's value"
            return Problem("tenant", tenant.id, f"the id {fault}; the tenant is left out")
        name = tenant_scope(tenant.id)
        table = self._table(tenant)
        needs = self._needs.setdefault(table, (Ref(TypeUrl.ROUTE, table),))
        return encode_resource(name, scope(name, table, tenant.id), needs=needs)

    def absent(self, tenant_id: TenantId) -> Resource | None:
        """The scope of a tenant that the registry doesn't have: the anonymous one's alone, which is nobody's.

        Every request begins as that tenant's, and with no route would end there: an operator's too, and one for what
        is public.
        """
        if not self._begins_as(tenant_id):
            return None
        name = tenant_scope(tenant_id)
        needs = (Ref(TypeUrl.ROUTE, PUBLIC_ROUTES),)
        return encode_resource(name, scope(name, PUBLIC_ROUTES, tenant_id), needs=needs)

    def _begins_as(self, tenant_id: TenantId) -> bool:
        """Whether it is the tenant as whose every request begins, with a token or without."""
        return self._options.auth.admits_anonymous and tenant_id == self._options.auth.public_tenant

    def _table(self, tenant: Tenant) -> ResourceName:
        if tenant.state is TenantState.SUSPENDED:
            is_absent = self._options.tenants.hides_suspended and self._begins_as(tenant.id)
            return PUBLIC_ROUTES if is_absent else SUSPENDED_ROUTES
        if tenant.state is TenantState.MOVING and tenant.cell in self._cells:
            return held_routes(tenant.cell)  # whoever else would serve it: nothing may be written now
        canary = self._options.canary
        if canary is not None and not canary.is_at_its_cell(tenant.id, tenant.cell):
            return LEGACY_ROUTES
        if tenant.cell not in self._cells:
            return UNAVAILABLE_ROUTES
        also = admitted_cell(tenant, self._options, self._now) if tenant.arrival is not None else None
        if also is None or also == tenant.cell or not is_cell_id(also):
            return cell_routes(tenant.cell)
        return grace_routes(tenant.cell, also)
