"""What an operator can do, one function each; the command line, HTTP and gRPC are faces of these.

Knows the rules, not how they are asked for nor where the registry is kept: that is behind `Store`.
"""

from xds.operations.apikeys import KeyStore, NewKey, Revocation, create_key, list_keys, present_key, revoke_key
from xds.operations.auditing import UNNAMED, AuditEvent, AuditQuery, AuditStore, Author, list_audit
from xds.operations.cells import (
    DEFAULT_PORT,
    TRANSITIONS,
    CapacityChange,
    CellListing,
    CellStateChange,
    EndpointsChange,
    add_cell,
    get_cell,
    list_cells,
    set_capacity,
    set_cell_state,
    set_endpoints,
)
from xds.operations.draining import Drained, DrainOptions, Undrained, drain_cell, evacuate_cell, undrain_cell
from xds.operations.importing import BadImport, Import, import_tenants
from xds.operations.overriding import OverrideChange, clear_override, end_expired, list_overrides, set_override
from xds.operations.placing import DEFAULT_POLICY, POLICIES, Fill, Wish
from xds.operations.store import Placement, Put, Store, Transaction, Transactions
from xds.operations.tenants import (
    Move,
    TenantStateChange,
    add_tenant,
    get_tenant,
    list_tenants,
    move_share,
    move_tenant,
    move_tenants,
    place_tenant,
    set_tenant_state,
)
from xds.operations.underway import Drain, Phase, PhasedMove

__all__ = [
    "DEFAULT_POLICY",
    "DEFAULT_PORT",
    "POLICIES",
    "TRANSITIONS",
    "UNNAMED",
    "AuditEvent",
    "AuditQuery",
    "AuditStore",
    "Author",
    "BadImport",
    "CapacityChange",
    "CellListing",
    "CellStateChange",
    "Drain",
    "DrainOptions",
    "Drained",
    "EndpointsChange",
    "Fill",
    "Import",
    "KeyStore",
    "Move",
    "NewKey",
    "OverrideChange",
    "Phase",
    "PhasedMove",
    "Placement",
    "Put",
    "Revocation",
    "Store",
    "TenantStateChange",
    "Transaction",
    "Transactions",
    "Undrained",
    "Wish",
    "add_cell",
    "add_tenant",
    "clear_override",
    "create_key",
    "drain_cell",
    "end_expired",
    "evacuate_cell",
    "get_cell",
    "get_tenant",
    "import_tenants",
    "list_audit",
    "list_cells",
    "list_keys",
    "list_overrides",
    "list_tenants",
    "move_share",
    "move_tenant",
    "move_tenants",
    "place_tenant",
    "present_key",
    "revoke_key",
    "set_capacity",
    "set_cell_state",
    "set_endpoints",
    "set_override",
    "set_tenant_state",
    "undrain_cell",
]
