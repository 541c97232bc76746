"""One table: the protobuf file says what it says, so that neither face can drift from the other."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from xds.control import OPERATIONS, Operation
from xds.control.rollouts import RolloutView
from xds.control.watching import FleetChange, SnapshotEvent
from xds.operations.operators import Role
from xds.server.control import NAME, SERVICE, WATCHES

PROTOS = Path(__file__).parents[3] / "protos"
NAMES = [each.name for each in OPERATIONS]


def _shape_in(info: FieldInfo | Any) -> type[BaseModel] | None:
    """The shape that a field's type has somewhere inside."""
    kind = getattr(info, "annotation", info)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    inner = (_shape_in(each) for each in getattr(kind, "__args__", ()))
    return next((each for each in inner if each is not None), None)


def _told(shape: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields by the names that callers know."""
    return {info.alias or name: info for name, info in shape.model_fields.items()}


def _assert_same(shape: type[BaseModel], message: Any) -> None:
    told = _told(shape)
    assert set(told) == {field.name for field in message.fields}, (shape.__name__, message.full_name)
    for field in message.fields:
        info = told[field.name]
        inner = _shape_in(info)
        if inner is not None:
            _assert_same(inner, field.message_type)
        is_optional = type(None) in getattr(info.annotation, "__args__", ())
        if is_optional:
            assert field.has_presence, f"{message.full_name}.{field.name} can be absent"


@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
def test_an_operation_has_a_grpc_method_with_the_same_fields(operation: Operation[Any, Any]) -> None:
    method = SERVICE.methods_by_name[operation.name]
    _assert_same(operation.request, method.input_type)
    _assert_same(operation.answer, method.output_type)
    assert not method.server_streaming


@pytest.mark.parametrize(
    ("name", "shape"),
    [("WatchFleet", FleetChange), ("WatchSnapshots", SnapshotEvent), ("WatchRollout", RolloutView)],
)
def test_what_can_be_followed_has_one_too(name: str, shape: type[BaseModel]) -> None:
    method = SERVICE.methods_by_name[name]
    assert method.server_streaming
    _assert_same(shape, method.output_type)


def test_the_service_has_no_other_method() -> None:
    assert {method.name for method in SERVICE.methods} == {*NAMES, *WATCHES}


@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
def test_a_field_with_a_default_can_be_left_out_of_a_message(operation: Operation[Any, Any]) -> None:
    """Else its absence and its zero would be the same bytes, and the zero would be lost."""
    message = SERVICE.methods_by_name[operation.name].input_type
    for name, info in _told(operation.request).items():
        field = message.fields_by_name[name]
        assert info.is_required() or field.has_presence or field.is_repeated, name


def test_each_is_there_once_and_below_manage() -> None:
    assert len(set(NAMES)) == len({(each.method, each.path) for each in OPERATIONS}) == len(OPERATIONS)
    assert all(each.path.startswith("/manage/") for each in OPERATIONS)


@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
def test_whoever_may_only_look_changes_nothing(operation: Operation[Any, Any]) -> None:
    assert (operation.role is Role.READ) == (operation.method == "GET")
    assert not (operation.is_conditional and operation.role is Role.READ)
    assert set(operation.path_fields) <= set(operation.request.model_fields)


def test_what_is_replaced_says_what_was_seen() -> None:
    changes = [each for each in OPERATIONS if each.role is Role.OPERATE]
    assert {each.name for each in changes if not each.is_conditional} == {
        *("AddCell", "AddTenant"),  # nothing is there
        *("MoveTenants", "MoveEach", "MoveShare"),  # wherever they are
        *("Rehearse", "RehearseDrain", "CheckSnapshot"),  # nothing is changed
        "EvacuateNow",  # there is no time, and no registry, to look
    }


def test_the_generated_messages_are_of_the_protobuf_file_as_it_is(tmp_path: Path) -> None:
    """`make proto` was not forgotten."""
    made = tmp_path / "made"
    arguments = ["-I", PROTOS, f"--descriptor_set_out={made}", PROTOS / "xds/control/v1/control.proto"]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", *map(str, arguments)], check=True, timeout=60)
    (file,) = descriptor_pb2.FileDescriptorSet.FromString(made.read_bytes()).file
    known = descriptor_pb2.FileDescriptorProto()
    SERVICE.file.CopyToProto(known)
    for each in (*file.message_type, *known.message_type):
        for field in each.field:
            field.ClearField("json_name")
    assert known == file
    assert NAME == "alphaswarm.xds.control.v1.Control"
