"""A whole control plane in this process, on a real registry: publisher, HTTP and gRPC, each on a port of its own."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import grpc
from jsonschema import Draft202012Validator

from xds.access import Access, Credentials
from xds.configured import changes_options, edge_options, issuer_options
from xds.control import OPERATIONS
from xds.demo.idp import IdentityProvider
from xds.http import HttpServer
from xds.http.openapi import to_openapi
from xds.model import Cell, Tenant
from xds.names import CellId, TenantId
from xds.operations import add_cell, add_tenant
from xds.operations.emergency import record_displacements
from xds.operations.fleet import Replica
from xds.operations.status import RegistryStatus, SystemStatus
from xds.publish import Feed
from xds.publish.publisher import Publisher
from xds.publish.recording import Recording
from xds.registry import PostgresRegistry
from xds.server import AdsServer, ControlService, Fleet, Reporter, Surroundings, Tls
from xds.session import Limits
from xds.settings import Address, Settings
from xds.snapshot import Frames
from xds.telemetry import Metrics
from xds.tokens import read_issuers
from xds.tokens.keeping import Keys

IDP = IdentityProvider()
DOCUMENT = to_openapi(OPERATIONS)
A, B = CellId("cell-a"), CellId("cell-b")
ACME = TenantId("acme")
READER = IDP.mint("acme", roles=["read"], sub="rita")
OPERATOR = IDP.mint("acme", roles=["operate"], sub="olga")
SECONDS = 10.0


@dataclass
class Answered:
    """What came back."""

    status: int
    body: Any
    headers: Any

    @property
    def etag(self) -> str:
        return str(self.headers["ETag"])


@dataclass
class Controlled:
    """What runs, and a client of its HTTP side."""

    registry: PostgresRegistry
    publisher: Publisher
    fleet: Fleet
    http: str
    xds: str
    session: aiohttp.ClientSession
    token: str = ""
    control_service: ControlService | None = None

    async def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answered:
        """Ask; an underscore in a header's name stands for a dash."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        async with self.session.request(method, path, json=body, headers=sent) as answer:
            text = await answer.text()
            told = json.loads(text) if text and "json" in answer.content_type else text
            _assert_documented(method, path, answer.status, told)
            return Answered(answer.status, told, answer.headers)

    async def get(self, path: str) -> Any:
        """The body of what is there."""
        answer = await self.ask("GET", path)
        assert answer.status == 200, answer
        return answer.body

    async def etag(self, path: str) -> str:
        answer = await self.ask("GET", path)
        return answer.etag

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():  # noqa: ASYNC110 -- the publisher has no event for us
                await asyncio.sleep(0.01)

    async def published(self) -> None:
        """Wait until what is committed is published."""
        newest = (await self.registry.load()).revision
        await self.until(lambda: self.publisher.status.revision >= newest)


def _assert_documented(method: str, path: str, status: int, body: object) -> None:
    """What was answered is what the OpenAPI document says."""
    asked = path.partition("?")[0]
    for operation in OPERATIONS:
        if operation.method == method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", operation.path), asked):
            told = DOCUMENT["paths"][operation.path][method.lower()]["responses"][str(status)]
            (content,) = told["content"].values()
            Draft202012Validator({**content["schema"], "components": DOCUMENT["components"]}).validate(body)


def _settings(folder: Path, values: dict[str, object]) -> Settings:
    (folder / "jwks.json").write_text(IDP.jwks())
    given: dict[str, object] = {
        "auth_issuer": IDP.issuer,
        "auth_audience": (IDP.audience,),
        "auth_jwks_file": folder / "jwks.json",
        "edge_listeners": {"alphaswarm-edge": Address("127.0.0.1", 10000)},
    }
    return Settings(**given | values)  # type: ignore[arg-type]  # pydantic checks them


async def _fill(registry: PostgresRegistry) -> None:
    await add_cell(registry, Cell(id=A))
    await add_cell(registry, Cell(id=B))
    await add_tenant(registry, Tenant(ACME, A))


def _replica(publisher: Publisher) -> Replica:
    status = publisher.status
    return Replica(name="here", version="0", started_at=0, seen_at=1, snapshot=status.snapshot, publishes=status.leads)


@asynccontextmanager
async def controlled(
    database_url: str, folder: Path, *, tls: Tls | None = None, token: str = "", **values: object
) -> AsyncIterator[Controlled]:
    """The control plane with two cells, and a tenant in the first, published; `values` are settings."""
    chosen = _settings(folder, values)
    issuers, metrics, fleet, feed = read_issuers(chosen), Metrics(), Fleet(), Feed()
    keys = Keys(issuers, metrics, refresh_seconds=60, overlap_seconds=0)
    keys.load_files()
    credentials = Credentials(issuers, keys, None, chosen.auth_clock_skew_seconds)
    options = edge_options(chosen, [issuer_options(each) for each in issuers])
    around = Surroundings(feed=feed, fleet=fleet, metrics=metrics, limits=Limits(), frames=Frames(), tls=tls)
    async with PostgresRegistry.open(database_url, poll_seconds=0.1) as registry, asyncio.TaskGroup() as tasks:
        recording = Recording(
            history=registry.snapshots,
            replica="here",
            settle=lambda moves: record_displacements(registry, moves),
        )
        publisher = Publisher(registry, options, feed, metrics, interval=0, keys=credentials, recording=recording)

        def status() -> SystemStatus:
            return SystemStatus(
                version="0",
                started_at=0,
                now=1,
                auth_mode="required",
                cba_mode="enforce",
                draining=False,
                registry=RegistryStatus(connected=True, error="", since=0),
                publish=publisher.status,
                nodes=fleet.nodes(),
                cells=publisher.cells,
            )

        await _fill(registry)
        access = Access(chosen, credentials, registry, publisher, fleet)
        reporter = Reporter(fleet, registry.rollouts, lambda: _replica(publisher))
        running = [tasks.create_task(each.run()) for each in (publisher, reporter)]
        control = access.build_control(status, reporter.seen, changes_options(chosen))
        service = ControlService(control, access.operators(tls.access if tls else None))
        ads = AdsServer(Address("127.0.0.1", 0), around, control_service=service)
        xds = await ads.start()
        try:
            async with (
                HttpServer(access.build_app(status, metrics, control), Address("127.0.0.1", 0)) as server,
                aiohttp.ClientSession(f"http://{server.address}", timeout=aiohttp.ClientTimeout(total=10)) as session,
            ):
                made = Controlled(
                    registry, publisher, fleet, f"http://{server.address}", str(xds), session, token, service
                )
                await made.published()
                yield made
        finally:
            await ads.stop(0)
            for task in running:
                task.cancel()


@asynccontextmanager
async def plain_channel(address: str) -> AsyncIterator[grpc.aio.Channel]:
    """A connection that shares nothing with any other."""
    async with grpc.aio.insecure_channel(address, options=(("grpc.use_local_subchannel_pool", 1),)) as channel:
        yield channel
