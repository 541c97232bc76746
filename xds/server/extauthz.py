"""Envoy's external authorization service: a request's header goes in, its tenant comes out, or a refusal.

Knows how both are written, nothing of how they are come by. An answer names a tenant, and never a cell.
"""

from collections.abc import Awaitable, Callable
from typing import Any, assert_never

import grpc
from google.protobuf.message import DecodeError

from xds.callout import Admitted, Refused, Undecided, Verdict
from xds.proto import external_auth_pb2 as pb
from xds.proto import header_pb2, http_status_pb2
from xds.translate import TENANT_HEADER

NAME = pb.DESCRIPTOR.services_by_name["Authorization"].full_name

Resolve = Callable[[str], Awaitable[Verdict]]
"""What becomes of a request with this `authorization` header."""

_STATUS_OF_CODE = {
    401: (grpc.StatusCode.UNAUTHENTICATED, http_status_pb2.Unauthorized),
    403: (grpc.StatusCode.PERMISSION_DENIED, http_status_pb2.Forbidden),
    503: (grpc.StatusCode.UNAVAILABLE, http_status_pb2.ServiceUnavailable),
}


class Authorization:
    """Answers what Envoy asks about a request."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve

    def handlers(self) -> Any:  # noqa: ANN401 -- grpc has no types
        """The service, for a gRPC server; bytes in, bytes out."""
        return grpc.method_handlers_generic_handler(NAME, {"Check": grpc.unary_unary_rpc_method_handler(self._check)})

    async def _check(self, data: bytes, context: Any) -> bytes:  # noqa: ANN401
        try:
            request = pb.CheckRequest.FromString(data)
        except DecodeError:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{len(data)} bytes that are no CheckRequest")
            raise  # never reached: an abort raises
        header = request.attributes.request.http.headers.get("authorization", "")
        return answer(await self._resolve(header)).SerializeToString()


def answer(verdict: Verdict) -> pb.CheckResponse:
    """What Envoy is told."""
    match verdict:
        case Admitted():
            tenant = _header(TENANT_HEADER, verdict.tenant)
            return pb.CheckResponse(status=pb.CheckStatus(), ok_response=pb.OkHttpResponse(headers=[tenant]))
        case Refused():
            return _denied(verdict.status, verdict.reason)
        case Undecided():
            return _denied(503, "the token cannot be checked now")
        case _:
            assert_never(verdict)


def _denied(status: int, text: str) -> pb.CheckResponse:
    code, http_status = _STATUS_OF_CODE[status]
    # RFC 6750, section 3.
    challenge = [_header("www-authenticate", 'Bearer error="invalid_token"')] if status == 401 else []
    return pb.CheckResponse(
        status=pb.CheckStatus(code=code.value[0]),
        denied_response=pb.DeniedHttpResponse(
            status=http_status_pb2.HttpStatus(code=http_status), headers=challenge, body=text
        ),
    )


def _header(name: str, value: str) -> header_pb2.HeaderValueOption:
    """A header that has this one value, whatever it had."""
    return header_pb2.HeaderValueOption(
        header=header_pb2.HeaderValue(key=name, value=value),
        append_action=header_pb2.HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
    )
