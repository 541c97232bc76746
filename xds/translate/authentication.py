"""Who sends a request: the checking of tokens, and the header that carries the outcome.

The tenant header is the scope key, so it is ours alone: whatever a client sends under our prefix is gone
before anything reads it.
"""

from collections.abc import Iterable

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation, HeaderMutationRemoveOnMatch
from envoy_data_plane.envoy.config.core.v3 import (
    DataSource,
    HeaderValue,
    HeaderValueOption,
    HeaderValueOptionHeaderAppendAction,
)
from envoy_data_plane.envoy.extensions.filters.http.jwt_authn.v3 import (
    JwtAuthentication,
    JwtCacheConfig,
    JwtClaimToHeader,
    JwtProvider,
    JwtRequirement,
    JwtRequirementOrList,
    RequirementRule,
)
from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation.v3 import (
    HeaderMutation as EarlyHeaderMutation,
)
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher
from envoy_data_plane.google.protobuf import Empty

from xds.names import PUBLIC_TENANT
from xds.snapshot import field
from xds.translate.naming import TOKEN_CHECK
from xds.translate.options import AuthMode, AuthOptions, CellBound, IssuerOptions
from xds.translate.places import HEADER, Place, places

HEADER_PREFIX = "x-alphaswarm-"
ENVOYS_PREFIX = "x-envoy-"
"""Envoy's own. Those that it acts upon it drops itself; upstreams may trust the others."""

TENANT_HEADER = "x-alphaswarm-tenant"
CELL_HEADER = "x-alphaswarm-cell"
SUBJECT_HEADER = "x-alphaswarm-subject"
CELL_CLAIM_HEADER = "x-alphaswarm-cell-claim"
"""The cell that a token is bound to: for the routes alone, no upstream sees it."""

JWT_FILTER: str = TOKEN_CHECK
PAYLOAD_NAMESPACE = "envoy.filters.http.jwt_authn"
PAYLOAD_PATH = ("payload",)

TOKEN_PATHS = ("/api", "/ws", "/manage")
"""What can't be reached without a token."""

_WEBSOCKETS = "/ws"
_OPERATORS = "/manage"
"""Nobody operates anonymously."""

_CACHED_TOKENS = 10_000
"""A worker's cache of checked tokens; without it each request pays a signature check, and the edge loses 40 %."""


def strip_headers(auth: AuthOptions) -> EarlyHeaderMutation:
    """Drop every header of ours and Envoy's that a client sent, and make it the request of whoever needs no token."""
    return EarlyHeaderMutation(
        mutations=[
            HeaderMutation(
                remove_on_match=HeaderMutationRemoveOnMatch(key_matcher=StringMatcher(prefix=prefix, ignore_case=True))
            )
            for prefix in (HEADER_PREFIX, ENVOYS_PREFIX)
        ]
        + [HeaderMutation(append=overwrite(TENANT_HEADER, auth.public_tenant or PUBLIC_TENANT))]
    )


def overwrite(name: str, value: str) -> HeaderValueOption:
    """A header that has this one value, whatever it had."""
    return HeaderValueOption(
        header=HeaderValue(key=name, value=value),
        append_action=HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
    )


def check_tokens(auth: AuthOptions) -> JwtAuthentication:
    """Check the token of every request to `TOKEN_PATHS`, and choose the route again with its tenant known.

    An issuer has a provider for each place where a token may stand, and a request is checked in one place alone: two
    tokens at once could make it two tenants'.
    """
    used = {each.name: each for path in TOKEN_PATHS for each in _places(path, auth)}
    return JwtAuthentication(
        providers={
            _provider_name(issuer, place): _provider(issuer, place, auth)
            for place in used.values()
            for issuer in auth.issuers
        },
        rules=[
            RequirementRule(match=place.match(path), requires=_requirement(path, place, auth))
            for path in TOKEN_PATHS
            for place in _places(path, auth)
        ],
    )


def _places(path: str, auth: AuthOptions) -> Iterable[Place]:
    return places(auth) if path == _WEBSOCKETS else (HEADER,)


def _provider_name(issuer: IssuerOptions, place: Place) -> str:
    return f"{issuer.issuer} {place.name}"


def _provider(issuer: IssuerOptions, place: Place, auth: AuthOptions) -> JwtProvider:
    if not issuer.jwks:
        raise ValueError(f"issuer {issuer.issuer}: its keys are not known; its tokens can't be checked")
    return JwtProvider(
        issuer=issuer.issuer,
        audiences=list(issuer.audiences),
        require_expiration=True,
        local_jwks=DataSource(inline_string=issuer.jwks),
        forward=True,
        # One is always set: else Envoy would also look in the query string, and from there tokens get into logs.
        from_headers=list(place.headers),
        from_params=list(place.parameters),
        from_cookies=list(place.cookies),
        payload_in_metadata=PAYLOAD_PATH[0],
        clock_skew_seconds=auth.clock_skew_seconds,
        jwt_cache_config=JwtCacheConfig(jwt_cache_size=_CACHED_TOKENS, jwt_max_token_size=auth.token_bytes),
        claim_to_headers=[_claim_to_header(header, path) for header, path in _claims(issuer, auth)],
        clear_route_cache=True,
    )


def _claims(issuer: IssuerOptions, auth: AuthOptions) -> Iterable[tuple[str, tuple[str, ...]]]:
    yield TENANT_HEADER, issuer.tenant_claim
    yield SUBJECT_HEADER, ("sub",)
    if auth.cell_bound is not CellBound.OFF:
        yield CELL_CLAIM_HEADER, issuer.cell_claim


def _claim_to_header(header: str, path: tuple[str, ...]) -> JwtClaimToHeader:
    if not any("." in part for part in path):
        return JwtClaimToHeader(header_name=header, claim_name=".".join(path))
    # Envoy splits `claim_name` at dots. What it has for this, `claim_path`, envoy-data-plane does not know yet: field 3
    # of JwtClaimToHeader, messages with the field `key` = 1 (jwt_authn/v3/config.proto of Envoy 1.40).
    parts = b"".join(field(3, field(1, part.encode())) for part in path)
    return JwtClaimToHeader.parse(field(1, header.encode()) + parts)


def _requirement(path: str, place: Place, auth: AuthOptions) -> JwtRequirement:
    any_of = [JwtRequirement(provider_name=_provider_name(issuer, place)) for issuer in auth.issuers]
    if auth.mode is AuthMode.OPTIONAL and path != _OPERATORS:
        any_of.append(JwtRequirement(allow_missing=Empty()))
    return any_of[0] if len(any_of) == 1 else JwtRequirement(requires_any=JwtRequirementOrList(requirements=any_of))
