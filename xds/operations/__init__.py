"""What an operator can do, one function each; the command line, HTTP and gRPC are faces of these.

Knows the rules, not how they are asked for nor where the registry is kept: that is behind `Store`.
"""

from xds.operations.apikeys import (
    KeyStore,
    NewKey,
    Revocation,
    create_key,
    list_keys,
    present_key,
    revoke_key,
)
from xds.operations.cells import (
    DEFAULT_PORT,
    TRANSITIONS,
    CellListing,
    CellStateChange,
    EndpointsChange,
    add_cell,
    get_cell,
    list_cells,
    set_cell_state,
    set_endpoints,
)
from xds.operations.importing import BadImport, Import, import_tenants
from xds.operations.store import Placement, Put, Store, Transaction
from xds.operations.tenants import (
    Move,
    TenantStateChange,
    add_tenant,
    get_tenant,
    list_tenants,
    move_tenant,
    move_tenants,
    set_tenant_state,
)

__all__ = [
    "DEFAULT_PORT",
    "TRANSITIONS",
    "BadImport",
    "CellListing",
    "CellStateChange",
    "EndpointsChange",
    "Import",
    "KeyStore",
    "Move",
    "NewKey",
    "Placement",
    "Put",
    "Revocation",
    "Store",
    "TenantStateChange",
    "Transaction",
    "add_cell",
    "add_tenant",
    "create_key",
    "get_cell",
    "get_tenant",
    "import_tenants",
    "list_cells",
    "list_keys",
    "list_tenants",
    "move_tenant",
    "move_tenants",
    "present_key",
    "revoke_key",
    "set_cell_state",
    "set_endpoints",
    "set_tenant_state",
]
