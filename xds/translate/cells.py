"""All the resources of one cell.

A function of the cell and the options alone, so that an unchanged cell need not be translated again.
"""

import re
from dataclasses import dataclass

from xds.model import Cell, Endpoint
from xds.names import CellId, ResourceName, TypeUrl
from xds.snapshot import Ref, Resource, encode_resource
from xds.translate import clusters, endpoints, internal, routes, scopes
from xds.translate.naming import CLIENT_CLUSTER, cell_cluster
from xds.translate.options import EdgeOptions
from xds.translate.problems import Problem
from xds.translate.proxyless import NOTHING, ProxylessResources, translate_proxyless

_CELL_ID = re.compile(r"cell-[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellResources:
    """What one cell becomes; without a route table it could not be translated at all."""

    cell: Cell
    cluster: Resource | None = None
    assignment: Resource | None = None
    routes: Resource | None = None
    anchor: Resource | None = None
    internal: bytes = b""
    """Its part of the route table for callers inside the platform."""

    proxyless: ProxylessResources = NOTHING
    problems: tuple[Problem, ...] = ()


def is_cell_id(cell: CellId) -> bool:
    """Whether the id can name resources: if not, they may be those that belong to no cell, `public` say."""
    return _CELL_ID.fullmatch(cell) is not None


def translate_cell(cell: Cell, options: EdgeOptions) -> CellResources:
    """The resources of a cell, and what of it had to be left out."""
    if not is_cell_id(cell.id):
        problem = Problem("cell", cell.id, "the id is not of the form cell-<name>; the cell is left out")
        return CellResources(cell=cell, problems=(problem,))
    faults = {endpoint: endpoints.fault(endpoint) for endpoint in cell.endpoints}
    problems = tuple(
        Problem("endpoint", f"{cell.id}/{endpoint.address}:{endpoint.port}", f"{fault}; the endpoint is left out")
        for endpoint, fault in faults.items()
        if fault
    )
    sound = tuple(endpoint for endpoint, fault in faults.items() if not fault)
    cluster = assignment = None
    if cell.state.is_pushed:
        cluster, assignment = _cluster(cell, sound, options)
    for_grpc = translate_proxyless(cell, sound, options)
    table = route_table(cell, options)
    return CellResources(
        cell=cell,
        cluster=cluster,
        assignment=assignment,
        routes=table,
        anchor=scopes.anchor(table),
        internal=internal.cell_routes(cell, options) if options.internal else b"",
        proxyless=for_grpc,
        problems=(*problems, *for_grpc.problems),
    )


def route_table(cell: Cell, options: EdgeOptions, *, previous: CellId | None = None) -> Resource:
    """The route table of a cell's tenants, or of those that have just come from another cell."""
    table = routes.of_cell(cell, options, previous=previous)
    return encode_resource(ResourceName(table.name), bytes(table), needs=_needs_of_routes(cell, options))


def _cluster(cell: Cell, sound: tuple[Endpoint, ...], options: EdgeOptions) -> tuple[Resource, Resource | None]:
    name = cell_cluster(cell.id)
    assignment = endpoints.load_assignment(cell, sound)
    if not all(endpoints.is_ip(endpoint) for endpoint in sound):
        return encode_resource(name, bytes(clusters.cell_api(cell, assignment, options.cluster))), None
    cluster = clusters.cell_api(cell, None, options.cluster)
    awaits = (Ref(TypeUrl.ENDPOINT, name),)
    return encode_resource(name, bytes(cluster), awaits=awaits), encode_resource(name, bytes(assignment))


def _needs_of_routes(cell: Cell, options: EdgeOptions) -> tuple[Ref, ...]:
    needs = [cell_cluster(cell.id)] if cell.state.takes_traffic else []
    if options.client is not None:
        needs.append(CLIENT_CLUSTER)
    return tuple(Ref(TypeUrl.CLUSTER, name) for name in needs)
