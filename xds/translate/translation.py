"""A topology to tables of resources; only what a change touches is translated again.

Pure: the same topology and options give the same tables, whatever was translated before.
"""

import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace

from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration

from xds.model import Changes, Tenant, Topology, is_tenant_id
from xds.names import PUBLIC_TENANT, CellId, NodeGroup, ResourceName, TenantId, TypeUrl
from xds.snapshot import SHARED, Content, Ref, Resource, ResourceTable, Snapshot, encode_resource
from xds.translate import clusters, internal, listeners, routes, scopes
from xds.translate.authentication import check_tokens
from xds.translate.callout import let_opaque_pass
from xds.translate.cells import CellResources, is_cell_id, route_table, translate_cell
from xds.translate.messages import pack
from xds.translate.naming import (
    CALLOUT_CLUSTER,
    CLIENT_CLUSTER,
    CONTROLLER_CLUSTER,
    EDGE_LISTENER,
    INTERNAL_LISTENER,
    INTERNAL_ROUTES,
    PUBLIC_ROUTES,
    TOKEN_CHECK,
    anchor_scope,
    cell_cluster,
    cell_routes,
    cell_target,
    graced,
    tenant_scope,
)
from xds.translate.options import AuthMode, AuthOptions, EdgeOptions
from xds.translate.problems import Problem
from xds.translate.proxyless import NOTHING
from xds.translate.tenants import TenantTranslator


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """The resources of a topology, and what could not be translated.

    Envoys' are `shared` but for their listeners, by node group; gRPC clients have tables of their own.
    """

    topology: Topology
    options: EdgeOptions
    shared: Mapping[str, ResourceTable]
    listeners: Mapping[NodeGroup, ResourceTable]
    proxyless: Mapping[str, ResourceTable]
    cells: Mapping[CellId, CellResources]
    tenant_problems: Mapping[TenantId, Problem]
    graces: Mapping[ResourceName, int]
    """The route tables that are there for graces alone, and how many tenants each has."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that was left out, sorted."""
        of_cells = (problem for cell in self.cells.values() for problem in cell.problems)
        return tuple(sorted([*of_cells, *self.tenant_problems.values()]))

    @property
    def content(self) -> Content:
        """All resources, as they are recorded and served."""
        tables: dict[NodeGroup, Mapping[str, ResourceTable]] = {SHARED: self.shared}
        tables |= {group: {TypeUrl.LISTENER: table} for group, table in self.listeners.items()}
        apart = self.options.grpc_group
        if apart is None:
            return Content(tables=tables)
        return Content(tables={**tables, apart: self.proxyless}, apart=frozenset([apart]))

    def snapshots(self, number: int) -> dict[NodeGroup, Snapshot]:
        """A snapshot for each node group."""
        return self.content.snapshots(number, self.topology.revision)


def translate(topology: Topology, options: EdgeOptions, *, now: float = math.inf) -> Translation:
    """Translate everything, as of `now`, in seconds since 1970; if that is not told, every grace is over."""
    fixed = _fixed(options)
    start = Translation(
        topology=Topology(revision=topology.revision),
        options=options,
        shared={type_url: ResourceTable(type_url, fixed.get(type_url, ())) for type_url in _SHARED_TYPES},
        listeners={group: _listener_table(group, options) for group in options.groups},
        proxyless={type_url: ResourceTable(type_url) for type_url in TypeUrl},
        cells={},
        tenant_problems={},
        graces={},
    )
    changes = Changes(revision=topology.revision, cells=dict(topology.cells), tenants=dict(topology.tenants))
    return retranslate(start, changes, now=now)


def retranslate(before: Translation, changes: Changes, *, now: float = math.inf) -> Translation:
    """Translate what `changes` touches, as of `now`, and keep the rest.

    Tenants whose grace has ended must be among the changes, changed or not.
    """
    topology = before.topology.apply(changes)
    cells = dict(before.cells)
    for cell_id, cell in changes.cells.items():
        cells.pop(cell_id, None)
        if cell is not None:
            cells[cell_id] = translate_cell(cell, before.options)
    tables = _put_internal(_put_cells(before.shared, cells, changes.cells), before.options, cells, changes.cells)
    touched: Mapping[TenantId, Tenant | None] = changes.tenants
    if _translated(cells) ^ _translated(before.cells):
        # Rare: tenants of a cell that comes or goes change their route table without being changed themselves.
        touched = {**topology.tenants, **changes.tenants}
    translator = TenantTranslator(_translated(cells), before.options, now)
    placed, tenant_problems = _put_tenants(tables[TypeUrl.SCOPE], before.tenant_problems, touched, translator)
    has_graces = bool(before.options.tenants.grace)
    graces = _counted(before.graces, tables[TypeUrl.SCOPE], placed, touched) if has_graces else {}
    shared = _put_graces({**tables, TypeUrl.SCOPE: placed}, before, graces, cells, changes.cells)
    return Translation(
        topology=topology,
        options=before.options,
        shared=shared,
        listeners=before.listeners,
        proxyless=_put_proxyless(before.proxyless, cells, changes.cells),
        cells=cells,
        tenant_problems=tenant_problems,
        graces=graces,
    )


