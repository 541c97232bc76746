"""The system on local processes: the demo's stack, with what a scenario needs besides.

Knows nothing about traffic.
"""

import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg

from tests.bench.throughput import cluster, static_envoy
from tests.load.system import LEGACY, SESSION, Needs, System, session_file
from xds.demo import seed
from xds.demo.client import EdgeClient
from xds.demo.control_plane import ControlPlane
from xds.demo.envoy import EnvoyProcess
from xds.demo.plan import Plan
from xds.demo.ports import LOOPBACK, free_port
from xds.demo.processes import Child
from xds.demo.progress import Observer
from xds.demo.stack import Stack
from xds.opaque import digest

_DAY = 24 * 3600
_CELL_SECONDS = 20.0


class LocalSystem:
    """A stack, under the questions that scenarios ask."""

    generator = (sys.executable, "-m", "tests.load.driver")

    def __init__(self, stack: Stack, replicas: list[ControlPlane], static: str) -> None:
        self.stack = stack
        self.static = static
        self.cells = stack.plan.cells
        self.placements = stack.placements
        self.edges = {edge: client.url for edge, client in stack.clients.items()}
        self.targets = self.edges
        self._replicas = replicas
        self._killed: list[ControlPlane] = []

    async def tokens(self, tenants: Sequence[str]) -> dict[str, str]:
        return {tenant: self.stack.idp.mint(tenant) for tenant in tenants}

    async def connect(self) -> asyncpg.Connection:
        return await seed.connect(self.stack.postgres.dsn)

    async def command(self, *arguments: str) -> str:
        return await self.stack.control_plane.run(*arguments)

    async def join(self, edge: str) -> None:
        await self.stack.envoys[edge].start()

    async def kill_replicas(self, number: int) -> None:
        self._killed += (killed := self._replicas[-number:])
        for replica in killed:
            replica.crash()

    async def start_replicas(self) -> None:
        for replica in self._killed:
            replica.begin()
        for replica in self._killed:
            await replica.ready()
        self._killed.clear()

    async def kill_database(self) -> None:
        self.stack.postgres.crash()

    async def start_database(self) -> None:
        await self.stack.postgres.restart()

    async def restart(self, **settings: str) -> None:
        await self.stack.control_plane.stop()
        self.stack.control_plane = self.stack.control_plane.with_settings(**settings)
        self._replicas[0] = self.stack.control_plane
        self.stack.control_plane.begin()
        await self.stack.control_plane.ready()

    def lights(self) -> tuple[str, str]:
        return self.stack.control_plane.server, self.stack.plan.edges[0]


@asynccontextmanager
async def local(needs: Needs, observer: Observer | None = None) -> AsyncIterator[System]:
    """A system of local processes; raises `LocalFailure` if one can't be had."""
    legacy = free_port()
    settings = {"SHUTDOWN_SECONDS": "1", "LOG_LEVEL": "warning", **needs.settings}
    if needs.legacy:
        settings["LEGACY_UPSTREAM"] = f"{LOOPBACK}:{legacy}"
    stack = Stack(
        Plan(
            tenants=needs.tenants,
            edges=tuple(f"edge-{number}" for number in range(1, needs.envoys + 1)),
            environment=settings,
        ),
        observer=observer,
    )
    async with AsyncExitStack() as exits:
        if needs.callout:
            settings.update(await _callout(exits))
        await exits.enter_async_context(stack)
        if needs.legacy:
            await _start_legacy(stack, legacy, exits)
        static = await _start_static(stack, exits) if needs.static else ""
        replicas = [stack.control_plane, *[stack.replica(f"replica-{each}") for each in range(2, needs.replicas + 1)]]
        for replica in replicas[1:]:
            replica.begin()
            await replica.ready()
        if needs.replicas > 1:
            await _know_all(stack, replicas)
        if needs.joining:
            for edge in stack.plan.edges[1:]:
                await stack.envoys[edge].stop()
        yield LocalSystem(stack, replicas, static)


async def _callout(exits: AsyncExitStack) -> dict[str, str]:
    """The settings by which `SESSION` is resolved."""
    folder = Path(exits.enter_context(TemporaryDirectory(prefix="axds-load-")))
    entry = {"sha256": digest(SESSION).hex(), "tenant": "acme", "expires": time.time() + _DAY}
    file = session_file(folder, json.dumps([entry]))
    return {"TENANT_RESOLUTION": "callout", "CALLOUT_TOKENS_FILE": str(file), "CALLOUT_TIMEOUT_MS": "5000"}


async def _start_legacy(stack: Stack, port: int, exits: AsyncExitStack) -> None:
    program = (sys.executable, "-P", "-m", "xds.demo.cell_api", "--name", LEGACY, "--port", str(port))
    child = Child(LEGACY, program, log=stack.folder / f"{LEGACY}.log")
    exits.push_async_callback(child.stop)
    child.start()
    await child.wait_until(EdgeClient(port).is_answering, timeout=_CELL_SECONDS)


async def _start_static(stack: Stack, exits: AsyncExitStack) -> str:
    """An Envoy with one route, to acme's cell; its URL."""
    port, admin = free_port(), free_port()
    upstream = cluster("cell", stack.ports.cells[stack.placements["acme"]])
    config = static_envoy(port, admin, {"route": {"cluster": "cell"}}, [upstream])
    await exits.enter_async_context(EnvoyProcess("static", config, admin_port=admin, folder=stack.folder))
    return f"http://{LOOPBACK}:{port}"


async def _know_all(stack: Stack, replicas: Sequence[ControlPlane]) -> None:
    """Have every Envoy know all replicas, as it does where they have one host name."""
    for edge, envoy in stack.envoys.items():
        file = stack.folder / f"{edge}.json"
        config = json.loads(file.read_text())
        (channel,) = config["static_resources"]["clusters"]
        ports = [int(replica.server.rpartition(":")[2]) for replica in replicas]
        channel["load_assignment"]["endpoints"] = [
            endpoints for port in ports for endpoints in cluster("", port)["load_assignment"]["endpoints"]
        ]
        file.write_text(json.dumps(config))
        await envoy.restart()
