"""The gRPC server: listens, hands streams their work, stops gently.

Knows nothing about what the streams say.
"""

import asyncio
import itertools
import random
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from xds.errors import LocalFailure
from xds.server import clientstatus, control, extauthz, status
from xds.server.admission import TokenBucket, age_of_end
from xds.server.authorisation import OperatorsOnly
from xds.server.clientstatus import ClientStatus
from xds.server.control import ControlService
from xds.server.extauthz import Authorization
from xds.server.fetch import fetch
from xds.server.operators import Operators
from xds.server.services import SERVICES, Kind, Service
from xds.server.status import Ending
from xds.server.stream import Stream, Surroundings
from xds.server.variants import DELTA, SOTW, VariantParts
from xds.settingvalues import Address
from xds.telemetry import EndReason, get_logger

_DISCOVERY = tuple(service.name for service in SERVICES)
_NAMES = (*_DISCOVERY, clientstatus.NAME)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """How the server treats its connections; times are in seconds."""

    receive_bytes: int = 256 << 20
    """An Envoy that reconnects says all it holds in one message: 39 MB at a million resources."""

    keepalive_seconds: float = 30
    keepalive_timeout_seconds: float = 10
    pending_requests: int = 100_000
    """With gRPC's default a tenth of 3,000 Envoys that connect at once are refused."""

    streams_per_second: float = 500
    stream_burst: int = 500
    admission_seconds: float = 10
    """How long a new stream may wait for its turn. Envoy waits 15 s for a first answer before it goes on without."""

    stream_max_age_seconds: float = 0
    """When a stream is ended so that load spreads over replicas, ±10 %; 0 for never."""

    def channel_arguments(self) -> list[tuple[str, int]]:
        """The same in gRPC's terms."""
        return [
            ("grpc.so_reuseport", 0),  # a taken port is an error, not a second server on it
            ("grpc.max_receive_message_length", self.receive_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.keepalive_time_ms", round(self.keepalive_seconds * 1000)),
            ("grpc.keepalive_timeout_ms", round(self.keepalive_timeout_seconds * 1000)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
            # Envoys ping too: don't end their connections for it.
            ("grpc.http2.min_ping_interval_without_data_ms", 5000),
            ("grpc.server.max_pending_requests", self.pending_requests),
            ("grpc.server.max_pending_requests_hard_limit", self.pending_requests),
        ]


class AdsServer:
    """Serves every discovery service, client status, gRPC health and reflection, from `start` to `stop`.

    And `authorization` and `control`, if there are such.
    """

    def __init__(
        self,
        listen: Address,
        around: Surroundings,
        options: ServerOptions | None = None,
        authorization: Authorization | None = None,
        control_service: ControlService | None = None,
    ) -> None:
        self._listen = listen
        self._around = around
        self._options = options or ServerOptions()
        self._authorization = authorization
        self._control = control_service
        asked = ((extauthz.NAME,) if authorization else ()) + ((control.NAME,) if control_service else ())
        self._names = (*_NAMES, *asked)
        # Who may be which node, the discovery services ask themselves, as the control service asks who is an operator;
        # health tells nothing, and a callout only what whoever has the token may know.
        is_open = (*_DISCOVERY, *asked, health.SERVICE_NAME)
        guards = (OperatorsOnly(self._operators(), is_open),) if around.tls else ()
        self._server = grpc.aio.server(interceptors=guards, options=self._options.channel_arguments())
        self._bucket = TokenBucket(
            self._options.streams_per_second, self._options.stream_burst, self._options.admission_seconds
        )
        self._health = health.aio.HealthServicer()
        self._streams: set[Stream] = set()
        self._ids = itertools.count(1)
        self._is_draining = False
        self._log = get_logger()

    async def start(self) -> Address:
        """Listen; returns the bound address.

        Raises `LocalFailure` where the port is taken, and `SettingsError` where the certificate can't be used.
        """
        self._server.add_generic_rpc_handlers(
            (*map(self._handlers, SERVICES), ClientStatus(self._around.fleet).handlers())
        )
        if self._authorization:
            self._server.add_generic_rpc_handlers((self._authorization.handlers(),))
        if self._control:
            self._server.add_generic_rpc_handlers((self._control.handlers(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)
        await self.set_serving(serving=False)
        port = self._bind()
        await self._server.start()
        return Address(self._listen.host, port)

    def _operators(self) -> Operators:
        tls = self._around.tls
        return self._control.operators if self._control else Operators(access=tls.access if tls else None)

    def _bind(self) -> int:
        where, tls = str(self._listen), self._around.tls
        credentials = tls.certificates.credentials() if tls else grpc.insecure_server_credentials()
        try:
            return int(self._server.add_secure_port(where, credentials))
        except RuntimeError as error:
            guess = (
                "is the port taken, or the certificate of a kind that gRPC can't use?" if tls else "is the port taken?"
            )
            raise LocalFailure(f"XDS_LISTEN: cannot listen on {where}; {guess}") from error

    async def set_serving(self, *, serving: bool) -> None:
        """Tell gRPC health whether Envoys are served."""
        state = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", *self._names):
            await self._health.set(name, state)

    async def stop(self, seconds: float) -> None:
        """Take no more streams and end the present ones; Envoys keep their config and reconnect.

        The ends are spread over `seconds`, so that a fleet doesn't come back all at once.
        """
        self._is_draining = True
        if self._control:
            self._control.drain()
        await self.set_serving(serving=False)
        loop = asyncio.get_running_loop()
        streams = list(self._streams)
        window = seconds if len(streams) > 1 else 0
        for stream in streams:
            loop.call_later(random.uniform(0, window), stream.end, status.DRAINED)  # noqa: S311 -- only spreads load
        # gRPC waits for the streams to end, and cuts off what is left.
        await self._server.stop(grace=window + 1)

    def _handlers(self, service: Service) -> Any:  # noqa: ANN401 -- grpc has no types
        methods = {name: self._handler(service, kind) for name, kind in service.methods()}
        return grpc.method_handlers_generic_handler(service.name, methods)

    def _handler(self, service: Service, kind: Kind) -> Any:  # noqa: ANN401
        # No (de)serialisers: bytes in, bytes out.
        if kind == "fetch":

            async def answer(data: bytes, context: Any) -> bytes:  # noqa: ANN401
                return await self._fetch(service, data, context)

            return grpc.unary_unary_rpc_method_handler(answer)

        variant = DELTA if kind == "delta" else SOTW

        async def serve(_requests: Any, context: Any) -> None:  # noqa: ANN401
            await self._serve(service, variant, context)

        return grpc.stream_stream_rpc_method_handler(serve)

    async def _fetch(self, service: Service, data: bytes, context: Any) -> bytes:  # noqa: ANN401
        wait = self._bucket.take(asyncio.get_running_loop().time())
        if wait:
            await asyncio.sleep(wait)
        answer = status.CROWDED if wait is None else fetch(service, data, context, self._around)
        if isinstance(answer, Ending):
            note = self._log.warning if answer.is_alarming else self._log.info
            note("fetch.refused", service=service.short_name, peer=context.peer(), text=answer.text)
            await _finish(context, answer)
            return b""  # never reached: an abort raises
        return answer

    async def _serve(self, service: Service, variant: VariantParts, context: Any) -> None:  # noqa: ANN401
        log = self._log.bind(stream_id=next(self._ids), variant=variant.name, service=service.short_name)
        stream = Stream(service, variant, context, self._around, log)
        self._around.metrics.open_stream(variant.name)
        self._streams.add(stream)
        reason: EndReason = "failed"
        try:
            ending = status.DRAINED if self._is_draining else await self._run(stream)
            reason = ending.reason
        except asyncio.CancelledError:
            reason = "reset"
            raise  # grpc leaks what it holds for a handler that swallows this (grpc issue 43360)
        finally:
            self._streams.discard(stream)
            self._around.metrics.end_stream(variant.name, reason)
        await _finish(context, ending)

    async def _run(self, stream: Stream) -> Ending:
        """Serve the stream when its turn has come, and see to its end by age."""
        loop = asyncio.get_running_loop()
        wait = self._bucket.take(loop.time())
        if wait is None:
            self._log.info("stream.refused", reason=status.CROWDED.reason, text=status.CROWDED.text)
            return status.CROWDED
        if wait:
            await stream.wait(wait)
        age = age_of_end(self._options.stream_max_age_seconds, random.random())  # noqa: S311 -- only spreads load
        timer = None if age is None else loop.call_later(age, stream.retire)
        try:
            return await stream.run()
        finally:
            if timer:
                timer.cancel()


async def _finish(context: Any, ending: Ending) -> None:  # noqa: ANN401
    if ending.code is not grpc.StatusCode.OK:
        await context.abort(ending.code, ending.text)
