"""Requests from bytes, for both variants.

Decoded by protobuf's C implementation, then made into the sessions' own values. Knows no rule of the protocol.
"""

from google.protobuf.message import DecodeError

from xds.names import NodeGroup, NodeId
from xds.proto import discovery_pb2 as pb
from xds.session import DeltaRequest, Node, SotwRequest


class Garbage(Exception):
    """The bytes are no message of the expected type."""


def decode_delta(data: bytes) -> tuple[Node | None, DeltaRequest]:
    """A DeltaDiscoveryRequest; raises `Garbage`."""
    message = pb.DeltaDiscoveryRequest()
    _parse(message, data)
    request = DeltaRequest(
        type_url=message.type_url,
        nonce=message.response_nonce,
        error=_error(message),
        subscribe=tuple(message.resource_names_subscribe),
        unsubscribe=tuple(message.resource_names_unsubscribe),
        known=dict(message.initial_resource_versions),
    )
    return _node(message), request


def decode_sotw(data: bytes) -> tuple[Node | None, SotwRequest]:
    """A DiscoveryRequest; raises `Garbage`."""
    message = pb.DiscoveryRequest()
    _parse(message, data)
    request = SotwRequest(
        type_url=message.type_url,
        nonce=message.response_nonce,
        error=_error(message),
        names=tuple(message.resource_names),
        version_info=message.version_info,
    )
    return _node(message), request


def _parse(message: pb.DeltaDiscoveryRequest | pb.DiscoveryRequest, data: bytes) -> None:
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise Garbage(f"{len(data)} bytes that are no {message.DESCRIPTOR.name}") from error


def _error(message: pb.DeltaDiscoveryRequest | pb.DiscoveryRequest) -> str | None:
    return message.error_detail.message if message.HasField("error_detail") else None


def _node(message: pb.DeltaDiscoveryRequest | pb.DiscoveryRequest) -> Node | None:
    if not message.HasField("node"):
        return None
    node = message.node
    version = node.user_agent_build_version.version
    build = f"{version.major_number}.{version.minor_number}.{version.patch}"
    agent = f"{node.user_agent_name} {node.user_agent_version or build}".strip() if node.user_agent_name else ""
    return Node(
        id=NodeId(node.id),
        group=NodeGroup(node.cluster),
        user_agent=agent,
        features=frozenset(node.client_features),
        region=node.locality.region,
        zone=node.locality.zone,
        labels={
            name: value.string_value
            for name, value in node.metadata.fields.items()
            if value.WhichOneof("kind") == "string_value"
        },
    )
