"""A cell's endpoints to a load assignment, by zone and with weights.

An endpoint whose address is neither an IP address nor a host name is left out and reported.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from itertools import groupby
from operator import attrgetter

from envoy_data_plane.envoy.config.core.v3 import Locality
from envoy_data_plane.envoy.config.endpoint.v3 import (
    ClusterLoadAssignment,
    LbEndpoint,
    LocalityLbEndpoints,
)
from envoy_data_plane.envoy.config.endpoint.v3 import (
    Endpoint as EnvoyEndpoint,
)

from xds.model import Cell, Endpoint
from xds.translate.messages import socket_address
from xds.translate.naming import cell_cluster

_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST_NAME = re.compile(rf"(?={_LABEL}(\.{_LABEL})*\.?$)(?!.*(^|\.)[0-9]+\.?$).{{1,253}}")
"""A name of DNS labels, the last of which is not a number: `10.0.0.300` is a mistyped address, not a name."""

HEAVIEST = 1000
"""As in the registry. Envoy adds up a zone's weights in 32 bits, and refuses the whole assignment beyond."""


def fault(endpoint: Endpoint) -> str:
    """What is wrong with an endpoint, or nothing."""
    if not is_ip(endpoint) and not _HOST_NAME.fullmatch(endpoint.address):
        return f"address {endpoint.address!r} is neither an IP address nor a host name"
    if not 1 <= endpoint.port <= 65535:
        return f"port {endpoint.port} is not in 1 to 65535"
    if not 1 <= endpoint.weight <= HEAVIEST:
        return f"weight {endpoint.weight} is not in 1 to {HEAVIEST}"
    return ""


def is_ip(endpoint: Endpoint) -> bool:
    """Whether the address is an IP address, so that Envoy need not resolve it."""
    try:
        ip_address(endpoint.address)
    except ValueError:
        return False
    return True


def load_assignment(cell: Cell, endpoints: Iterable[Endpoint]) -> ClusterLoadAssignment:
    """The assignment of a cell's cluster; with no endpoints it is empty, which says so, and is still one."""
    by_zone = groupby(sorted(endpoints, key=lambda each: (each.zone, each)), key=attrgetter("zone"))
    return ClusterLoadAssignment(
        cluster_name=cell_cluster(cell.id),
        endpoints=[
            LocalityLbEndpoints(
                locality=Locality(region=cell.region, zone=zone),
                lb_endpoints=[lb_endpoint(endpoint) for endpoint in members],
            )
            for zone, members in by_zone
        ],
    )


def lb_endpoint(endpoint: Endpoint) -> LbEndpoint:
    """One endpoint of an assignment."""
    return LbEndpoint(
        endpoint=EnvoyEndpoint(address=socket_address(endpoint.address, endpoint.port)),
        load_balancing_weight=endpoint.weight,
    )
