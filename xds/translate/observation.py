"""What the edge tells about requests: whose they were and which cell's, to a collector of traces and on stdout.

A request that no cell's route table took is `unresolved`, so that nothing at all can only mean a fault. No token is
told: neither its header is, nor a query string.
"""

from datetime import timedelta

from envoy_data_plane.envoy.config.accesslog.v3 import AccessLog
from envoy_data_plane.envoy.config.common.mutation_rules.v3 import HeaderMutation
from envoy_data_plane.envoy.config.core.v3 import (
    GrpcService,
    GrpcServiceEnvoyGrpc,
    Metadata,
    SubstitutionFormatString,
    TypedExtensionConfig,
)
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.config.trace.v3 import OpenTelemetryConfig, TracingHttp
from envoy_data_plane.envoy.extensions.access_loggers.stream.v3 import StdoutAccessLog
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManagerTracing
from envoy_data_plane.envoy.extensions.http.early_header_mutation.header_mutation.v3 import (
    HeaderMutation as EarlyHeaderMutation,
)
from envoy_data_plane.envoy.type.metadata.v3 import (
    MetadataKey,
    MetadataKeyPathSegment,
    MetadataKind,
    MetadataKindRoute,
)
from envoy_data_plane.envoy.type.tracing.v3 import CustomTag, CustomTagHeader, CustomTagMetadata
from envoy_data_plane.envoy.type.v3 import Percent
from envoy_data_plane.google.protobuf import Struct

from xds.names import CellId
from xds.translate.authentication import TENANT_HEADER
from xds.translate.messages import pack
from xds.translate.naming import COLLECTOR_CLUSTER
from xds.translate.options import ObservationOptions

UNRESOLVED = "unresolved"
CELL_ATTRIBUTE = "alphaswarm.cell.id"
TENANT_ATTRIBUTE = "alphaswarm.tenant.id"
SERVICE = "alphaswarm-edge"

_NAMESPACE = "alphaswarm"
_KEY = "cell"
_EXPORT_TIMEOUT = timedelta(seconds=1)

_CELL = (
    f"%CEL(has(xds.route_metadata) && has(xds.route_metadata.filter_metadata.{_NAMESPACE})"
    f" ? xds.route_metadata.filter_metadata.{_NAMESPACE}.{_KEY} : '{UNRESOLVED}')%"
)
_FIELDS = {
    "time": "%START_TIME%",
    "method": "%REQ(:METHOD)%",
    "authority": "%REQ(:AUTHORITY)%",
    "path": "%PATH(NQ)%",
    "protocol": "%PROTOCOL%",
    "status": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "cell": _CELL,
    "tenant": f"%REQ({TENANT_HEADER})%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "trace_id": "%TRACE_ID%",
    "upstream": "%UPSTREAM_HOST%",
    "cluster": "%UPSTREAM_CLUSTER%",
    "duration_ms": "%DURATION%",
    "bytes_received": "%BYTES_RECEIVED%",
    "bytes_sent": "%BYTES_SENT%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "user_agent": "%REQ(USER-AGENT)%",
}


def mark(table: RouteConfiguration, cell: CellId, options: ObservationOptions) -> RouteConfiguration:
    """Have every request that this table takes be told as the cell's, whether or not it is let through."""
    if options.tells_anybody:
        for host in table.virtual_hosts:
            for route in host.routes:
                route.metadata = Metadata(filter_metadata={_NAMESPACE: Struct.from_dict({_KEY: cell})})
    return table


def tracing(options: ObservationOptions) -> HttpConnectionManagerTracing | None:
    """Spans by OpenTelemetry; None without a collector. Whether a request is traced is never its client's choice."""
    if options.collector is None:
        return None
    collector = GrpcService(envoy_grpc=GrpcServiceEnvoyGrpc(cluster_name=COLLECTOR_CLUSTER), timeout=_EXPORT_TIMEOUT)
    provider = OpenTelemetryConfig(grpc_service=collector, service_name=SERVICE)
    return HttpConnectionManagerTracing(
        provider=TracingHttp(name="envoy.tracers.opentelemetry", typed_config=pack(provider)),
        client_sampling=Percent(value=0),
        random_sampling=Percent(value=options.sample_percent),
        overall_sampling=Percent(value=100),
        custom_tags=[_cell_tag(), _tenant_tag(), _url_tag()],
    )


def forget_parents(options: ObservationOptions) -> list[TypedExtensionConfig]:
    """Drop the trace that a client says its request is part of: it would decide what is traced."""
    if options.collector is None:
        return []
    dropped = EarlyHeaderMutation(mutations=[HeaderMutation(remove=name) for name in ("traceparent", "tracestate")])
    return [TypedExtensionConfig(name="alphaswarm.forget_parents", typed_config=pack(dropped))]


def access_log(options: ObservationOptions) -> list[AccessLog]:
    """A line of JSON a request, on Envoy's standard output."""
    if not options.access_log:
        return []
    written = StdoutAccessLog(
        log_format=SubstitutionFormatString(json_format=Struct.from_dict(_FIELDS)),
    )
    return [AccessLog(name="envoy.access_loggers.stdout", typed_config=pack(written))]


def _cell_tag() -> CustomTag:
    key = MetadataKey(key=_NAMESPACE, path=[MetadataKeyPathSegment(key=_KEY)])
    kind = MetadataKind(route=MetadataKindRoute())
    return CustomTag(
        tag=CELL_ATTRIBUTE, metadata=CustomTagMetadata(kind=kind, metadata_key=key, default_value=UNRESOLVED)
    )


def _tenant_tag() -> CustomTag:
    header = CustomTagHeader(name=TENANT_HEADER, default_value=UNRESOLVED)
    return CustomTag(tag=TENANT_ATTRIBUTE, request_header=header)


def _url_tag() -> CustomTag:
    """In place of Envoy's own `http.url`, which has the query string, and so may have a token."""
    return CustomTag(tag="http.url", value="%REQ(X-FORWARDED-PROTO)%://%REQ(:AUTHORITY)%%PATH(NQ)%")
