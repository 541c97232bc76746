"""A snapshot as the bootstrap of an Envoy that needs no control plane, so that Envoy can say what is wrong with it.

Pure. What comes by name over ADS is put in place: assignments into clusters, tables and filters into listeners. Of the
scopes there is one for each route table: a tenant's has nothing in it that could be wrong by itself. What there is as
often as cells is joined from bytes, which is a hundred times cheaper than from messages.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from envoy_data_plane.envoy.config.bootstrap.v3 import Bootstrap
from envoy_data_plane.envoy.config.core.v3 import DataSource, Node, TypedExtensionConfig
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
from envoy_data_plane.envoy.config.route.v3 import ScopedRouteConfiguration
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpFilter,
)
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import DownstreamTlsContext
from envoy_data_plane.google.protobuf import Any

from xds.names import ResourceName, TypeUrl
from xds.snapshot import Ref, Resource, Snapshot
from xds.snapshot.wire import varint, without
from xds.translate.messages import pack
from xds.translate.naming import registry_row

_TYPES = (TypeUrl.CLUSTER, TypeUrl.LISTENER, TypeUrl.EXTENSION, TypeUrl.ROUTE, TypeUrl.ENDPOINT)
"""Each stands after those that it is of no use without: a part may be left out with all that follow it."""


_Chosen: TypeAlias = Mapping[Ref, Resource]

# Field numbers: envoy/config/cluster/v3/cluster.proto
_TYPE, _EDS, _LOAD_ASSIGNMENT = 2, 3, 33
# envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto
_ROUTE_CONFIG, _SCOPED_ROUTES, _LIST = 4, 31, 4
# envoy/config/route/v3/scoped_route.proto and route.proto
_TABLE_NAME, _TABLE, _VALIDATE_CLUSTERS = 2, 5, 7
_FALSE = b"\x08\x00"
"""A google.protobuf.BoolValue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """A certificate and its key in PEM, in the place of files that only Envoy's machine has."""

    certificate: str
    key: str


class StaticConfig:
    """The parts of a snapshot, and bootstraps made of some of them."""

    def __init__(self, snapshot: Snapshot, placeholder: Placeholder) -> None:
        self._group = snapshot.group
        self._placeholder = placeholder
        self._parts = {Ref(type_url, each.name): each for type_url in _TYPES for each in _sorted(snapshot, type_url)}
        self._scopes: dict[ResourceName, Resource] = {}
        for scope in _sorted(snapshot, TypeUrl.SCOPE):
            self._scopes.setdefault(_table_of(scope), scope)

    @property
    def parts(self) -> tuple[Ref, ...]:
        """What it is made of: what the settings make first, then what comes from the registry's rows."""
        return tuple(sorted(self._parts, key=lambda part: (bool(registry_row(*part)), _TYPES.index(part[0]), part)))

    def bootstrap(self, parts: Collection[Ref]) -> bytes:
        """An encoded bootstrap of these parts. Field numbers: envoy/config/bootstrap/v3/bootstrap.proto."""
        chosen = {part: self._parts[part] for part in parts}
        listeners = [put(1, self._listener(chosen, each)) for each in _of(chosen, TypeUrl.LISTENER)]
        clusters = [put(2, _cluster(chosen, each)) for each in _of(chosen, TypeUrl.CLUSTER)]
        node = bytes(Bootstrap(node=Node(id="check", cluster=self._group)))
        return node + put(2, b"".join([*listeners, *clusters]))

    def _listener(self, chosen: _Chosen, resource: Resource) -> bytes:
        listener = Listener.parse(resource.body)
        for chain in listener.filter_chains:
            self._put_certificates(chain)
            for each in chain.filters:
                self._put_in_place(chosen, each)
        return bytes(listener)

    def _put_certificates(self, chain: FilterChain) -> None:
        socket = chain.transport_socket
        context = socket.typed_config.unpack() if socket is not None and socket.typed_config is not None else None
        if socket is None or not isinstance(context, DownstreamTlsContext) or context.common_tls_context is None:
            return
        tls = context.common_tls_context
        for certificate in tls.tls_certificates:
            certificate.certificate_chain = DataSource(inline_string=self._placeholder.certificate)
            certificate.private_key = DataSource(inline_string=self._placeholder.key)
        if tls.validation_context is not None and tls.validation_context.trusted_ca is not None:
            tls.validation_context.trusted_ca = DataSource(inline_string=self._placeholder.certificate)
        socket.typed_config = pack(context)

    def _put_in_place(self, chosen: _Chosen, each: Filter) -> None:
        manager = each.typed_config.unpack() if each.typed_config is not None else None
        if not isinstance(manager, HttpConnectionManager):
            return
        manager.http_filters = [found for one in manager.http_filters if (found := _filter(chosen, one)) is not None]
        tables = b""
        if manager.rds is not None:
            tables = put(_ROUTE_CONFIG, _table(chosen, ResourceName(manager.rds.route_config_name)))
            manager.rds = None
        if manager.scoped_routes is not None:
            manager.scoped_routes.scoped_rds = None
            tables = put(_SCOPED_ROUTES, put(_LIST, self._scoped(chosen)))
        packed = pack(manager)
        # Encoded messages one after the other are one message.
        each.typed_config = Any(type_url=packed.type_url, value=packed.value + tables)

    def _scoped(self, chosen: _Chosen) -> bytes:
        """A list of scopes with their tables; Envoy wants one at least."""
        held = [name for name in self._scopes if Ref(TypeUrl.ROUTE, name) in chosen] or list(self._scopes)[:1]
        return b"".join(
            put(1, self._scopes[name].body + put(_TABLE_NAME, b"") + put(_TABLE, _table(chosen, name))) for name in held
        )


def put(number: int, value: bytes) -> bytes:
    """A length-delimited field of any number."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def _cluster(chosen: _Chosen, resource: Resource) -> bytes:
    if without(resource.body, {_EDS}) == resource.body:
        return resource.body
    assignment = chosen.get(Ref(TypeUrl.ENDPOINT, resource.name))
    endpoints = assignment.body if assignment is not None else put(1, resource.name.encode())
    return without(resource.body, {_TYPE, _EDS}) + put(_LOAD_ASSIGNMENT, endpoints)


def _filter(chosen: _Chosen, each: HttpFilter) -> HttpFilter | None:
    """The filter with its config in place; None if that is left out."""
    if each.config_discovery is None:
        return each
    extension = chosen.get(Ref(TypeUrl.EXTENSION, ResourceName(each.name)))
    if extension is None:
        return None
    return HttpFilter(name=each.name, typed_config=TypedExtensionConfig.parse(extension.body).typed_config)


def _table(chosen: _Chosen, name: ResourceName) -> bytes:
    """A table whose clusters need not be there, as over RDS; that they are is `dangling`'s to say."""
    resource = chosen.get(Ref(TypeUrl.ROUTE, name))
    return (resource.body if resource is not None else put(1, b"-")) + put(_VALIDATE_CLUSTERS, _FALSE)


def _table_of(scope: Resource) -> ResourceName:
    if scope.refs:
        return scope.refs[0].name
    return ResourceName(ScopedRouteConfiguration.parse(scope.body).route_configuration_name)


def _of(chosen: _Chosen, type_url: TypeUrl) -> Iterable[Resource]:
    return (resource for part, resource in chosen.items() if part.type_url == type_url)


def _sorted(snapshot: Snapshot, type_url: str) -> list[Resource]:
    return sorted(snapshot.tables[type_url].values(), key=lambda each: each.name) if type_url in snapshot.tables else []
