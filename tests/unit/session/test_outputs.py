"""Outputs are plain values that a reader can take apart."""

import dataclasses
from typing import assert_never, get_args

import pytest

from xds.names import Nonce
from xds.session import Acked, Ignored, Nacked, Output, Respond, Violated

RESPOND = Respond(
    type_url="t", nonce=Nonce("1"), frame=b"", version_info="v", snapshot=1, resources=0, removed=0, cause="request"
)
ACKED = Acked(type_url="t", nonce=Nonce("1"), version_info="v", snapshot=1)
NACKED = Nacked(type_url="t", nonce=Nonce("1"), version_info="v", snapshot=1, error="no", changes={})
IGNORED = Ignored(type_url="t", nonce=Nonce("1"), reason="old")
VIOLATED = Violated(reason="why")
ALL: tuple[Output, ...] = (RESPOND, ACKED, NACKED, IGNORED, VIOLATED)


def kind(output: Output) -> str:
    match output:
        case Respond():
            return "respond"
        case Acked() | Nacked() | Ignored():
            return "note"
        case Violated():
            return "end"
        case _:
            assert_never(output)


def test_every_output_is_one_of_five_kinds() -> None:
    assert {type(output) for output in ALL} == set(get_args(Output))
    assert [kind(output) for output in ALL] == ["respond", "note", "note", "note", "end"]


@pytest.mark.parametrize("output", ALL, ids=kind)
def test_an_output_is_an_immutable_value(output: Output) -> None:
    assert output == dataclasses.replace(output)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(output, dataclasses.fields(output)[0].name, "other")
