"""A real Envoy, and an ADS server of this process, whose snapshots a test publishes by hand.

So it can publish what no registry would lead to: a resource that Envoy alone finds fault with.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from tests.integration.server.ads import Variant
from tests.support.edge import AUDIENCE, GROUP, ISSUER, edge_options, topology
from xds.bootstrap import BootstrapOptions, bootstrap
from xds.demo.client import EdgeClient
from xds.demo.envoy import EnvoyProcess
from xds.demo.idp import IdentityProvider
from xds.demo.ports import LOOPBACK, free_port
from xds.model import Cell, Tenant
from xds.names import NodeId, ResourceName, TypeUrl
from xds.publish import Feed
from xds.server import AdsServer, Fleet, Surroundings
from xds.server.fleet import StreamRecord, TypeRecord
from xds.session import Limits, Progress
from xds.settingvalues import Address
from xds.snapshot import Frames, encode_resource
from xds.telemetry import Metrics
from xds.translate import ConnectionOptions, EdgeOptions, translate

WAIT_SECONDS = 2.0
"""For how long the server holds something back for an acknowledgement, then it goes: here less than its default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """What is appended to a resource's bytes: protobuf reads it as fields that are set anew, or further elements."""

    type_url: TypeUrl
    name: ResourceName
    added: bytes


class Edge:
    """What is served, and the Envoy that it is served to."""

    def __init__(self, options: EdgeOptions, idp: IdentityProvider, port: int) -> None:
        self.port = port
        self.idp = idp
        self.feed = Feed()
        self.fleet = Fleet()
        self.client = EdgeClient(port)
        self.envoy: EnvoyProcess
        self._options = options
        self._number = 0

    async def publish(self, *things: Cell | Tenant, amended: Amendment | None = None) -> None:
        """Publish the topology of these, with one resource amended."""
        self._number += 1
        snapshot = translate(topology(*things), self._options).snapshots(self._number)[GROUP]
        if amended:
            table = snapshot.tables[amended.type_url]
            sound = table.get(amended.name)
            assert sound is not None
            other = encode_resource(sound.name, sound.body + amended.added, needs=sound.needs, awaits=sound.awaits)
            snapshot = replace(snapshot, tables={**snapshot.tables, amended.type_url: table.replace([other])})
        await self.feed.publish({GROUP: snapshot})

    @property
    def stream(self) -> StreamRecord:
        """The Envoy's stream, as the fleet's record has it."""
        (record,) = self.fleet.records()
        return record

    def record(self, type_url: TypeUrl) -> TypeRecord:
        """What became of a type on it."""
        return self.stream.of_type(type_url)

    def progress(self, amended: Amendment) -> Progress:
        """How far the newest content of a resource, which must be that one, has come."""
        session = self.stream.session
        assert session is not None
        slot = self.feed.latest(GROUP)
        assert slot is not None
        newest = slot.snapshot.tables[amended.type_url].get(amended.name)
        assert newest is not None
        assert newest.body.endswith(amended.added)
        return session.standings()[amended.type_url].of(amended.name).progress

    async def is_answered(self, tenant: str, cell: str, by: str = "") -> bool:
        """Whether the tenant's request goes to that cell, and is answered by that process."""
        answer = await self.client.get("/api/x", token=self.idp.mint(tenant))
        return answer.saw("x-alphaswarm-cell") == cell and answer.cell == (by or cell)


@asynccontextmanager
async def edge(
    variant: Variant,
    folder: Path,
    *things: Cell | Tenant,
    connection: ConnectionOptions | None = None,
    max_connections: int = 1000,
    max_heap_bytes: int = 2**30,
) -> AsyncIterator[Edge]:
    """A running one, to which the topology of these is published."""
    idp = IdentityProvider(issuer=ISSUER, audience=AUDIENCE)
    port, admin_port = free_port(), free_port()
    usual = edge_options(jwks=idp.jwks(), listeners={GROUP: (LOOPBACK, port)})
    served = Edge(replace(usual, connection=connection or usual.connection), idp, port)
    around = Surroundings(
        feed=served.feed,
        fleet=served.fleet,
        metrics=Metrics(),
        limits=Limits(wait_seconds=WAIT_SECONDS),
        frames=Frames(),
    )
    server = AdsServer(Address(LOOPBACK, 0), around)
    address = await server.start()
    options = BootstrapOptions(
        node_id=NodeId("real"),
        node_group=GROUP,
        server=(LOOPBACK, address.port),
        admin_port=admin_port,
        variant=variant,
        max_connections=max_connections,
        max_heap_bytes=max_heap_bytes,
    )
    content = cast(Any, bootstrap(options))
    try:
        await served.publish(*things)
        async with EnvoyProcess("real", content, admin_port=admin_port, folder=folder) as served.envoy, served.client:
            yield served
    finally:
        await server.stop(0)
