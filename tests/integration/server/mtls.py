"""A control plane over TLS, its certificates on disk, and clients with certificates of their own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc

from tests.integration.server.ads import Client, ControlPlane, control_plane
from xds.demo.authority import Authority, Pair, put
from xds.identities import Access
from xds.names import TypeUrl
from xds.server import Certificates, Tls
from xds.settingvalues import TlsFiles

SERVER = ("localhost", "127.0.0.1")


@dataclass
class Disk:
    """The server's files, and the authority of everybody in them."""

    files: TlsFiles
    authority: Authority = field(default_factory=Authority)

    def renew(self, authority: Authority | None = None) -> None:
        """Put another server's certificate there, of another authority if one is given."""
        self.authority = authority or self.authority
        put(self.files.client_ca, self.authority.certificate)
        self.authority.issue(*SERVER).write(self.files.certificate, self.files.key)


def disk(folder: Path) -> Disk:
    """Good files in a folder."""
    made = Disk(TlsFiles(folder / "server.pem", folder / "server.key", folder / "ca.pem"))
    made.renew()
    return made


@asynccontextmanager
async def protected(of: Disk, access: Access | None = None) -> AsyncIterator[ControlPlane]:
    """A control plane that is served over TLS with these files."""
    async with control_plane(tls=Tls(Certificates(of.files), access or Access())) as plane:
        yield plane


@asynccontextmanager
async def secure(address: str, trusted: Authority, pair: Pair | None) -> AsyncIterator[grpc.aio.Channel]:
    """A connection over TLS, that shares nothing with any other, of a client that shows `pair`."""
    shown = (pair.key, pair.certificate) if pair else (None, None)
    credentials = grpc.ssl_channel_credentials(trusted.certificate, *shown)
    options = (("grpc.use_local_subchannel_pool", 1),)
    async with grpc.aio.secure_channel(address, credentials, options=options) as channel:
        yield channel


async def served(channel: grpc.aio.Channel, node_id: str = "edge-1") -> Client:
    """A delta stream that has had a first answer."""
    stream = Client(channel, "delta", node_id=node_id)
    await stream.open(TypeUrl.CLUSTER)
    await stream.ack(await stream.read())
    return stream
