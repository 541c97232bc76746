"""The control service: every operation as a method, and what can be followed, for operators.

Messages are envoy-data-plane's kind (betterproto2), made of protos/xds/control/v1; the descriptors in them are what
gRPC's reflection tells. What can be asked is the table's business, and who may, that of `operators`.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import betterproto2
import grpc
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from xds.control import OPERATIONS, Control, Operation, Parts, watch_fleet, watch_rollout, watch_snapshots
from xds.errors import XdsError
from xds.operations.operators import Role
from xds.proto.typed.alphaswarm.xds.control import v1
from xds.proto.typed.google_proto_descriptor_pool import default_google_proto_descriptor_pool
from xds.server import status
from xds.server.operators import Operators
from xds.server.status import Ending
from xds.telemetry import get_logger

_FILE = "xds/control/v1/control.proto"
SERVICE: Any = default_google_proto_descriptor_pool.FindFileByName(_FILE).services_by_name["Control"]
NAME: str = SERVICE.full_name

Watch = Callable[[Parts, Callable[[], bool]], AsyncIterator[Any]]
WATCHES: Mapping[str, Watch] = {
    "WatchFleet": watch_fleet,
    "WatchRollout": watch_rollout,
    "WatchSnapshots": watch_snapshots,
}

_log = get_logger()


class ControlService:
    """Has `control` perform what `operators` ask."""

    def __init__(self, control: Control, operators: Operators) -> None:
        self.operators = operators
        self._control = control
        self._is_draining = False

    def handlers(self) -> Any:  # noqa: ANN401 -- grpc has no types
        """The service, for a gRPC server; bytes in, bytes out. Makes its messages known to reflection."""
        describe()
        methods = {each.name: grpc.unary_unary_rpc_method_handler(self._unary(each)) for each in OPERATIONS}
        watches = {name: grpc.unary_stream_rpc_method_handler(self._watch(name)) for name in WATCHES}
        return grpc.method_handlers_generic_handler(NAME, {**methods, **watches})

    def drain(self) -> None:
        """End the watches; their clients come back, here or elsewhere."""
        self._is_draining = True

    def _unary(self, operation: Operation[Any, Any]) -> Callable[[bytes, Any], Any]:
        async def answer(data: bytes, context: Any) -> bytes:  # noqa: ANN401
            by = await self._admit(context, operation.role, operation.name)
            try:
                told = await self._control.perform(operation, await _decode(operation.name, data, context), by)
            except XdsError as error:
                await context.abort(status.code_of(error), str(error))
                raise  # never reached: an abort raises
            return to_bytes(operation.name, told)

        return answer

    def _watch(self, name: str) -> Callable[[bytes, Any], AsyncIterator[bytes]]:
        async def follow(data: bytes, context: Any) -> AsyncIterator[bytes]:  # noqa: ANN401
            await self._admit(context, Role.READ, name)
            await _decode(name, data, context)
            async for event in WATCHES[name](self._control.parts, lambda: self._is_draining):
                # Anew: a watch outlives its token by no message.
                await self._admit(context, Role.READ, name)
                yield to_bytes(name, event)

        return follow

    async def _admit(self, context: Any, role: Role, method: str) -> str:  # noqa: ANN401
        admitted = self.operators.admit(context, role)
        if isinstance(admitted, Ending):
            _log.warning("call.refused", method=f"/{NAME}/{method}", peer=context.peer(), text=admitted.text)
            await context.abort(admitted.code, admitted.text)
        assert isinstance(admitted, str), "an abort raises"
        return admitted


def describe() -> None:
    """Have the files of the control service in the pool that reflection tells of; more than once does no harm."""
    for name in (*(each.name for each in SERVICE.file.dependencies), _FILE):
        text = default_google_proto_descriptor_pool.FindFileByName(name).serialized_pb
        descriptor_pool.Default().AddSerializedFile(text)


def to_bytes(method: str, told: Any) -> bytes:  # noqa: ANN401
    """An answer as the message that a method answers with."""
    kind: type[betterproto2.Message] = getattr(v1, SERVICE.methods_by_name[method].output_type.name)
    return bytes(kind.from_dict(told.model_dump(mode="json", exclude_none=True)))


def from_bytes(method: str, data: bytes) -> dict[str, Any]:
    """The fields that are set in a method's request; raises `DecodeError`."""
    described = SERVICE.methods_by_name[method].input_type
    # betterproto2 takes a message that is cut short for one that is empty, and an empty one may mean something.
    message_factory.GetMessageClass(described).FromString(data)
    kind: type[betterproto2.Message] = getattr(v1, described.name)
    fields: dict[str, Any] = kind.parse(data).to_dict(
        casing=betterproto2.Casing.SNAKE, output_format=betterproto2.OutputFormat.PYTHON
    )
    return fields


async def _decode(method: str, data: bytes, context: Any) -> dict[str, Any]:  # noqa: ANN401
    try:
        return from_bytes(method, data)
    except (DecodeError, ValueError):
        name = SERVICE.methods_by_name[method].input_type.name
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{len(data)} bytes that are no {name}")
        raise  # never reached: an abort raises
