"""The topology: cells, their endpoints and the tenants that live in them, as immutable values; API keys; overrides.

Pure. Knows neither where a topology comes from nor what is made of it.
"""

from xds.model.apikey import ApiKey, KeyState
from xds.model.cell import Cell, CellState, Endpoint, Tenancy, UpstreamProtocol
from xds.model.override import Override, OverrideKind
from xds.model.tenant import Arrival, Tenant, TenantState
from xds.model.tenantid import is_reserved, is_tenant_id
from xds.model.topology import Changes, Topology

__all__ = [
    "ApiKey",
    "Arrival",
    "Cell",
    "CellState",
    "Changes",
    "Endpoint",
    "KeyState",
    "Override",
    "OverrideKind",
    "Tenancy",
    "Tenant",
    "TenantState",
    "Topology",
    "UpstreamProtocol",
    "is_reserved",
    "is_tenant_id",
]
