"""The listener that faces the users, with its HTTP connection manager.

It names no cell and no tenant: those come by scopes and routes, so that it need not change, and drain, for them.
"""

from collections.abc import Iterator

from envoy_data_plane.envoy.config.accesslog.v3 import (
    AccessLogFilter,
    ComparisonFilter,
    ComparisonFilterOp,
    ResponseFlagFilter,
    StatusCodeFilter,
)
from envoy_data_plane.envoy.config.core.v3 import (
    DataSource,
    ExtensionConfigSource,
    Http2ProtocolOptions,
    HttpProtocolOptions,
    HttpProtocolOptionsHeadersWithUnderscoresAction,
    RuntimeUInt32,
    SubstitutionFormatString,
    TypedExtensionConfig,
)
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
from envoy_data_plane.envoy.extensions.filters.http.header_mutation.v3 import HeaderMutation
from envoy_data_plane.envoy.extensions.filters.http.jwt_authn.v3 import JwtAuthentication
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpConnectionManagerPathWithEscapedSlashesAction,
    HttpConnectionManagerUpgradeConfig,
    HttpFilter,
    LocalReplyConfig,
    ResponseMapper,
    ScopedRds,
    ScopedRoutes,
    ScopedRoutesScopeKeyBuilder,
    ScopedRoutesScopeKeyBuilderFragmentBuilder,
    ScopedRoutesScopeKeyBuilderFragmentBuilderHeaderValueExtractor,
)
from envoy_data_plane.google.protobuf import Struct

from xds.translate.authentication import ANONYMOUS_FILTER, JWT_FILTER, TENANT_HEADER, strip_headers
from xds.translate.callout import callout_filter, unanswered
from xds.translate.forwarding import forget_proxies
from xds.translate.messages import over_ads, pack, socket_address
from xds.translate.naming import EDGE_LISTENER, TENANT_SCOPES
from xds.translate.operators import operators_filter
from xds.translate.options import AuthMode, AuthOptions, ConnectionOptions, EdgeOptions
from xds.translate.places import hide_tokens
from xds.translate.privacy import privacy_filter
from xds.translate.refusals import unknown_tenant
from xds.translate.unwritable import unwritable_claim

STAT_PREFIX = "ingress_http"
SERVER_NAME = "alphaswarm-edge"
"""What every answer says in `server`, whatever the upstream said."""


def edge(address: tuple[str, int], options: EdgeOptions) -> Listener:
    """The edge's listener at `address`."""
    manager = Filter(
        name="envoy.filters.network.http_connection_manager", typed_config=pack(_connection_manager(options))
    )
    return Listener(
        name=EDGE_LISTENER,
        address=socket_address(*address),
        filter_chains=[FilterChain(filters=[manager])],
        per_connection_buffer_limit_bytes=options.connection.buffer_bytes,
    )


