"""The listener that faces the users, with its HTTP connection manager.

It names no cell and no tenant: those come by scopes and routes, so that it need not change, and drain, for them.
"""

from envoy_data_plane.envoy.config.accesslog.v3 import (
    AccessLogFilter,
    ComparisonFilter,
    ComparisonFilterOp,
    ResponseFlagFilter,
    StatusCodeFilter,
)
from envoy_data_plane.envoy.config.core.v3 import (
    DataSource,
    Http2ProtocolOptions,
    HttpProtocolOptions,
    HttpProtocolOptionsHeadersWithUnderscoresAction,
    RuntimeUInt32,
    SubstitutionFormatString,
    TypedExtensionConfig,
)
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
from envoy_data_plane.envoy.extensions.filters.http.rbac.v3 import Rbac
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

from xds.translate.authentication import JWT_FILTER, TENANT_HEADER, check_tokens, strip_headers
from xds.translate.callout import callout_filter, let_opaque_pass, unanswered
from xds.translate.cellbound import RBAC_FILTER
from xds.translate.messages import over_ads, pack, socket_address
from xds.translate.naming import EDGE_LISTENER, TENANT_SCOPES
from xds.translate.options import AuthOptions, EdgeOptions

STAT_PREFIX = "ingress_http"


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
    return HttpConnectionManager(
        stat_prefix=STAT_PREFIX,
        scoped_routes=_scoped_routes(),
        early_header_mutation_extensions=[
            TypedExtensionConfig(
                name="envoy.http.early_header_mutation.header_mutation", typed_config=pack(strip_headers())
            )
        ],
        http_filters=[
            *_token_filters(options.auth),
            HttpFilter(name=RBAC_FILTER, typed_config=pack(Rbac())),
            HttpFilter(name="envoy.filters.http.router", typed_config=pack(Router(suppress_envoy_headers=True))),
        ],
        # Not on the /ws routes: whether a request may upgrade is decided by its first route, and that is the
        # public tenant's, before its token is looked at.
        upgrade_configs=[HttpConnectionManagerUpgradeConfig(upgrade_type="websocket")],
        local_reply_config=_local_replies(options.auth),
        use_remote_address=True,
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action=HttpConnectionManagerPathWithEscapedSlashesAction.UNESCAPE_AND_REDIRECT,
        request_headers_timeout=limits.request_headers_timeout,
        stream_idle_timeout=limits.stream_idle_timeout,
        common_http_protocol_options=HttpProtocolOptions(
            idle_timeout=limits.connection_idle_timeout,
            # Backends that fold "_" into "-" would take x_alphaswarm_cell for ours.
            headers_with_underscores_action=HttpProtocolOptionsHeadersWithUnderscoresAction.REJECT_REQUEST,
        ),
        http2_protocol_options=Http2ProtocolOptions(
            max_concurrent_streams=limits.max_concurrent_streams,
            initial_stream_window_size=limits.stream_window_bytes,
            initial_connection_window_size=limits.connection_window_bytes,
            allow_connect=True,
        ),
    )


def _token_filters(auth: AuthOptions) -> list[HttpFilter]:
    """Who sets the tenant: the check of tokens, and the callout if there is one."""
    check = let_opaque_pass(check_tokens(auth), auth.callout)
    asked = [callout_filter(auth.callout)] if auth.callout else []
    return [HttpFilter(name=JWT_FILTER, typed_config=pack(check)), *asked]


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


def _local_replies(auth: AuthOptions) -> LocalReplyConfig:
    """Every answer of Envoy's own is JSON; a tenant that has no scope is unknown, and refused."""
    unknown = ResponseMapper(
        filter=AccessLogFilter(response_flag_filter=ResponseFlagFilter(flags=["NR"])),
        status_code=403,
        body=DataSource(inline_string="the tenant is unknown"),
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
        mappers=[unknown, healthy, *([unanswered()] if auth.callout else [])],
        body_format=_json(status="%RESPONSE_CODE%", error="%LOCAL_REPLY_BODY%", request_id="%REQ(X-REQUEST-ID)%"),
    )


def _json(**fields: str) -> SubstitutionFormatString:
    return SubstitutionFormatString(json_format=Struct.from_dict(fields))
