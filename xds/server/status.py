"""Why a stream or call ends, and the gRPC status that says so to its client. The only such tables."""

from dataclasses import dataclass

import grpc

from xds.errors import Conflict, NotFound, RegistryError, RequestError, Stale, XdsError
from xds.telemetry import EndReason

_CODES: tuple[tuple[type[XdsError], grpc.StatusCode], ...] = (
    (NotFound, grpc.StatusCode.NOT_FOUND),
    (Stale, grpc.StatusCode.ABORTED),
    (Conflict, grpc.StatusCode.FAILED_PRECONDITION),
    (RequestError, grpc.StatusCode.INVALID_ARGUMENT),
    (RegistryError, grpc.StatusCode.UNAVAILABLE),
)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a stream ends. OK for what is nobody's fault: the client comes back, here or elsewhere."""

    reason: EndReason
    code: grpc.StatusCode
    text: str = ""

    @property
    def is_alarming(self) -> bool:
        """Whether somebody should look: a client that may not what it asks is an attack, or a mistake of ours."""
        return self.code is grpc.StatusCode.PERMISSION_DENIED


CLOSED = Ending("closed", grpc.StatusCode.OK)
DRAINED = Ending("drained", grpc.StatusCode.OK)
NOT_READY = Ending("refused", grpc.StatusCode.UNAVAILABLE, "no snapshot is published yet")
SILENT = Ending("refused", grpc.StatusCode.DEADLINE_EXCEEDED, "no request came on the stream")
TOO_SLOW = Ending("failed", grpc.StatusCode.DEADLINE_EXCEEDED, "the client took too long to read a response")
AGED = Ending("drained", grpc.StatusCode.OK, "the stream has reached its age")
CROWDED = Ending("refused", grpc.StatusCode.RESOURCE_EXHAUSTED, "more streams wait than can be served in time")
LOST = Ending("reset", grpc.StatusCode.OK, "the connection was lost")


def violated(text: str) -> Ending:
    """The client broke the protocol."""
    return Ending("refused", grpc.StatusCode.INVALID_ARGUMENT, text)


def forbidden(text: str) -> Ending:
    """The client's certificate is not good for what it asks."""
    return Ending("refused", grpc.StatusCode.PERMISSION_DENIED, text)


def unauthenticated(text: str) -> Ending:
    """The client has not proven who it is."""
    return Ending("refused", grpc.StatusCode.UNAUTHENTICATED, text)


def code_of(error: XdsError) -> grpc.StatusCode:
    """What an operation's failure is to its caller."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)


def unknown_group(group: str, known: tuple[str, ...]) -> Ending:
    """The client belongs to a node group that has no config."""
    text = f"node group (the node's cluster) {group!r} is not configured; configured: {', '.join(sorted(known))}"
    return Ending("refused", grpc.StatusCode.FAILED_PRECONDITION, text)
