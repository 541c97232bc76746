"""The discovery services: ADS, and one for each type of resource, with the type that it speaks of.

xDS protocol, "xDS API endpoints". Must not know how a stream is served.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from google.protobuf.descriptor import FileDescriptor

from xds.names import TypeUrl
from xds.proto import (
    cluster_pb2,
    discovery_pb2,
    endpoint_pb2,
    extension_pb2,
    listener_pb2,
    route_pb2,
    runtime_pb2,
    secret_pb2,
)
from xds.server.variants import Request
from xds.session import Violated

# Types that there is nothing of yet: asked for, they are answered as any name that does not exist.
SECRET = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105 -- a type
RUNTIME = "type.googleapis.com/envoy.service.runtime.v3.Runtime"

_Request = TypeVar("_Request", bound=Request)

Kind = Literal["delta", "sotw", "fetch"]

_KINDS: dict[str, Kind] = {"Delta": "delta", "Stream": "sotw", "Fetch": "fetch"}
"""What a method does, by how its name begins; so it is in all of Envoy's discovery services."""


@dataclass(frozen=True, slots=True)
class Service:
    """A discovery service; `type_url` is the only type that it speaks of, None for all."""

    file: FileDescriptor
    short_name: str
    type_url: str | None = None

    @property
    def name(self) -> str:
        """Its name on the wire."""
        return str(self.file.services_by_name[self.short_name].full_name)

    def methods(self) -> Iterator[tuple[str, Kind]]:
        """Each method and what it does."""
        for method in self.file.services_by_name[self.short_name].methods:
            (kind,) = (kind for start, kind in _KINDS.items() if method.name.startswith(start))
            yield method.name, kind


ADS = Service(discovery_pb2.DESCRIPTOR, "AggregatedDiscoveryService")

SERVICES = (
    ADS,
    Service(cluster_pb2.DESCRIPTOR, "ClusterDiscoveryService", TypeUrl.CLUSTER),
    Service(endpoint_pb2.DESCRIPTOR, "EndpointDiscoveryService", TypeUrl.ENDPOINT),
    Service(listener_pb2.DESCRIPTOR, "ListenerDiscoveryService", TypeUrl.LISTENER),
    Service(route_pb2.DESCRIPTOR, "RouteDiscoveryService", TypeUrl.ROUTE),
    Service(route_pb2.DESCRIPTOR, "ScopedRoutesDiscoveryService", TypeUrl.SCOPE),
    Service(secret_pb2.DESCRIPTOR, "SecretDiscoveryService", SECRET),
    Service(runtime_pb2.DESCRIPTOR, "RuntimeDiscoveryService", RUNTIME),
    Service(extension_pb2.DESCRIPTOR, "ExtensionConfigDiscoveryService", TypeUrl.EXTENSION),
)


def settle(request: _Request, only: str | None) -> _Request | Violated:
    """The request as its session is to read it, on a stream that speaks of `only` one type (None: of all).

    "Resource Types": on a stream of a single type, the type may be left out; it is implied.
    """
    if only is None or request.type_url == only:
        return request
    if request.type_url:
        return Violated(reason=f"this service speaks of {only} only, the request says {request.type_url}")
    return replace(request, type_url=only)
