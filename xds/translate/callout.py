"""The callout: whom Envoy asks about session tokens that are no JWT, and which requests it asks about.

One filter decides which: the check of tokens. What it finds to be no JWT it lets pass with a note of that, and only
what has the note is asked about. Nobody else can set the tenant; so what slips past both has none, and is refused.
"""

from envoy_data_plane.envoy.config.accesslog.v3 import (
    AccessLogFilter,
    AndFilter,
    ComparisonFilter,
    ComparisonFilterOp,
    ResponseFlagFilter,
    StatusCodeFilter,
)
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutationRules
from envoy_data_plane.envoy.config.core.v3 import (
    ApiVersion,
    DataSource,
    GrpcService,
    GrpcServiceEnvoyGrpc,
    RuntimeUInt32,
)
from envoy_data_plane.envoy.config.route.v3 import HeaderMatcher, RouteMatch
from envoy_data_plane.envoy.extensions.filters.http.ext_authz.v3 import ExtAuthz
from envoy_data_plane.envoy.extensions.filters.http.jwt_authn.v3 import (
    JwtAuthentication,
    JwtHeader,
    JwtProvider,
    JwtRequirement,
    JwtRequirementOrList,
    RequirementRule,
)
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpFilter, ResponseMapper
from envoy_data_plane.envoy.type.matcher.v3 import (
    ListStringMatcher,
    MetadataMatcher,
    MetadataMatcherPathSegment,
    RegexMatcher,
    StringMatcher,
    ValueMatcher,
)
from envoy_data_plane.envoy.type.v3 import HttpStatus, StatusCode
from envoy_data_plane.google.protobuf import Empty

from xds.bootstrap import XDS_CLUSTER
from xds.opaque import OPAQUE_BEARER
from xds.translate.authentication import PAYLOAD_NAMESPACE, TENANT_HEADER, overwrite
from xds.translate.messages import pack
from xds.translate.naming import CALLOUT_CLUSTER
from xds.translate.options import CalloutOptions

CALLOUT_FILTER = "envoy.filters.http.ext_authz"
STAT_PREFIX = "callout"

OPAQUE_PATHS = ("/api", "/ws")
"""Where a session token may speak for a tenant. Operators have JWTs."""

RETRY_AFTER_SECONDS = 1

_PROVIDER = "opaque"
_NOTE = "opaque"


def let_opaque_pass(check: JwtAuthentication, callout: CalloutOptions | None) -> JwtAuthentication:
    """The check of tokens, which lets a bearer token that is no JWT pass, with a note; the same without a callout.

    The note is what Envoy itself says of a token that it can't read. Of a request that has both a JWT and an opaque
    token, each in a header of its own, nothing is opaque. No claim is read: a JWT here would still have no tenant.
    """
    if callout is None:
        return check
    # One of an issuer's own, for its keys: Envoy takes no provider without any.
    known = next(iter(check.providers.values()))
    check.providers[_PROVIDER] = JwtProvider(
        issuer=known.issuer,
        audiences=list(known.audiences),
        local_jwks=known.local_jwks,
        forward=True,
        from_headers=[JwtHeader(name="Authorization", value_prefix="Bearer ")],
        failed_status_in_metadata=_NOTE,
    )
    check.rules = [*(RequirementRule(match=_opaque(path), requires=_noted()) for path in OPAQUE_PATHS), *check.rules]
    return check


def _opaque(path: str) -> RouteMatch:
    bearer = HeaderMatcher(
        name="authorization", string_match=StringMatcher(safe_regex=RegexMatcher(regex=OPAQUE_BEARER))
    )
    return RouteMatch(path_separated_prefix=path, headers=[bearer])


def _noted() -> JwtRequirement:
    # The provider first: without it nothing is noted.
    either = [JwtRequirement(provider_name=_PROVIDER), JwtRequirement(allow_missing_or_failed=Empty())]
    return JwtRequirement(requires_any=JwtRequirementOrList(requirements=either))


def callout_filter(callout: CalloutOptions) -> HttpFilter:
    """The filter that asks, and takes the tenant from the answer and nothing else."""
    authz = ExtAuthz(
        grpc_service=GrpcService(
            envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=CALLOUT_CLUSTER if callout.address else XDS_CLUSTER),
            timeout=callout.timeout,
        ),
        transport_api_version=ApiVersion.V3,
        failure_mode_allow=False,
        status_on_error=HttpStatus(code=StatusCode.ServiceUnavailable),
        filter_enabled_metadata=MetadataMatcher(
            filter=PAYLOAD_NAMESPACE,
            path=[MetadataMatcherPathSegment(key=key) for key in (_NOTE, "code")],
            value=ValueMatcher(present_match=True),
        ),
        allowed_headers=ListStringMatcher(patterns=[StringMatcher(exact="authorization", ignore_case=True)]),
        clear_route_cache=True,
        decoder_header_mutation_rules=HeaderMutationRules(
            disallow_all=True, allow_expression=RegexMatcher(regex=TENANT_HEADER), disallow_is_error=True
        ),
        enable_dynamic_metadata_ingestion=False,
        validate_mutations=True,
        stat_prefix=STAT_PREFIX,
    )
    return HttpFilter(name=CALLOUT_FILTER, typed_config=pack(authz))


def unanswered() -> ResponseMapper:
    """What a request is told when the callout is down, late or at a loss: to come again."""
    failed = ComparisonFilter(
        op=ComparisonFilterOp.EQ,
        value=RuntimeUInt32(default_value=503, runtime_key="alphaswarm.edge.unanswered_status"),
    )
    both = AndFilter(
        filters=[
            AccessLogFilter(response_flag_filter=ResponseFlagFilter(flags=["UAEX"])),
            AccessLogFilter(status_code_filter=StatusCodeFilter(comparison=failed)),
        ]
    )
    return ResponseMapper(
        filter=AccessLogFilter(and_filter=both),
        body=DataSource(inline_string="the token cannot be checked now"),
        headers_to_add=[overwrite("retry-after", str(RETRY_AFTER_SECONDS))],
    )
