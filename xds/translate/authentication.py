"""Who sends a request: the checking of tokens, and the header that carries the outcome.

The tenant header is the scope key, so it is ours alone: whatever a client sends under our prefix is gone
before anything reads it.
"""

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation, HeaderMutationRemoveOnMatch
from envoy_data_plane.envoy.config.core.v3 import (
    DataSource,
    HeaderValue,
    HeaderValueOption,
    HeaderValueOptionHeaderAppendAction,
)
from envoy_data_plane.envoy.config.route.v3 import RouteMatch
from envoy_data_plane.envoy.extensions.filters.http.jwt_authn.v3 import (
    JwtAuthentication,
    JwtCacheConfig,
    JwtClaimToHeader,
    JwtHeader,
    JwtProvider,
    JwtRequirement,
    RequirementRule,
)
from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation.v3 import (
    HeaderMutation as EarlyHeaderMutation,
)
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

from xds.names import PUBLIC_TENANT
from xds.translate.options import AuthOptions

HEADER_PREFIX = "x-alphaswarm-"
ENVOYS_PREFIX = "x-envoy-"
"""Envoy's own. Those that it acts upon it drops itself; upstreams may trust the others."""

TENANT_HEADER = "x-alphaswarm-tenant"
CELL_HEADER = "x-alphaswarm-cell"

JWT_FILTER = "envoy.filters.http.jwt_authn"
PAYLOAD_NAMESPACE = JWT_FILTER
PAYLOAD_PATH = ("payload",)

TOKEN_PATHS = ("/api", "/ws", "/manage")
"""What can't be reached without a token."""

_PROVIDER = "idp"
_CACHED_TOKENS = 10_000
"""A worker's cache of checked tokens; without it each request pays a signature check, and the edge loses 40 %."""


def strip_headers() -> EarlyHeaderMutation:
    """Drop every header of ours and of Envoy's that a client sent, and make the request the public tenant's."""
    return EarlyHeaderMutation(
        mutations=[
            HeaderMutation(
                remove_on_match=HeaderMutationRemoveOnMatch(key_matcher=StringMatcher(prefix=prefix, ignore_case=True))
            )
            for prefix in (HEADER_PREFIX, ENVOYS_PREFIX)
        ]
        + [HeaderMutation(append=overwrite(TENANT_HEADER, PUBLIC_TENANT))]
    )


def overwrite(name: str, value: str) -> HeaderValueOption:
    """A header that has this one value, whatever it had."""
    return HeaderValueOption(
        header=HeaderValue(key=name, value=value),
        append_action=HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
    )


def check_tokens(auth: AuthOptions) -> JwtAuthentication:
    """Check the token of every request to `TOKEN_PATHS`, and choose the route again with its tenant known."""
    provider = JwtProvider(
        issuer=auth.issuer,
        audiences=list(auth.audiences),
        require_expiration=True,
        local_jwks=DataSource(inline_string=auth.jwks),
        forward=True,
        # Envoy would also look in the query string, and from there tokens get into logs.
        from_headers=[JwtHeader(name="Authorization", value_prefix="Bearer ")],
        payload_in_metadata=PAYLOAD_PATH[0],
        clock_skew_seconds=auth.clock_skew_seconds,
        jwt_cache_config=JwtCacheConfig(jwt_cache_size=_CACHED_TOKENS),
        claim_to_headers=[JwtClaimToHeader(header_name=TENANT_HEADER, claim_name=auth.tenant_claim)],
        clear_route_cache=True,
    )
    return JwtAuthentication(
        providers={_PROVIDER: provider},
        rules=[
            RequirementRule(
                match=RouteMatch(path_separated_prefix=path), requires=JwtRequirement(provider_name=_PROVIDER)
            )
            for path in TOKEN_PATHS
        ],
    )