def with_keys(before: Translation, jwks: Mapping[str, str]) -> Translation:
    """The same with these keys, by issuer: one resource, which names no cell and no tenant."""
    auth = before.options.auth.with_keys(jwks)
    if auth == before.options.auth:
        return before
    extensions = before.shared[TypeUrl.EXTENSION].replace(token_checks(auth), [])
    return replace(
        before,
        options=replace(before.options, auth=auth),
        shared={**before.shared, TypeUrl.EXTENSION: extensions},
    )


_SHARED_TYPES = (TypeUrl.CLUSTER, TypeUrl.ENDPOINT, TypeUrl.EXTENSION, TypeUrl.ROUTE, TypeUrl.SCOPE)


def _fixed(options: EdgeOptions) -> dict[TypeUrl, list[Resource]]:
    """The resources that no cell and no tenant changes."""
    upstreams = {CLIENT_CLUSTER: options.client, CONTROLLER_CLUSTER: options.operators.controller}
    single = {name: address for name, address in upstreams.items() if address is not None}
    tables = [_shared_table(table, single) for table in routes.shared(options)]
    public = ResourceName(PUBLIC_TENANT)
    body = scopes.scope(public, PUBLIC_ROUTES, PUBLIC_TENANT)
    scope = encode_resource(public, body, awaits=(Ref(TypeUrl.ROUTE, PUBLIC_ROUTES),))
    return {
        TypeUrl.CLUSTER: [
            encode_resource(name, bytes(clusters.single(name, address, options.cluster)))
            for name, address in single.items()
        ]
        + _callout_clusters(options),
        TypeUrl.EXTENSION: token_checks(options.auth),
        TypeUrl.ROUTE: tables,
        TypeUrl.SCOPE: [scope, *map(scopes.anchor, tables), *_anonymous_scope(options)],
    }


def _anonymous_scope(options: EdgeOptions) -> list[Resource]:
    """That of the anonymous tenant until the registry has such a tenant, if requests may be its."""
    anonymous = options.auth.public_tenant
    absent = TenantTranslator((), options, math.inf).absent(anonymous) if anonymous is not None else None
    return [] if absent is None else [absent]


def _callout_clusters(options: EdgeOptions) -> list[Resource]:
    callout = options.auth.callout
    if callout is None or callout.address is None:
        return []
    return [encode_resource(CALLOUT_CLUSTER, bytes(clusters.tenant_router(callout.address, options.cluster)))]


def token_checks(auth: AuthOptions) -> list[Resource]:
    """The config of the filter that checks tokens, which the listeners have by name only."""
    if auth.mode is AuthMode.OFF:
        return []
    check = TypedExtensionConfig(name=TOKEN_CHECK, typed_config=pack(let_opaque_pass(check_tokens(auth), auth.callout)))
    return [encode_resource(TOKEN_CHECK, bytes(check))]


def _shared_table(table: RouteConfiguration, single: Container[ResourceName]) -> Resource:
    # Only the public table leads to the controller; all of them lead to the web client.
    named = (CLIENT_CLUSTER, CONTROLLER_CLUSTER) if table.name == PUBLIC_ROUTES else (CLIENT_CLUSTER,)
    needs = tuple(Ref(TypeUrl.CLUSTER, name) for name in named if name in single)
    return encode_resource(ResourceName(table.name), bytes(table), needs=needs)


def _listener_table(group: NodeGroup, options: EdgeOptions) -> ResourceTable:
    held = []
    if group in options.listeners:
        edge = listeners.edge(options.listeners[group], options)
        awaits = tuple(Ref(TypeUrl.EXTENSION, each.name) for each in token_checks(options.auth))
        needs = tuple(Ref(TypeUrl.CLUSTER, each.name) for each in _callout_clusters(options))
        held.append(encode_resource(EDGE_LISTENER, bytes(edge), needs=needs, awaits=awaits))
    if options.internal is not None and group in options.internal.listeners:
        held.append(encode_resource(INTERNAL_LISTENER, bytes(internal.listener(group, options.internal, options))))
    return ResourceTable(TypeUrl.LISTENER, held)


def _put_cells(
    tables: Mapping[str, ResourceTable],
    after: Mapping[CellId, CellResources],
    changed: Iterable[CellId],
) -> dict[str, ResourceTable]:
    put = {type_url: _Change() for type_url in _SHARED_TYPES}
    for cell_id in filter(is_cell_id, changed):
        cell = after.get(cell_id)
        put[TypeUrl.CLUSTER].put(cell_cluster(cell_id), cell.cluster if cell else None)
        put[TypeUrl.ENDPOINT].put(cell_cluster(cell_id), cell.assignment if cell else None)
        put[TypeUrl.ROUTE].put(cell_routes(cell_id), cell.routes if cell else None)
        put[TypeUrl.SCOPE].put(anchor_scope(cell_routes(cell_id)), cell.anchor if cell else None)
    return _replaced(tables, put)


