"""Which addresses a content leads a cluster's requests to, read from what is pushed. Pure."""

from collections.abc import Iterator
from functools import lru_cache

from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment

from xds.names import ResourceName, TypeUrl
from xds.snapshot import SHARED, Content, Place, Resource

Addresses = frozenset[tuple[str, int]]

_REMEMBERED = 4096
"""What is held is looked at again and again, a cluster at some 100 µs."""


def addresses(content: Content, cluster: ResourceName) -> Addresses:
    """Those of a cluster, whether they are assigned to it or stand in it; none of one that is not there."""
    found: Addresses = frozenset()
    inside = content.get(Place(SHARED, TypeUrl.CLUSTER, cluster))
    assigned = content.get(Place(SHARED, TypeUrl.ENDPOINT, cluster))
    if inside is not None and not _is_assigned(inside):
        found = _inside(inside.body)
    return found | (_assigned(assigned.body) if assigned is not None else frozenset())


def _is_assigned(cluster: Resource) -> bool:
    return any(ref.type_url == TypeUrl.ENDPOINT for ref in cluster.awaits)


@lru_cache(_REMEMBERED)
def _inside(body: bytes) -> Addresses:
    return frozenset(_of(Cluster.parse(body).load_assignment))


@lru_cache(_REMEMBERED)
def _assigned(body: bytes) -> Addresses:
    return frozenset(_of(ClusterLoadAssignment.parse(body)))


def _of(assignment: ClusterLoadAssignment | None) -> Iterator[tuple[str, int]]:
    for locality in assignment.endpoints if assignment is not None else ():
        for each in locality.lb_endpoints:
            address = each.endpoint.address if each.endpoint is not None else None
            if address is not None and address.socket_address is not None:
                yield address.socket_address.address, address.socket_address.port_value or 0
