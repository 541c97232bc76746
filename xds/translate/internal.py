"""The way in for callers inside the platform, who name the cell that they want.

They prove who they are by mutual TLS, so what they say in our headers is believed: the cell, and the tenant and
subject for whom they call. No token is asked for. Knows nothing about tenants.
"""

from collections.abc import Iterable

from envoy_data_plane.envoy.config.core.v3 import (
    DataSource,
    Http2ProtocolOptions,
    HttpProtocolOptions,
    HttpProtocolOptionsHeadersWithUnderscoresAction,
    TransportSocket,
)
from envoy_data_plane.envoy.config.listener.v3 import Filter, FilterChain, Listener
from envoy_data_plane.envoy.config.route.v3 import (
    HeaderMatcher,
    RetryPolicy,
    Route,
    RouteConfiguration,
    RouteMatch,
    VirtualHost,
)
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import (
    HttpConnectionManager,
    HttpConnectionManagerUpgradeConfig,
    HttpFilter,
    Rds,
)
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import (
    CertificateValidationContext,
    CommonTlsContext,
    DownstreamTlsContext,
    SubjectAltNameMatcher,
    SubjectAltNameMatcherSanType,
    TlsCertificate,
)
from envoy_data_plane.envoy.type.matcher.v3 import StringMatcher

from xds.model import Cell
from xds.names import NodeGroup
from xds.snapshot import field
from xds.translate.authentication import CELL_HEADER, overwrite
from xds.translate.listeners import local_replies
from xds.translate.messages import over_ads, pack, socket_address, unlimited
from xds.translate.naming import INTERNAL_LISTENER, INTERNAL_ROUTES, cell_cluster
from xds.translate.options import EdgeOptions, InternalOptions
from xds.translate.refusals import RETRY_AFTER_SECONDS, direct, no_trace

STAT_PREFIX = "internal_http"

_RETRY_ON = "connect-failure,refused-stream"
_ROUTES_FIELD = 3
"""`routes` in envoy/config/route/v3/route_components.proto, VirtualHost."""


def listener(group: NodeGroup, internal: InternalOptions, options: EdgeOptions) -> Listener:
    """The listener of a node group's Envoys; a caller without a certificate that is allowed gets no connection."""
    manager = Filter(
        name="envoy.filters.network.http_connection_manager", typed_config=pack(_connection_manager(options))
    )
    tls = TransportSocket(name="envoy.transport_sockets.tls", typed_config=pack(_mutual_tls(internal)))
    return Listener(
        name=INTERNAL_LISTENER,
        address=socket_address(*internal.listeners[group]),
        filter_chains=[FilterChain(filters=[manager], transport_socket=tls)],
        per_connection_buffer_limit_bytes=options.connection.buffer_bytes,
    )


def cell_routes(cell: Cell, options: EdgeOptions) -> bytes:
    """A cell's part of the route table, encoded once: a table of a thousand cells is joined, not made anew."""
    if not cell.state.takes_traffic:
        refusal = Route(
            match=_named(cell, RouteMatch(prefix="/")),
            direct_response=direct(503, "the cell is not in service"),
            response_headers_to_add=[overwrite("retry-after", str(RETRY_AFTER_SECONDS))],
        )
        return field(_ROUTES_FIELD, bytes(refusal))
    limits = options.connection
    websocket = unlimited(cell_cluster(cell.id), limits.connection_idle_timeout)
    request = unlimited(cell_cluster(cell.id), limits.silence_timeout)
    routes = [
        Route(match=_named(cell, RouteMatch(path_separated_prefix="/ws")), route=websocket),
        Route(match=_named(cell, RouteMatch(prefix="/")), route=request),
    ]
    return b"".join(field(_ROUTES_FIELD, bytes(route)) for route in routes)


def table(cells: Iterable[bytes], options: EdgeOptions) -> bytes:
    """The encoded route table of these cells' parts; a name that is none is 404, and no name 400."""
    host = VirtualHost(
        name=INTERNAL_ROUTES,
        domains=["*"],
        routes=[no_trace()],
        retry_policy=RetryPolicy(retry_on=_RETRY_ON, num_retries=options.cluster.retries),
    )
    named = RouteMatch(prefix="/", headers=[HeaderMatcher(name=CELL_HEADER, present_match=True)])
    rest = [
        Route(match=named, direct_response=direct(404, "no such cell")),
        Route(match=RouteMatch(path="/healthz"), direct_response=direct(200, "ok")),
        Route(match=RouteMatch(prefix="/"), direct_response=direct(400, f"{CELL_HEADER} is required")),
    ]
    # Encoded messages one after the other are one message: repeated fields go on, the others are said once.
    encoded = bytes(host) + b"".join(cells) + bytes(VirtualHost(routes=rest))
    return bytes(RouteConfiguration(name=INTERNAL_ROUTES)) + field(2, encoded)


def _named(cell: Cell, match: RouteMatch) -> RouteMatch:
    match.headers = [HeaderMatcher(name=CELL_HEADER, string_match=StringMatcher(exact=cell.id))]
    return match


def _connection_manager(options: EdgeOptions) -> HttpConnectionManager:
    limits = options.connection
    return HttpConnectionManager(
        stat_prefix=STAT_PREFIX,
        rds=Rds(config_source=over_ads(), route_config_name=INTERNAL_ROUTES),
        http_filters=[
            HttpFilter(name="envoy.filters.http.router", typed_config=pack(Router(suppress_envoy_headers=True)))
        ],
        upgrade_configs=[HttpConnectionManagerUpgradeConfig(upgrade_type="websocket")],
        local_reply_config=local_replies(options),
        use_remote_address=True,
        preserve_external_request_id=True,
        normalize_path=True,
        merge_slashes=True,
        request_headers_timeout=limits.request_headers_timeout,
        stream_idle_timeout=limits.stream_idle_timeout,
        common_http_protocol_options=HttpProtocolOptions(
            idle_timeout=limits.connection_idle_timeout,
            headers_with_underscores_action=HttpProtocolOptionsHeadersWithUnderscoresAction.REJECT_REQUEST,
        ),
        http2_protocol_options=Http2ProtocolOptions(
            max_concurrent_streams=limits.max_concurrent_streams,
            initial_stream_window_size=limits.stream_window_bytes,
            initial_connection_window_size=limits.connection_window_bytes,
            allow_connect=True,
        ),
    )


def _mutual_tls(internal: InternalOptions) -> DownstreamTlsContext:
    certificate = TlsCertificate(
        certificate_chain=DataSource(filename=internal.certificate_file),
        private_key=DataSource(filename=internal.key_file),
    )
    callers = CertificateValidationContext(
        trusted_ca=DataSource(filename=internal.ca_file),
        match_typed_subject_alt_names=[_caller(san) for san in internal.allowed_sans],
    )
    return DownstreamTlsContext(
        require_client_certificate=True,
        common_tls_context=CommonTlsContext(
            tls_certificates=[certificate], validation_context=callers, alpn_protocols=["h2", "http/1.1"]
        ),
    )


def _caller(san: str) -> SubjectAltNameMatcher:
    kind = SubjectAltNameMatcherSanType.URI if "://" in san else SubjectAltNameMatcherSanType.DNS
    return SubjectAltNameMatcher(san_type=kind, matcher=StringMatcher(exact=san))