def _put_internal(
    tables: dict[str, ResourceTable],
    options: EdgeOptions,
    cells: Mapping[CellId, CellResources],
    changed: Mapping[CellId, object],
) -> dict[str, ResourceTable]:
    """The one table for callers inside the platform: joined from the bytes that each cell has for it."""
    held = tables[TypeUrl.ROUTE]
    if options.internal is None or (INTERNAL_ROUTES in held and not changed):
        return tables
    served = {cell_id: each for cell_id, each in sorted(cells.items()) if each.internal}
    needs = [Ref(TypeUrl.CLUSTER, cell_cluster(name)) for name, each in served.items() if each.cell.state.takes_traffic]
    body = internal.table([each.internal for each in served.values()], options)
    table = encode_resource(INTERNAL_ROUTES, body, needs=tuple(needs))
    return {**tables, TypeUrl.ROUTE: held.replace([table], [])}


def _put_proxyless(
    tables: Mapping[str, ResourceTable],
    after: Mapping[CellId, CellResources],
    changed: Iterable[CellId],
) -> dict[str, ResourceTable]:
    put = {type_url: _Change() for type_url in TypeUrl}
    for cell_id in filter(is_cell_id, changed):
        cell = after[cell_id].proxyless if cell_id in after else NOTHING
        put[TypeUrl.LISTENER].put(cell_target(cell_id), cell.listener)
        put[TypeUrl.CLUSTER].put(cell_cluster(cell_id), cell.cluster)
        put[TypeUrl.ENDPOINT].put(cell_cluster(cell_id), cell.assignment)
    return _replaced(tables, put)


def _replaced(tables: Mapping[str, ResourceTable], put: Mapping[TypeUrl, "_Change"]) -> dict[str, ResourceTable]:
    return {type_url: tables[type_url].replace(change.upserts, change.removed) for type_url, change in put.items()}


class _Change:
    """What becomes of some names of one table."""

    def __init__(self) -> None:
        self.upserts: list[Resource] = []
        self.removed: list[ResourceName] = []

    def put(self, name: ResourceName, resource: Resource | None) -> None:
        if resource is None:
            self.removed.append(name)
        else:
            self.upserts.append(resource)


def _put_tenants(
    table: ResourceTable,
    problems: Mapping[TenantId, Problem],
    changed: Mapping[TenantId, Tenant | None],
    translator: TenantTranslator,
) -> tuple[ResourceTable, dict[TenantId, Problem]]:
    change = _Change()
    left_out = {tenant_id: problem for tenant_id, problem in problems.items() if tenant_id not in changed}
    for tenant_id, tenant in changed.items():
        outcome = translator.translate(tenant) if tenant else translator.absent(tenant_id)
        if isinstance(outcome, Problem):
            left_out[tenant_id] = outcome
        elif is_tenant_id(tenant_id):
            change.put(tenant_scope(tenant_id), outcome)
    return table.replace(change.upserts, change.removed), left_out


def _counted(
    counts: Mapping[ResourceName, int], before: ResourceTable, after: ResourceTable, changed: Iterable[TenantId]
) -> Mapping[ResourceName, int]:
    """How many tenants each grace has, now that these tenants' scopes are others."""
    counted = Counter(counts)
    for tenant_id in changed:
        for scopes_then, number in ((before, -1), (after, 1)):
            scope = scopes_then.get(tenant_scope(tenant_id))
            table = scope.needs[0].name if scope is not None and scope.needs else None
            if table is not None and graced(table) is not None:
                counted[table] += number
    return {name: count for name, count in counted.items() if count}


def _put_graces(
    tables: dict[str, ResourceTable],
    before: Translation,
    graces: Mapping[ResourceName, int],
    cells: Mapping[CellId, CellResources],
    changed: Container[CellId],
) -> dict[str, ResourceTable]:
    """Make the tables that graces have come to need, and let go of those that none needs any more."""
    put = {type_url: _Change() for type_url in (TypeUrl.ROUTE, TypeUrl.SCOPE)}
    for name in graces.keys() | before.graces.keys():
        pair = graced(name)
        assert pair is not None, "only such names are counted"
        cell, previous = pair
        if name not in graces:
            put[TypeUrl.ROUTE].put(name, None)
            put[TypeUrl.SCOPE].put(anchor_scope(name), None)
        elif name not in before.graces or cell in changed:
            table = route_table(cells[cell].cell, before.options, previous=previous)
            put[TypeUrl.ROUTE].put(name, table)
            put[TypeUrl.SCOPE].put(anchor_scope(name), scopes.anchor(table))
    return {**tables, **_replaced(tables, put)}


def _translated(cells: Mapping[CellId, CellResources]) -> set[CellId]:
    return {cell_id for cell_id, cell in cells.items() if cell.routes is not None}
