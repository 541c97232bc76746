"""An encoded resource as JSON that a person can read, in Envoy's field names.

Pure. The messages inside are shown too, if their type is one that this package makes.
"""

from collections.abc import Mapping
from typing import Any

from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import TypedExtensionConfig
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration, ScopedRouteConfiguration
from envoy_data_plane.envoy.extensions.filters.http.jwt_authn.v3 import JwtAuthentication

from xds.names import TypeUrl
from xds.snapshot import Resource

_MESSAGES: Mapping[TypeUrl, Any] = {
    TypeUrl.CLUSTER: Cluster,
    TypeUrl.ENDPOINT: ClusterLoadAssignment,
    TypeUrl.LISTENER: Listener,
    TypeUrl.EXTENSION: TypedExtensionConfig,
    TypeUrl.ROUTE: RouteConfiguration,
    TypeUrl.SCOPE: ScopedRouteConfiguration,
}


def to_json(type_url: TypeUrl, body: bytes) -> object:
    """The message of that type, as plain values."""
    # A name is what the .proto file says: the library's own snake case makes "5_xx" of "5xx".
    shown: object = _MESSAGES[type_url].parse(body).to_dict(casing=str)
    return shown


def jwks_of(check: Resource) -> dict[str, str]:
    """The keys in a check of tokens (see `token_checks`), by issuer; none of another kind of resource."""
    config = TypedExtensionConfig.parse(check.body).typed_config
    inside = config.unpack() if config is not None else None
    if not isinstance(inside, JwtAuthentication):
        return {}
    held = {each.issuer: each.local_jwks for each in inside.providers.values()}
    return {issuer: jwks.inline_string for issuer, jwks in held.items() if jwks is not None and jwks.inline_string}
