"""The golden cases: a topology in, Envoy's config out, both as YAML that a person reads.

What is shown is parsed back from the encoded bytes, with Envoy's own names of fields and messages inside an Any
opened. Must not know how the files are compared.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast

import yaml
from betterproto2 import Casing, Message
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration, ScopedRouteConfiguration

from tests.support.edge import INTERNAL, cell, edge_options, endpoint, resources, tenant, topology
from xds.model import Cell, CellState, Tenant, Topology, UpstreamProtocol
from xds.names import NodeGroup, TypeUrl
from xds.snapshot import Resource, ResourceTable
from xds.translate import CellBound, EdgeOptions, OperatorOptions, TenantOptions, Translation, translate

FOLDER = Path(__file__).parent
CASES = sorted(path.parent.name for path in FOLDER.glob("*/topology.yaml"))

FILES: Mapping[str, tuple[TypeUrl, type[Message]]] = {
    "clusters": (TypeUrl.CLUSTER, Cluster),
    "endpoints": (TypeUrl.ENDPOINT, ClusterLoadAssignment),
    "extensions": (TypeUrl.EXTENSION, TypedExtensionConfig),
    "listeners": (TypeUrl.LISTENER, Listener),
    "routes": (TypeUrl.ROUTE, RouteConfiguration),
    "scopes": (TypeUrl.SCOPE, ScopedRouteConfiguration),
}
"""The files of a case, and what is in each; `grpc` has those of gRPC clients, by the same names."""

Yaml = Any


def translated(case: str) -> Translation:
    """A case's translation."""
    given = _read(case)
    return translate(given_topology(given), given_options(given), now=given.get("now", math.inf))


def given_topology(given: Mapping[str, Yaml]) -> Topology:
    """The topology that a case's file describes."""
    cells = [_cell(**each) for each in given.get("cells", [])]
    tenants = [_tenant(**each) for each in given.get("tenants", [])]
    return topology(*cells, *tenants)


def given_options(given: Mapping[str, Yaml]) -> EdgeOptions:
    """The options that a case's file sets."""
    options = given.get("options", {})
    listeners = {NodeGroup(group): _address(at) for group, at in options.get("listeners", {}).items()}
    envoys = edge_options(
        cell_bound=CellBound[options.get("cell_bound", "enforce").upper()],
        client=_address(options["client"]) if "client" in options else None,
        operators=OperatorOptions(controller=_address(options["controller"]) if "controller" in options else None),
        internal=INTERNAL if options.get("internal") else None,
        tenants=TenantOptions(
            hides_suspended=options.get("hides_suspended", False), grace=timedelta(seconds=options.get("grace", 0))
        ),
        listeners=listeners or None,
    )
    return replace(envoys, grpc_group=NodeGroup(options["grpc_group"])) if "grpc_group" in options else envoys


def rendered(translation: Translation) -> dict[str, str]:
    """What each golden file of a case is to hold."""
    files = {
        name: _yaml(_group_by_group(translation) if name == "listeners" else shown_table(translation.shared[url], kind))
        for name, (url, kind) in FILES.items()
    }
    if translation.options.grpc_group is not None:
        held = {name: shown_table(translation.proxyless[url], kind) for name, (url, kind) in FILES.items()}
        files["grpc"] = _yaml({name: table for name, table in held.items() if table})
    return {**files, "problems": _yaml([str(problem) for problem in translation.problems])}


def digest() -> str:
    """A hash of every byte, name and version that the cases become."""
    held = blake2b()
    for case in CASES:
        translation = translated(case)
        for key, resource in sorted({**resources(translation), **proxyless(translation)}.items()):
            held.update(repr((case, key, resource.version, resource.body)).encode())
    return held.hexdigest()


def proxyless(translation: Translation) -> dict[tuple[str, str], Resource]:
    """Every resource for gRPC clients, by keys that none of `resources` has."""
    tables = translation.proxyless
    return {(f"grpc {url}", each.name): each for url, table in tables.items() for each in table.values()}


def shown_table(table: ResourceTable, kind: type[Message]) -> dict[str, Yaml]:
    """A table's resources by name, sorted."""
    return {each.name: shown(each.body, kind) for each in sorted(table.values(), key=lambda each: each.name)}


def shown(body: bytes, kind: type[Message]) -> Yaml:
    """A message's bytes as Envoy's JSON."""
    # A name is what the .proto file says: the library's own snake case makes "5_xx" of "5xx".
    return kind.parse(body).to_dict(casing=cast(Casing, str))


def _group_by_group(translation: Translation) -> dict[str, Yaml]:
    return {group: shown_table(table, Listener) for group, table in sorted(translation.listeners.items())}


def _yaml(value: Yaml) -> str:
    # By way of JSON: what is not JSON would not be what Envoy shows either.
    return yaml.safe_dump(json.loads(json.dumps(value)), sort_keys=False, width=110, allow_unicode=True)


def _read(case: str) -> Mapping[str, Yaml]:
    given: Mapping[str, Yaml] = yaml.safe_load((FOLDER / case / "topology.yaml").read_text(encoding="utf-8"))
    return given


def _cell(
    id: str,  # noqa: A002 -- the field's name in the file
    state: str = "active",
    protocol: str = "http1",
    endpoints: tuple[Mapping[str, Yaml], ...] = (),
) -> Cell:
    return cell(
        id,
        state=CellState(state),
        protocol=UpstreamProtocol(protocol),
        endpoints=tuple(endpoint(**each) for each in endpoints),
    )


def _tenant(
    id: str,  # noqa: A002 -- as above
    cell: str,
    state: str = "active",
    came_from: str = "",
    at: float = 0.0,
) -> Tenant:
    return tenant(id, cell, suspended=state == "suspended", came_from=came_from, at=at)


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)
