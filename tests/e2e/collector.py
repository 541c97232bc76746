"""A real OTLP receiver, by gRPC: what a collector of traces is sent."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from xds.demo.ports import LOOPBACK

_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"


class Collector:
    """The spans that have come, by their request's id."""

    def __init__(self) -> None:
        self._attributes: dict[str, Mapping[str, str]] = {}
        self.resources: list[Mapping[str, str]] = []
        self.spans: list[Span] = []
        self._came = asyncio.Condition()

    async def export(self, request: ExportTraceServiceRequest, _context: object) -> ExportTraceServiceResponse:
        """Take spans."""
        for of_resource in request.resource_spans:
            self.resources.append({each.key: each.value.string_value for each in of_resource.resource.attributes})
            for span in (span for scope in of_resource.scope_spans for span in scope.spans):
                held = {each.key: each.value.string_value for each in span.attributes}
                self._attributes[held["guid:x-request-id"]] = held
                self.spans.append(span)
        async with self._came:
            self._came.notify_all()
        return ExportTraceServiceResponse()

    async def attributes(self, request_id: str) -> Mapping[str, str]:
        """The attributes of a request's span, waited for."""
        async with asyncio.timeout(15), self._came:
            await self._came.wait_for(lambda: request_id in self._attributes)
        return self._attributes[request_id]


@asynccontextmanager
async def collecting(port: int) -> AsyncIterator[Collector]:
    """A collector that listens on `port` while the context lasts."""
    collector = Collector()
    handler = grpc.unary_unary_rpc_method_handler(
        collector.export,
        request_deserializer=ExportTraceServiceRequest.FromString,
        response_serializer=ExportTraceServiceResponse.SerializeToString,
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"Export": handler}),))
    server.add_insecure_port(f"{LOOPBACK}:{port}")
    await server.start()
    try:
        yield collector
    finally:
        await server.stop(1)
