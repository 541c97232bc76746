"""Who sends a request: the checking of tokens, and the header that carries the outcome.

The tenant header is the scope key, so it is ours alone: whatever a client sends under our prefix is gone
before anything reads it.
"""

from collections.abc import Iterable
from dataclasses import replace

from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation, HeaderMutationRemoveOnMatch
from envoy_data_plane.envoy.config.core.v3 import (
    DataSource,
    HeaderValue,
    HeaderValueOption,
    HeaderValueOptionHeaderAppendAction,
)
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutationPerRoute, Mutations
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
from envoy_data_plane.google.protobuf import Any, Empty

from xds.names import PUBLIC_TENANT
from xds.snapshot import field
from xds.translate.messages import pack
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
ISSUER_HEADER = "x-alphaswarm-issuer"
"""The cell that a token is bound to, and who issued it: for the routes alone, no upstream sees them."""

JWT_FILTER: str = TOKEN_CHECK
PAYLOAD_NAMESPACE = "envoy.filters.http.jwt_authn"
PAYLOAD_PATH = ("payload",)
"""Where the claims of who may be an operator are, and nobody else's.

So nobody else's are ever asked for a role; and the copy of a payload costs Envoy more than all the rest does.
"""

ANONYMOUS_FILTER = "alphaswarm.anonymous"
MANAGE = "/manage"
"""Nobody operates anonymously."""

TOKEN_PATHS = ("/api", "/ws", MANAGE)
"""What can't be reached without a token."""

_WEBSOCKETS = "/ws"
_OPERATORS = replace(HEADER, name="operators")
"""The same header, for providers of its own."""

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
    if path == MANAGE:
        return (_OPERATORS,)
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
        payload_in_metadata=PAYLOAD_PATH[0] if place is _OPERATORS and issuer.operators else "",
        clock_skew_seconds=auth.clock_skew_seconds,
        jwt_cache_config=JwtCacheConfig(jwt_cache_size=_CACHED_TOKENS, jwt_max_token_size=auth.token_bytes),
        claim_to_headers=[_claim_to_header(header, path) for header, path in _claims(issuer, place, auth)],
        clear_route_cache=True,
    )


def for_routes_alone(auth: AuthOptions) -> list[str]:
    """The headers that the check of a tenant's token writes, and no cell is to see."""
    return [name for name, is_written in _FOR_ROUTES.items() if is_written(auth)]


def name_anonymous(auth: AuthOptions) -> dict[str, Any]:
    """A cell's config under which a request that has no tenant's name is told to be the anonymous one's.

    The check has removed the header, so that the route, chosen before it, is all that knows the tenant. With a token
    the route is chosen again, and one that names no tenant has none: so it is here, on routes, that it is said.
    """
    name = HeaderValueOption(
        header=HeaderValue(key=TENANT_HEADER, value=auth.public_tenant or PUBLIC_TENANT),
        append_action=HeaderValueOptionHeaderAppendAction.ADD_IF_ABSENT,
    )
    mutations = Mutations(request_mutations=[HeaderMutation(append=name)])
    return {ANONYMOUS_FILTER: pack(HeaderMutationPerRoute(mutations=mutations))}


def _is_cell_read(auth: AuthOptions) -> bool:
    return auth.mode is not AuthMode.OFF and auth.cell_bound is not CellBound.OFF


def _is_issuer_read(auth: AuthOptions) -> bool:
    # Envoy chooses the route again only if some claim became a header. A token with no claim that we read must not
    # keep the anonymous tenant's route; the one claim that none is without is its issuer.
    return auth.admits_anonymous


_FOR_ROUTES = {CELL_CLAIM_HEADER: _is_cell_read, ISSUER_HEADER: _is_issuer_read}


def _claims(issuer: IssuerOptions, place: Place, auth: AuthOptions) -> Iterable[tuple[str, tuple[str, ...]]]:
    yield TENANT_HEADER, issuer.tenant_claim
    yield SUBJECT_HEADER, ("sub",)
    if place is _OPERATORS:
        return
    paths = {CELL_CLAIM_HEADER: issuer.cell_claim, ISSUER_HEADER: ("iss",)}
    yield from ((name, paths[name]) for name in for_routes_alone(auth))


def _claim_to_header(header: str, path: tuple[str, ...]) -> JwtClaimToHeader:
    if not any("." in part for part in path):
        return JwtClaimToHeader(header_name=header, claim_name=".".join(path))
    # Envoy splits `claim_name` at dots. What it has for this, `claim_path`, envoy-data-plane does not know yet: field 3
    # of JwtClaimToHeader, messages with the field `key` = 1 (jwt_authn/v3/config.proto of Envoy 1.40).
    parts = b"".join(field(3, field(1, part.encode())) for part in path)
    return JwtClaimToHeader.parse(field(1, header.encode()) + parts)


def _requirement(path: str, place: Place, auth: AuthOptions) -> JwtRequirement:
    any_of = [JwtRequirement(provider_name=_provider_name(issuer, place)) for issuer in auth.issuers]
    if auth.mode is AuthMode.OPTIONAL and path != MANAGE:
        any_of.append(JwtRequirement(allow_missing=Empty()))
    return any_of[0] if len(any_of) == 1 else JwtRequirement(requires_any=JwtRequirementOrList(requirements=any_of))