def _connection_manager(options: EdgeOptions) -> HttpConnectionManager:
    limits = options.connection
    early = strip_headers(options.auth)
    early.mutations = [*forget_proxies(limits.trusted_hops), *early.mutations]
    return HttpConnectionManager(
        stat_prefix=STAT_PREFIX,
        scoped_routes=_scoped_routes(),
        early_header_mutation_extensions=[
            TypedExtensionConfig(name="envoy.http.early_header_mutation.header_mutation", typed_config=pack(early))
        ],
        http_filters=[
            *_token_filters(options.auth),
            privacy_filter(),
            HttpFilter(name="envoy.filters.http.router", typed_config=pack(Router(suppress_envoy_headers=True))),
        ],
        # Not on the /ws routes: whether a request may upgrade is decided by its first route, and that is the
        # public tenant's, before its token is looked at.
        upgrade_configs=[HttpConnectionManagerUpgradeConfig(upgrade_type="websocket")],
        local_reply_config=local_replies(options),
        use_remote_address=True,
        xff_num_trusted_hops=limits.trusted_hops,
        server_name=SERVER_NAME,
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action=HttpConnectionManagerPathWithEscapedSlashesAction.UNESCAPE_AND_REDIRECT,
        max_request_headers_kb=-(-options.auth.token_bytes // 1024) + limits.other_headers_kb,
        request_headers_timeout=limits.request_headers_timeout,
        request_timeout=limits.request_timeout,
        stream_idle_timeout=limits.stream_idle_timeout,
        common_http_protocol_options=_of_every_protocol(limits),
        http2_protocol_options=_of_http2(limits),
    )


def _of_every_protocol(limits: ConnectionOptions) -> HttpProtocolOptions:
    return HttpProtocolOptions(
        idle_timeout=limits.connection_idle_timeout,
        max_headers_count=limits.max_headers,
        # Backends that fold "_" into "-" would take x_alphaswarm_cell for ours.
        headers_with_underscores_action=HttpProtocolOptionsHeadersWithUnderscoresAction.REJECT_REQUEST,
    )


def _of_http2(limits: ConnectionOptions) -> Http2ProtocolOptions:
    return Http2ProtocolOptions(
        max_concurrent_streams=limits.max_concurrent_streams,
        initial_stream_window_size=limits.stream_window_bytes,
        initial_connection_window_size=limits.connection_window_bytes,
        allow_connect=True,
    )


def _token_filters(auth: AuthOptions) -> Iterator[HttpFilter]:
    """What becomes of a token: checked, an operator's looked at, asked about, and hidden where it does not belong."""
    if auth.mode is AuthMode.OFF:
        return
    # A change of keys would else change the listener, and so drain every connection. There is no default config on
    # purpose: until the first comes, the listener warms, and refuses.
    check = ExtensionConfigSource(config_source=over_ads(), type_urls=[pack(JwtAuthentication()).type_url])
    yield HttpFilter(name=JWT_FILTER, config_discovery=check)
    yield operators_filter()
    if auth.callout is not None:
        yield callout_filter(auth.callout)
    hidden = hide_tokens(auth)
    if hidden is not None:
        yield HttpFilter(name="envoy.filters.http.lua", typed_config=pack(hidden))
    if auth.admits_anonymous:
        # A cell's routes have it name the tenant, and so not before a token that names none has lost its route.
        yield HttpFilter(name=ANONYMOUS_FILTER, typed_config=pack(HeaderMutation()))


def _scoped_routes() -> ScopedRoutes:
    # With no separator and index 0, the whole header is the key: a comma in it can't choose another tenant.
    whole_value = ScopedRoutesScopeKeyBuilderFragmentBuilderHeaderValueExtractor(name=TENANT_HEADER, index=0)
    return ScopedRoutes(
        name=TENANT_SCOPES,
        scope_key_builder=ScopedRoutesScopeKeyBuilder(
            fragments=[ScopedRoutesScopeKeyBuilderFragmentBuilder(header_value_extractor=whole_value)]
        ),
        rds_config_source=over_ads(),
        scoped_rds=ScopedRds(scoped_rds_config_source=over_ads()),
    )


def local_replies(options: EdgeOptions) -> LocalReplyConfig:
    """Every answer of Envoy's own is JSON; a tenant that has no scope is unknown, and refused."""
    unknown = ResponseMapper(
        filter=AccessLogFilter(response_flag_filter=ResponseFlagFilter(flags=["NR"])),
        status_code=403,
        body=DataSource(inline_string=unknown_tenant(options)),
    )
    healthy = ResponseMapper(
        filter=AccessLogFilter(
            status_code_filter=StatusCodeFilter(
                comparison=ComparisonFilter(
                    op=ComparisonFilterOp.EQ,
                    value=RuntimeUInt32(default_value=200, runtime_key="alphaswarm.edge.healthy_status"),
                )
            )
        ),
        body_format_override=_json(status="%LOCAL_REPLY_BODY%"),
    )
    return LocalReplyConfig(
        mappers=[unknown, healthy, unwritable_claim(), *([unanswered()] if options.auth.callout else [])],
        body_format=_json(status="%RESPONSE_CODE%", error="%LOCAL_REPLY_BODY%", request_id="%REQ(X-REQUEST-ID)%"),
    )


def _json(**fields: str) -> SubstitutionFormatString:
    return SubstitutionFormatString(json_format=Struct.from_dict(fields))
