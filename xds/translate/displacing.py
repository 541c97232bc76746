"""Tenants of a content moved without a registry: their scopes point to another cell's route table.

For the hour in which the database is down and a cell burns: all that is needed is in what is served. Pure.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from xds.names import CellId, TenantId, TypeUrl
from xds.snapshot import SHARED, Content, ContentChange, Place, Ref, Resource, ResourceTable, encode_resource
from xds.translate.naming import cell_routes, graced, tenant_scope
from xds.translate.scopes import scope


def tenants_in(content: Content, cell: CellId) -> tuple[TenantId, ...]:
    """Whose requests go to a cell, sorted; of suspended tenants a content does not say where they live."""
    return tuple(sorted(TenantId(each.name) for each in _scopes(content) if _cell_of(each) == cell))


def tenants_by_cell(content: Content) -> Mapping[CellId, int]:
    """How many tenants' requests go to each cell."""
    return Counter(cell for each in _scopes(content) if (cell := _cell_of(each)) is not None)


def has_routes(content: Content, cell: CellId) -> bool:
    """Whether a content knows a cell, in whatever state."""
    return content.get(Place(SHARED, TypeUrl.ROUTE, cell_routes(cell))) is not None


def takes_tenants(content: Content, cell: CellId) -> bool:
    """Whether a content has a route table and a cluster for a cell."""
    routes = content.get(Place(SHARED, TypeUrl.ROUTE, cell_routes(cell)))
    return routes is not None and any(ref.type_url == TypeUrl.CLUSTER for ref in routes.needs)


def displaced(content: Content, moves: Mapping[TenantId, CellId]) -> ContentChange:
    """What makes each of these tenants that a content has live in that cell."""
    upserts: dict[Place, Resource] = {}
    for tenant, cell in moves.items():
        place = Place(SHARED, TypeUrl.SCOPE, tenant_scope(tenant))
        if content.get(place) is not None:
            routes = cell_routes(cell)
            needs = (Ref(TypeUrl.ROUTE, routes),)
            upserts[place] = encode_resource(place.name, scope(place.name, routes, tenant), needs=needs)
    return ContentChange(upserts=upserts)


def _scopes(content: Content) -> Iterable[Resource]:
    table = content.tables.get(SHARED, {}).get(TypeUrl.SCOPE, ())
    return table.values() if isinstance(table, ResourceTable) else ()


def _cell_of(each: Resource) -> CellId | None:
    """The cell that a tenant's scope leads to, at once or for the time of a grace; an anchor's leads nowhere."""
    if not each.needs:
        return None
    table = each.needs[0].name
    pair = graced(table)
    return pair[0] if pair is not None else CellId(table)
