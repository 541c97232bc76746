"""The only place where names of resources are made.

A name that Envoy shows in its statistics, a name in a route and a name in a manifest must be the same
name; here they are, and nowhere else.
"""

from xds.names import PUBLIC_TENANT, CellId, ResourceName, TenantId, TypeUrl

PUBLIC_ROUTES = ResourceName("public")
"""The route table of requests that have no tenant."""

SUSPENDED_ROUTES = ResourceName("suspended")
"""The route table that refuses the requests of suspended tenants."""

UNAVAILABLE_ROUTES = ResourceName("unavailable")
"""The route table for tenants of a cell that could not be translated."""

COLLECTOR_CLUSTER = ResourceName("alphaswarm-collector")
"""The cluster of the collector of traces."""

LEGACY_ROUTES = ResourceName("legacy")
"""The route table of tenants that are still the legacy proxy's."""

LEGACY_CLUSTER = ResourceName("alphaswarm-proxy-legacy")
"""The cluster of the legacy proxy."""

CLIENT_CLUSTER = ResourceName("alphaswarm-client")
"""The cluster of the web client, which serves /static and /."""

CALLOUT_CLUSTER = ResourceName("alphaswarm-tenant-router")
"""The cluster of whoever resolves session tokens, if it is not where the Envoys have their config from."""
CONTROLLER_CLUSTER = ResourceName("alphaswarm-controller")
"""The cluster of the controller, which serves /manage."""

INTERNAL_ROUTES = ResourceName("internal")
"""The route table of the listener for callers inside the platform."""

INTERNAL_LISTENER = ResourceName("internal")
"""The listener for callers inside the platform."""

EDGE_LISTENER = ResourceName("edge")
"""The listener that faces the users."""

TOKEN_CHECK = ResourceName("envoy.filters.http.jwt_authn")
"""The filter that checks tokens, and its config: Envoy wants one name for both."""

HELD = CellId("held")
"""Stands where a grace's table has the previous cell: no cell's id is like it."""

TENANT_SCOPES = "tenants"
"""The name of the connection manager's scoped-routes configuration."""


def cell_cluster(cell: CellId) -> ResourceName:
    """The cluster of a cell's API: `cell-shared-std-local-api`."""
    return ResourceName(f"{cell}-api")


def cell_target(cell: CellId) -> ResourceName:
    """The listener by which a gRPC client finds a cell's API, `xds:///cell-shared-std-local-api`: like the cluster."""
    return cell_cluster(cell)


def cell_routes(cell: CellId) -> ResourceName:
    """The route table of a cell's tenants: named like the cell."""
    return ResourceName(cell)


def grace_routes(cell: CellId, previous: CellId) -> ResourceName:
    """The route table of a cell's tenants that have just come from another: it knows both cells' tokens.

    No cell's id, and so no other table's name, has a `/`.
    """
    return ResourceName(f"{cell}/{previous}")


def graced(routes: ResourceName) -> tuple[CellId, CellId] | None:
    """The cells of a grace's route table, the new one first; None for another table."""
    cell, slash, previous = routes.partition("/")
    return (CellId(cell), CellId(previous)) if slash else None


def held_routes(cell: CellId) -> ResourceName:
    """The route table of a cell's tenants whose writes are held while they move: made and counted like a grace's."""
    return grace_routes(cell, HELD)


def tenant_scope(tenant: TenantId) -> ResourceName:
    """The scope that sends a tenant to its cell's route table: named like the tenant, as is its key."""
    return ResourceName(tenant)


def anchor_scope(routes: ResourceName) -> ResourceName:
    """The scope that has Envoy hold a route table before any tenant needs it.

    No tenant's id, and so no tenant's scope, starts with `-`.
    """
    return ResourceName(f"-/{routes}")


def registry_row(type_url: str, name: ResourceName) -> str:
    """The registry's row that a resource comes from, `cell cell-shared-std-local`; empty if it is the settings'."""
    if type_url == TypeUrl.SCOPE:
        if name.startswith("-/"):
            return registry_row(TypeUrl.ROUTE, ResourceName(name.removeprefix("-/")))
        return f"tenant {name}" if name != tenant_scope(PUBLIC_TENANT) else ""
    if not name.startswith("cell-"):
        return ""
    cell, _ = graced(name) or (name, None)
    return f"cell {cell.removesuffix('-api') if type_url != TypeUrl.ROUTE else cell}"


def default_address(cell: CellId) -> str:
    """The service name of a cell's API, its address unless the registry gives another.

    The runbook's `alphaswarm-cell-<id>-api`, where `<id>` is the part of our cell id after `cell-`.
    """
    return f"alphaswarm-{cell}-api"
