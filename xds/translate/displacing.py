"""Tenants of a content moved without a registry: their scopes point to another cell's route table.

For the hour in which the database is down and a cell burns: all that is needed is in what is served. Pure.
"""

from collections import Counter
from collections.abc import Mapping

from xds.names import CellId, NodeGroup, TenantId, TypeUrl
from xds.snapshot import SHARED, Content, ContentChange, Place, Ref, Resource, ResourceTable, encode_resource
from xds.translate.naming import LEGACY_ROUTES, SUSPENDED_ROUTES, cell_routes, graced, tenant_scope
from xds.translate.scopes import scope

_NO_CELLS = {CellId(LEGACY_ROUTES), CellId(SUSPENDED_ROUTES)}


def tenants_in(content: Content, cell: CellId) -> tuple[TenantId, ...]:
    """Whose requests go to a cell, from any group of Envoys, sorted.

    Of suspended tenants a content does not say where they live, nor of those that the legacy proxy serves.
    """
    tables = _scopes(content).values()
    return tuple(sorted({TenantId(each.name) for table in tables for each in table.values() if _cell_of(each) == cell}))


def tenants_by_cell(content: Content) -> Mapping[CellId, int]:
    """How many tenants' requests go to each cell."""
    scopes = (each for table in _scopes(content).values() for each in table.values())
    found = {(each.name, cell) for each in scopes if (cell := _cell_of(each)) is not None}
    return Counter(cell for _, cell in found)


def has_routes(content: Content, cell: CellId) -> bool:
    """Whether a content knows a cell, in whatever state."""
    return content.get(Place(SHARED, TypeUrl.ROUTE, cell_routes(cell))) is not None


def takes_tenants(content: Content, cell: CellId) -> bool:
    """Whether a content has a route table and a cluster for a cell."""
    routes = content.get(Place(SHARED, TypeUrl.ROUTE, cell_routes(cell)))
    return routes is not None and any(ref.type_url == TypeUrl.CLUSTER for ref in routes.needs)


def displaced(content: Content, moves: Mapping[TenantId, CellId]) -> ContentChange:
    """What makes each of these tenants live in that cell, for each group of Envoys that leads it to any cell."""
    scopes = _scopes(content)
    upserts: dict[Place, Resource] = {}
    for tenant, cell in moves.items():
        name, routes = tenant_scope(tenant), cell_routes(cell)
        made = encode_resource(name, scope(name, routes, tenant), needs=(Ref(TypeUrl.ROUTE, routes),))
        for group, table in scopes.items():
            held = table.get(name)
            if held is not None and _cell_of(held) not in _NO_CELLS:
                upserts[Place(group, TypeUrl.SCOPE, name)] = made
    return ContentChange(upserts=upserts)


def _scopes(content: Content) -> dict[NodeGroup, ResourceTable]:
    """The tenants' scopes that all Envoys have, and those of a group that has its own: in a rollout."""
    return {group: held[TypeUrl.SCOPE] for group, held in content.tables.items() if TypeUrl.SCOPE in held}


def _cell_of(each: Resource) -> CellId | None:
    """The cell that a tenant's scope leads to, at once or for the time of a grace; an anchor's leads nowhere."""
    if not each.needs:
        return None
    table = each.needs[0].name
    pair = graced(table)
    return pair[0] if pair is not None else CellId(table)
