"""Requests from bytes: what protobuf's own encoder wrote, and what is no message at all."""

import pytest

from xds.proto import discovery_pb2 as pb
from xds.server.wire import Garbage, decode_delta, decode_sotw
from xds.session import DeltaRequest, Node, SotwRequest

ENVOY = pb.Node(
    id="edge-1",
    cluster="alphaswarm-edge",
    user_agent_name="envoy",
    user_agent_build_version=pb.BuildVersion(version=pb.SemanticVersion(major_number=1, minor_number=40, patch=0)),
)


def test_a_delta_request_is_read_in_full() -> None:
    message = pb.DeltaDiscoveryRequest(
        node=ENVOY,
        type_url="type",
        resource_names_subscribe=["a", "b"],
        resource_names_unsubscribe=["c"],
        initial_resource_versions={"a": "1"},
        response_nonce="7",
        error_detail=pb.ErrorDetail(code=13, message="no"),
    )

    assert decode_delta(message.SerializeToString()) == (
        Node(id="edge-1", group="alphaswarm-edge", user_agent="envoy 1.40.0"),  # type: ignore[arg-type]  # plain texts
        DeltaRequest(
            type_url="type", nonce="7", error="no", subscribe=("a", "b"), unsubscribe=("c",), known={"a": "1"}
        ),
    )


def test_a_sotw_request_is_read_in_full() -> None:
    message = pb.DiscoveryRequest(
        version_info="v", node=ENVOY, resource_names=["a"], type_url="type", response_nonce="7"
    )

    node, request = decode_sotw(message.SerializeToString())
    assert node is not None
    assert request == SotwRequest(type_url="type", nonce="7", names=("a",), version_info="v")


def test_an_error_without_words_is_still_a_rejection() -> None:
    message = pb.DeltaDiscoveryRequest(type_url="type", error_detail=pb.ErrorDetail())

    assert decode_delta(message.SerializeToString())[1].error == ""


def test_no_bytes_are_a_request_that_says_nothing() -> None:
    assert decode_delta(b"") == (None, DeltaRequest(type_url=""))
    assert decode_sotw(b"") == (None, SotwRequest(type_url=""))


def test_a_user_agent_without_a_build_has_its_own_version() -> None:
    node = pb.Node(id="edge-1", user_agent_name="grpc", user_agent_version="2")

    held = decode_delta(pb.DeltaDiscoveryRequest(node=node).SerializeToString())[0]
    assert held is not None
    assert held.user_agent == "grpc 2"


@pytest.mark.parametrize("decode", [decode_delta, decode_sotw])
@pytest.mark.parametrize("data", [b"\xff", b"\x0a\xff", b"\x12\x05ab", b"{}", b"\x12\x02\xff\xfe"])
def test_bytes_that_are_no_request_are_garbage(decode: object, data: bytes) -> None:
    assert callable(decode)
    with pytest.raises(Garbage, match=rf"^{len(data)} bytes that are no \w+DiscoveryRequest$|DiscoveryRequest$"):
        decode(data)
