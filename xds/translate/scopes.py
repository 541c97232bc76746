"""Tenants to scopes: which route table a tenant's requests are matched against.

There are as many scopes as tenants, so they are joined from bytes: 1 µs instead of 1 ms each. A test holds
them against envoy-data-plane's own encoding.
"""

from xds.names import ResourceName
from xds.snapshot import field


def scope(name: ResourceName, routes: ResourceName, key: str) -> bytes:
    """An encoded ScopedRouteConfiguration: requests with this key go by that route table.

    Field numbers: envoy/config/route/v3/scoped_route.proto.
    """
    return field(1, name.encode()) + field(2, routes.encode()) + field(3, field(1, field(1, key.encode())))
