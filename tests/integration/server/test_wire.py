"""Requests from bytes: what protobuf's own encoder wrote, and what is no message at all."""

from typing import Any, cast

import pytest
from envoy_data_plane.envoy.config.core.v3 import Locality
from envoy_data_plane.envoy.config.core.v3 import Node as FullNode
from envoy_data_plane.envoy.service.discovery.v3 import (
    DeltaDiscoveryRequest,
    DiscoveryRequest,
    ResourceLocator,
)
from envoy_data_plane.google.protobuf import Struct, Value
from google.protobuf.empty_pb2 import Empty
from google.protobuf.unknown_fields import UnknownFieldSet

from tests.integration.server.ads import RESPONSES, VARIANTS, Client, ControlPlane, Variant, client
from tests.support.edge import GROUP, SHARED, cell, tenant
from xds.names import TypeUrl
from xds.proto import discovery_pb2 as pb
from xds.server.wire import Garbage, decode_delta, decode_sotw
from xds.session import DeltaRequest, Node, SotwRequest
from xds.snapshot import field

ENVOY = pb.Node(
    id="edge-1",
    cluster="alphaswarm-edge",
    user_agent_name="envoy",
    user_agent_build_version=pb.BuildVersion(version=pb.SemanticVersion(major_number=1, minor_number=40, patch=0)),
)


@pytest.mark.parametrize("variant", VARIANTS)
def test_what_waves_choose_by_is_read_of_a_node(variant: Variant) -> None:
    node = FullNode(
        id="edge-1",
        cluster="edge",
        locality=Locality(region="eu", zone="eu-1a", sub_zone="rack 7"),
        metadata=Struct(
            fields={
                "tier": Value(string_value="canary"),
                "weight": Value(number_value=7),
                "old": Value(bool_value=True),
            }
        ),
    )
    message = (DeltaDiscoveryRequest if variant == "delta" else DiscoveryRequest)(type_url="type", node=node)
    read, _ = (decode_delta if variant == "delta" else decode_sotw)(bytes(message))

    assert read is not None
    assert (read.region, read.zone, read.labels) == ("eu", "eu-1a", {"tier": "canary"})


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


# What the protocol has and no server may depend on

LOCATORS = [ResourceLocator(name="elsewhere", dynamic_parameters={"zone": "a"})]
FOREIGN = b"\xc8\x3e\x63" + b"\xd2\x3e\x02hi" + b"\xd9\x3e" + bytes(8) + b"\xe5\x3e" + bytes(4)
"""Fields 1001 to 1004 of a message, one of each wire type: what a client of another version may add."""

ODD_ADDRESS = field(12, field(1, b"\x08\x63"))
"""More of a node: it listens at an address whose protocol is number 99 of an enumeration of two."""

FULL_NODE = FullNode(id="edge-1", cluster=GROUP)


def with_more(variant: Variant, type_url: str, names: tuple[str, ...] = (), nonce: str = "") -> bytes:
    """A request for these names that says all that is not to be read, too."""
    if variant == "delta":
        delta = DeltaDiscoveryRequest(
            node=FULL_NODE,
            type_url=type_url,
            resource_names_subscribe=[*names],
            resource_locators_subscribe=LOCATORS,
            resource_locators_unsubscribe=LOCATORS,
            response_nonce=nonce,
        )
        return bytes(delta) + field(1, ODD_ADDRESS) + FOREIGN
    sotw = DiscoveryRequest(
        node=FULL_NODE, type_url=type_url, resource_names=[*names], resource_locators=LOCATORS, response_nonce=nonce
    )
    return bytes(sotw) + field(2, ODD_ADDRESS) + FOREIGN


def test_rule_45_what_is_not_to_be_depended_on_is_read_as_if_it_were_not_there() -> None:
    node = Node(id="edge-1", group=GROUP)  # type: ignore[arg-type]  # plain texts

    assert decode_delta(with_more("delta", "t", ("a",), "7")) == (
        node,
        DeltaRequest(type_url="t", nonce="7", subscribe=("a",)),
    )
    assert decode_sotw(with_more("sotw", "t", ("a",), "7")) == (
        node,
        SotwRequest(type_url="t", nonce="7", names=("a",)),
    )


@pytest.mark.parametrize("variant", VARIANTS)
async def test_rule_45_a_request_with_locators_asks_for_nothing_by_them(plane: ControlPlane, variant: Variant) -> None:
    async with client(plane, variant) as plain, client(plane, variant) as full:
        await plain.open()
        await full.send_bytes(with_more(variant, TypeUrl.CLUSTER))

        assert await plain.read_bytes() == await full.read_bytes()


@pytest.mark.parametrize("variant", VARIANTS)
async def test_rule_45_responses_have_no_field_that_is_not_to_be_depended_on(
    plane: ControlPlane, variant: Variant
) -> None:
    said: list[bytes] = []

    async def hear(envoy: Client) -> Any:
        said.append(cast(bytes, await envoy.read_bytes()))
        return RESPONSES[variant].FromString(said[-1])

    named = "resource_names_subscribe" if variant == "delta" else "resource_names"
    async with client(plane, variant) as envoy:
        await envoy.open()
        await envoy.ack(await hear(envoy))
        await envoy.send(TypeUrl.ENDPOINT, **{named: [f"{SHARED}-api", "no-such-api"]})
        await hear(envoy)
        await plane.publish(cell("cell-b"), tenant())
        await hear(envoy)

    # Version, resources, type and nonce, and in delta removals: no canary (3), control_plane or resource_errors.
    seen = {number for data in said for number, _ in fields(data)}
    assert seen == ({1, 2, 4, 5, 6} if variant == "delta" else {1, 2, 4, 5})
    if variant == "delta":
        wrapped = [content for data in said for number, content in fields(data) if number == 2]
        inside = {number for content in wrapped for number, _ in fields(content)}
        assert inside == {1, 2, 3}, "version, resource and name: no cache_control (7)"


def fields(data: bytes) -> list[tuple[int, bytes]]:
    """The fields of a message, by number."""
    unknown: Any = UnknownFieldSet(Empty.FromString(data))
    return [(each.field_number, each.data) for each in unknown]
