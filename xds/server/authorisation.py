"""What the client of a call may do, by its certificate.

Reads the certificate's names from gRPC and asks `xds.identities`. On a channel in plain text nothing is asked:
whoever reaches it is trusted.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import grpc

from xds.identities import Access
from xds.server import status
from xds.server.status import Ending
from xds.server.tls import Tls
from xds.session import Node
from xds.telemetry import get_logger


def refuse_node(tls: Tls | None, context: Any, node: Node) -> Ending | None:  # noqa: ANN401 -- grpc has no types
    """How the call is to end because its client may not be this node; None if it may."""
    refusal = tls.access.refuse_node(_sans(context), node.id, node.group) if tls else None
    return status.forbidden(refusal) if refusal else None


class OperatorsOnly(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Has every service but those in `open_to_all` answer operators only."""

    def __init__(self, access: Access, open_to_all: Iterable[str]) -> None:
        self._access = access
        self._open = frozenset(open_to_all)
        self._log = get_logger()

    async def intercept_service(
        self,
        continuation: Callable[[Any], Awaitable[Any]],
        details: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        """The handler of a call, which asks who calls first."""
        handler = await continuation(details)
        _, service, _ = details.method.split("/")
        return handler if handler is None or service in self._open else self._guarded(handler, details.method)

    def _guarded(self, handler: Any, method: str) -> Any:  # noqa: ANN401
        async def answer(request: Any, context: Any) -> Any:  # noqa: ANN401
            await self._check(context, method)
            return await handler.unary_unary(request, context)

        async def converse(requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: ANN401
            await self._check(context, method)
            async for response in handler.stream_stream(requests, context):
                yield response

        if handler.unary_unary:
            return handler._replace(unary_unary=answer)
        assert handler.stream_stream, f"{method} is of a kind that no guard is written for"
        return handler._replace(stream_stream=converse)

    async def _check(self, context: Any, method: str) -> None:  # noqa: ANN401
        refusal = self._access.refuse_operator(_sans(context))
        if refusal:
            self._log.warning("call.refused", method=method, peer=context.peer(), text=refusal)
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, refusal)


def _sans(context: Any) -> tuple[str, ...]:  # noqa: ANN401
    """The URI and DNS names in the client's certificate, which gRPC has verified."""
    proven = context.auth_context()
    names = (name for kind in ("peer_uri", "peer_dns") for name in proven.get(kind, ()))
    return tuple(name.decode(errors="backslashreplace") for name in names)
