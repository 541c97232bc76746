"""A client of the client status service that reads Envoy's own messages, as envoy-data-plane has them."""

import asyncio
from collections.abc import Mapping
from typing import Any

from envoy_data_plane.envoy.service.status.v3 import (
    ClientConfigGenericXdsConfig,
    ClientStatusRequest,
    ClientStatusResponse,
    ConfigStatus,
)

from tests.integration.server.ads import (
    SECONDS,
    Client,
    ControlPlane,
    connection,
)
from tests.support.edge import SHARED
from xds.model import UpstreamProtocol
from xds.names import TypeUrl
from xds.proto import status_pb2
from xds.server.clientstatus import NAME

API = f"{SHARED}-api"
NEWER = UpstreamProtocol.HTTP2

Key = tuple[str, str]


async def fetch(plane: ControlPlane, request: ClientStatusRequest | None = None) -> ClientStatusResponse:
    return ClientStatusResponse.parse(await fetch_bytes(plane, bytes(request or ClientStatusRequest())))


async def fetch_bytes(plane: ControlPlane, data: bytes) -> bytes:
    async with connection(plane) as channel:
        call: Any = channel.unary_unary(f"/{NAME}/FetchClientStatus")
        answer: bytes = await call(data, timeout=SECONDS)
        return answer


async def resources(plane: ControlPlane) -> Mapping[Key, ClientConfigGenericXdsConfig]:
    """Everything that is told of the only stream."""
    (config,) = (await fetch(plane)).config
    return {(each.type_url, each.name): each for each in config.generic_xds_configs}


async def cluster(plane: ControlPlane) -> ClientConfigGenericXdsConfig:
    return (await resources(plane))[TypeUrl.CLUSTER, API]


async def told_as(plane: ControlPlane, name: str, status: ConfigStatus) -> ClientConfigGenericXdsConfig:
    """A cluster of the only stream, as soon as that is its status."""
    async with asyncio.timeout(SECONDS):
        while True:
            told = (await resources(plane)).get((TypeUrl.CLUSTER, name))
            if told and told.config_status is status:
                return told


async def acknowledged(plane: ControlPlane) -> str:
    """The version that the client acknowledged last of its cluster: a field that only our own messages have."""
    response = status_pb2.ClientStatusResponse.FromString(await fetch_bytes(plane, b""))
    (version,) = (each.acknowledged_version_info for each in response.config[0].generic_xds_configs if each.name == API)
    return str(version)


async def open_and_accept(envoy: Client) -> Any:
    await envoy.open()
    response = await envoy.read()
    await envoy.ack(response)
    return response
