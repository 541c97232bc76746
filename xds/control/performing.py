"""Performs operations: what is asked is checked, done, and noted, the same for each face.

Must not know who may ask what; whoever calls has found out.
"""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext

from pydantic import ValidationError

from xds.control.operation import A, Operation, Parts, Q
from xds.errors import RegistryUnavailable, RequestError
from xds.operations.operators import Role
from xds.telemetry import get_logger, redact

_AT_ONCE = 2
"""Operations at once: whoever asks leaves connections to the registry for the publisher."""

_FAULTS_SHOWN = 5
_VALUE_SHOWN = 80

_log = get_logger()


class Control:
    """Performs operations on `parts`."""

    def __init__(self, parts: Parts, *, seconds: float = 30.0) -> None:
        self.parts = parts
        self._seconds = seconds
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def perform(self, operation: Operation[Q, A], data: Mapping[str, object], by: str) -> A:
        """What the operation answers to the request that `data` is, asked by `by`.

        Raises what the operation raises: `RequestError` and its kin, `RegistryError`.
        """
        request = _read(operation.request, data)
        try:
            async with asyncio.timeout(self._seconds), self._turns if operation.needs_registry else nullcontext():
                answer = await operation.run(self.parts, request, by)
        except TimeoutError:
            raise RegistryUnavailable(f"{operation.name}: not done in {self._seconds:.0f} s") from None
        if operation.role is Role.OPERATE:
            asked = redact(request.model_dump(mode="json", exclude_none=True))
            _log.info("operation.performed", operation=operation.name, by=by, asked=asked)
        return answer


def _told(message: str) -> str:
    """What pydantic says, as a part of a sentence."""
    message = message.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]


def _got(given: object) -> str:
    """The value that is at fault, if it is one that can be told in a line."""
    if not isinstance(given, str | int | float):
        return ""
    text = repr(given)
    return f", got {text[:_VALUE_SHOWN]}" + ("…" if len(text) > _VALUE_SHOWN else "")


def _read(shape: type[Q], data: Mapping[str, object]) -> Q:
    try:
        return shape.model_validate(data)
    except ValidationError as error:
        faults = [
            f"{'.'.join(map(str, each['loc'])) or 'request'}: {_told(each['msg'])}{_got(each['input'])}"
            for each in error.errors(include_url=False, include_context=False)
        ]
        more = f"; and {len(faults) - _FAULTS_SHOWN} more" if len(faults) > _FAULTS_SHOWN else ""
        raise RequestError("; ".join(faults[:_FAULTS_SHOWN]) + more) from None
