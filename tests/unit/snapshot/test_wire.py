"""The hand-written pieces of the wire format, held against protobuf."""

import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from hypothesis import given, settings
from hypothesis import strategies as st

from xds.proto import discovery_pb2 as pb
from xds.snapshot import field
from xds.snapshot.wire import without


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152])
def test_a_field_of_any_length_is_encoded_as_protobuf_does(size: int) -> None:
    value = b"x" * size

    assert BytesValue.FromString(field(1, value)).value == value
    if size:
        assert field(1, value) == BytesValue(value=value).SerializeToString()


@settings(deadline=None)
@given(st.text(), st.text())
def test_fields_are_told_apart_by_their_numbers(nonce: str, version: str) -> None:
    message = pb.DiscoveryResponse.FromString(field(5, nonce.encode()) + field(1, version.encode()))

    assert (message.nonce, message.version_info) == (nonce, version)


def test_the_highest_number_of_a_one_byte_tag() -> None:
    assert field(15, b"x") == bytes((0x7A, 1)) + b"x"


@settings(deadline=None)
@given(st.text(min_size=1), st.text(min_size=1), st.lists(st.text()), st.integers(min_value=1, max_value=2**31 - 1))
def test_fields_are_left_out_by_their_numbers_and_the_others_stay(
    version: str, node: str, names: list[str], code: int
) -> None:
    message = pb.DiscoveryRequest(version_info=version, resource_names=names, type_url="t")
    message.node.id = node
    message.error_detail.code = code
    encoded = message.SerializeToString()

    left = pb.DiscoveryRequest.FromString(without(encoded, {1, 3}))

    assert (left.version_info, list(left.resource_names)) == ("", [])
    assert (left.node.id, left.type_url, left.error_detail.code) == (node, "t", code)
    assert without(encoded, ()) == encoded


def test_fields_of_every_wire_type_are_passed_over() -> None:
    fixed = b"\x09" + b"8bytes!!" + b"\x15" + b"4byt" + b"\x18\x96\x01"  # fields 1, 2 and 3

    assert without(fixed + field(4, b"x"), {4}) == fixed
    assert without(fixed + field(4, b"x"), {1, 2, 3}) == field(4, b"x")


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(ValueError, match="wire type 3: expected 0, 1, 2 or 5"):
        without(b"\x0b", ())
