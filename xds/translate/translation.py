"""A topology to tables of resources; only what a change touches is translated again.

Pure: the same topology and options give the same tables, whatever was translated before.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig

from xds.model import Changes, Tenant, Topology
from xds.names import PUBLIC_TENANT, CellId, NodeGroup, ResourceName, TenantId, TypeUrl
from xds.snapshot import Ref, Resource, ResourceTable, Snapshot, encode_resource
from xds.translate import clusters, listeners, routes, scopes
from xds.translate.authentication import check_tokens
from xds.translate.callout import let_opaque_pass
from xds.translate.cells import CellResources, is_cell_id, translate_cell
from xds.translate.messages import pack
from xds.translate.naming import (
    CALLOUT_CLUSTER,
    CLIENT_CLUSTER,
    EDGE_LISTENER,
    PUBLIC_ROUTES,
    TOKEN_CHECK,
    anchor_scope,
    cell_cluster,
    cell_routes,
    cell_target,
    tenant_scope,
)
from xds.translate.options import AuthMode, AuthOptions, EdgeOptions
from xds.translate.problems import Problem
from xds.translate.proxyless import NOTHING
from xds.translate.tenants import TenantTranslator, is_tenant_id


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

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All that was left out, sorted."""
        of_cells = (problem for cell in self.cells.values() for problem in cell.problems)
        return tuple(sorted([*of_cells, *self.tenant_problems.values()]))

    def snapshots(self, number: int) -> dict[NodeGroup, Snapshot]:
        """A snapshot for each node group."""
        tables = {group: {**self.shared, TypeUrl.LISTENER: table} for group, table in self.listeners.items()}
        if self.options.grpc_group is not None:
            tables[self.options.grpc_group] = dict(self.proxyless)
        revision = self.topology.revision
        return {
            group: Snapshot(number=number, revision=revision, group=group, tables=held)
            for group, held in tables.items()
        }


def translate(topology: Topology, options: EdgeOptions) -> Translation:
    """Translate everything."""
    fixed = _fixed(options)
    start = Translation(
        topology=Topology(revision=topology.revision),
        options=options,
        shared={type_url: ResourceTable(type_url, fixed.get(type_url, ())) for type_url in _SHARED_TYPES},
        listeners={group: _listener_table(address, options) for group, address in options.listeners.items()},
        proxyless={type_url: ResourceTable(type_url) for type_url in TypeUrl},
        cells={},
        tenant_problems={},
    )
    changes = Changes(revision=topology.revision, cells=dict(topology.cells), tenants=dict(topology.tenants))
    return retranslate(start, changes)


def retranslate(before: Translation, changes: Changes) -> Translation:
    """Translate what `changes` touches, and keep the rest."""
    topology = before.topology.apply(changes)
    cells = dict(before.cells)
    for cell_id, cell in changes.cells.items():
        cells.pop(cell_id, None)
        if cell is not None:
            cells[cell_id] = translate_cell(cell, before.options)
    tables = _put_cells(before.shared, cells, changes.cells)
    touched: Mapping[TenantId, Tenant | None] = changes.tenants
    if _translated(cells) ^ _translated(before.cells):
        # Rare: tenants of a cell that comes or goes change their route table without being changed themselves.
        touched = {**topology.tenants, **changes.tenants}
    placed, tenant_problems = _put_tenants(tables[TypeUrl.SCOPE], before.tenant_problems, touched, cells)
    return Translation(
        topology=topology,
        options=before.options,
        shared={**tables, TypeUrl.SCOPE: placed},
        listeners=before.listeners,
        proxyless=_put_proxyless(before.proxyless, cells, changes.cells),
        cells=cells,
        tenant_problems=tenant_problems,
    )


def with_keys(before: Translation, jwks: Mapping[str, str]) -> Translation:
    """The same with these keys, by issuer: one resource, which names no cell and no tenant."""
    auth = before.options.auth.with_keys(jwks)
    if auth == before.options.auth:
        return before
    extensions = before.shared[TypeUrl.EXTENSION].replace(_extensions(auth), [])
    return replace(
        before,
        options=replace(before.options, auth=auth),
        shared={**before.shared, TypeUrl.EXTENSION: extensions},
    )


_SHARED_TYPES = (TypeUrl.CLUSTER, TypeUrl.ENDPOINT, TypeUrl.EXTENSION, TypeUrl.ROUTE, TypeUrl.SCOPE)


def _fixed(options: EdgeOptions) -> dict[TypeUrl, list[Resource]]:
    """The resources that no cell and no tenant changes."""
    client = Ref(TypeUrl.CLUSTER, CLIENT_CLUSTER)
    tables = [
        encode_resource(ResourceName(table.name), bytes(table), needs=(client,) if options.client else ())
        for table in routes.shared(options)
    ]
    public = ResourceName(PUBLIC_TENANT)
    body = scopes.scope(public, PUBLIC_ROUTES, PUBLIC_TENANT)
    scope = encode_resource(public, body, awaits=(Ref(TypeUrl.ROUTE, PUBLIC_ROUTES),))
    fixed = {
        TypeUrl.EXTENSION: _extensions(options.auth),
        TypeUrl.ROUTE: tables,
        TypeUrl.SCOPE: [scope, *map(scopes.anchor, tables)],
        TypeUrl.CLUSTER: [],
    }
    if options.client is not None:
        cluster = clusters.web_client(options.client, options.cluster)
        fixed[TypeUrl.CLUSTER].append(encode_resource(CLIENT_CLUSTER, bytes(cluster)))
    callout = options.auth.callout
    if callout is not None and callout.address is not None:
        cluster = clusters.tenant_router(callout.address, options.cluster)
        fixed[TypeUrl.CLUSTER].append(encode_resource(CALLOUT_CLUSTER, bytes(cluster)))
    return fixed


def _extensions(auth: AuthOptions) -> list[Resource]:
    """The config of what is in the listeners by name only."""
    if auth.mode is AuthMode.OFF:
        return []
    check = TypedExtensionConfig(name=TOKEN_CHECK, typed_config=pack(let_opaque_pass(check_tokens(auth), auth.callout)))
    return [encode_resource(TOKEN_CHECK, bytes(check))]


def _listener_table(address: tuple[str, int], options: EdgeOptions) -> ResourceTable:
    listener = listeners.edge(address, options)
    awaits = tuple(Ref(TypeUrl.EXTENSION, each.name) for each in _extensions(options.auth))
    callout = options.auth.callout
    needs = (Ref(TypeUrl.CLUSTER, CALLOUT_CLUSTER),) if callout and callout.address else ()
    resource = encode_resource(EDGE_LISTENER, bytes(listener), needs=needs, awaits=awaits)
    return ResourceTable(TypeUrl.LISTENER, [resource])


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
    cells: Mapping[CellId, CellResources],
) -> tuple[ResourceTable, dict[TenantId, Problem]]:
    translator = TenantTranslator(_translated(cells))
    change = _Change()
    left_out = {tenant_id: problem for tenant_id, problem in problems.items() if tenant_id not in changed}
    for tenant_id, tenant in changed.items():
        outcome = translator.translate(tenant) if tenant else None
        if isinstance(outcome, Problem):
            left_out[tenant_id] = outcome
        elif is_tenant_id(tenant_id):
            change.put(tenant_scope(tenant_id), outcome)
    return table.replace(change.upserts, change.removed), left_out


def _translated(cells: Mapping[CellId, CellResources]) -> set[CellId]:
    return {cell_id for cell_id, cell in cells.items() if cell.routes is not None}
