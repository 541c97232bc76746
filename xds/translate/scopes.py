"""Tenants to scopes: which route table a tenant's requests are matched against.

There are as many scopes as tenants, so they are joined from bytes, which is far cheaper. A test holds
them against envoy-data-plane's own encoding.
"""

from xds.names import PUBLIC_TENANT, ResourceName, TypeUrl
from xds.snapshot import Ref, Resource, encode_resource, field
from xds.translate.naming import anchor_scope


def scope(name: ResourceName, routes: ResourceName, key: str) -> bytes:
    """An encoded ScopedRouteConfiguration: requests with this key go by that route table.

    Field numbers: envoy/config/route/v3/scoped_route.proto.
    """
    return _scope(name, routes, _fragment(key))


def anchor(routes: Resource) -> Resource:
    """A scope that no request can choose: it only has Envoy hold a route table, which no tenant may use yet.

    Its key has two fragments, while the listener builds keys of one; so whatever a token claims as its tenant,
    this is not it.
    """
    name = anchor_scope(routes.name)
    key = _fragment(PUBLIC_TENANT) + _fragment(routes.name)
    return encode_resource(name, _scope(name, routes.name, key), awaits=(Ref(TypeUrl.ROUTE, routes.name),))


def _scope(name: ResourceName, routes: ResourceName, key: bytes) -> bytes:
    return field(1, name.encode()) + field(2, routes.encode()) + field(3, key)


def _fragment(value: str) -> bytes:
    return field(1, field(1, value.encode()))
