"""Which node the client of a call may be, by its certificate; and the guard of what only operators may ask.

Asks `xds.identities`. On a channel in plain text nothing is asked: whoever reaches it is trusted.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import grpc

from xds.operations.operators import Role
from xds.server import status
from xds.server.operators import Operators, sans_of
from xds.server.status import Ending
from xds.server.tls import Tls
from xds.session import Node
from xds.telemetry import get_logger


def refuse_node(tls: Tls | None, context: Any, node: Node) -> Ending | None:  # noqa: ANN401 -- grpc has no types
    """How the call is to end because its client may not be this node; None if it may."""
    refusal = tls.access.refuse_node(sans_of(context), node.id, node.group) if tls else None
    return status.forbidden(refusal) if refusal else None


class OperatorsOnly(grpc.aio.ServerInterceptor):  # type: ignore[misc]  # grpc has no types
    """Has every service but those in `open_to_all` answer operators only."""

    def __init__(self, operators: Operators, open_to_all: Iterable[str]) -> None:
        self._operators = operators
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
        refusal = self._operators.admit(context, Role.READ)
        if isinstance(refusal, Ending):
            self._log.warning("call.refused", method=method, peer=context.peer(), text=refusal.text)
            await context.abort(refusal.code, refusal.text)
