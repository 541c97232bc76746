"""The one hand-written piece of the wire format, held against protobuf."""

import pytest
from google.protobuf.wrappers_pb2 import BytesValue
from hypothesis import given, settings
from hypothesis import strategies as st

from xds.proto import discovery_pb2 as pb
from xds.snapshot import field


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
