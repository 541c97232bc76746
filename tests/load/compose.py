"""The system on Docker: deployments/docker-compose/compose.yaml, with what a scenario needs laid over it.

The generator runs in the Envoys' network. Knows nothing about traffic.
"""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import asyncpg

from tests.bench.throughput import cluster, static_envoy
from tests.load.system import LEGACY, SESSION, Needs, System, session_file
from xds.demo import seed
from xds.errors import LocalFailure
from xds.opaque import digest

_ROOT = Path(__file__).parents[2]
_FILE = _ROOT / "deployments/docker-compose/compose.yaml"
_PROJECT = "alphaswarm-load"
_ROUTER, _EDGE = "alphaswarm-tenant-router:compose", "alphaswarm-edge:compose"
_ANY_PORT = {"IDP_PORT": "0", "ROUTER_PORTS": "0", "EDGE_PORTS": "0"}
"""Another system may run on this machine."""
_BUILD_SECONDS, _SECONDS = 900.0, 120.0
_LOOK_SECONDS = 0.2
_DAY = 24 * 3600
_TENANTS = """
INSERT INTO tenants (id, cell_id, state)
SELECT 'tenant-' || n, (ARRAY(SELECT id FROM cells ORDER BY id))[1 + n % 3], 'active'
FROM generate_series(24, $1::int - 1) AS n ON CONFLICT DO NOTHING
"""


class Engine:
    """The programs `docker` and `docker compose`, on this project; `overlay` is what is laid over the compose file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.overlay: dict[str, Any] = {}
        self._file = folder / "overlay.json"

    async def docker(self, *arguments: str, timeout: float = _SECONDS) -> str:
        """What it prints; raises `LocalFailure` if it fails, or is not there."""
        try:
            process = await asyncio.create_subprocess_exec(
                *("docker", *arguments),
                env={**os.environ, **_ANY_PORT},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is ours
            )
        except FileNotFoundError:
            raise LocalFailure("docker: not installed; --on local needs none") from None
        try:
            async with asyncio.timeout(timeout):
                output, errors = await process.communicate()
        except TimeoutError:
            raise LocalFailure(f"{self._shown(arguments)}: not done after {timeout:g} s") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            said = errors.decode().strip().splitlines()[-3:]
            raise LocalFailure(f"{self._shown(arguments)}: {' '.join(said) or process.returncode}")
        return output.decode().strip()

    async def compose(self, *arguments: str, timeout: float = _SECONDS) -> str:
        """The same of `docker compose`."""
        return await self.docker(*self.command(*arguments), timeout=timeout)

    def command(self, *arguments: str) -> tuple[str, ...]:
        """What `docker` is to be given."""
        self._file.write_text(json.dumps(self.overlay))
        return ("compose", "--project-name", _PROJECT, "--file", str(_FILE), "--file", str(self._file), *arguments)

    def _shown(self, arguments: Sequence[str]) -> str:
        """How a command is called in messages: without the files."""
        own = arguments.index(str(self._file)) + 1 if str(self._file) in arguments else 0
        return " ".join(("docker", *(["compose"] if own else []), *arguments[own:]))

    async def port(self, service: str, port: int, index: int = 1) -> str:
        """host:port where a service's port is published on this machine."""
        return await self.compose("port", "--index", str(index), service, str(port))

    async def healthy(self, container: str) -> None:
        """Wait until a container is; raises `LocalFailure`."""
        deadline = time.monotonic() + _SECONDS
        while await self.docker("inspect", "--format", "{{.State.Health.Status}}", container) != "healthy":
            if time.monotonic() > deadline:
                raise LocalFailure(f"{container}: not healthy after {_SECONDS:g} s")
            await asyncio.sleep(_LOOK_SECONDS)


class ComposeSystem:
    """A compose project, under the questions that scenarios ask."""

    def __init__(self, engine: Engine, needs: Needs) -> None:
        self.engine = engine
        self.needs = needs
        self.edges: dict[str, str] = {}
        self.targets: dict[str, str] = {}
        self.static = "http://static:10000" if needs.static else ""
        self.cells: tuple[str, ...] = ()
        self.placements: dict[str, str] = {}
        self.generator = ("docker", *engine.command("exec", "--no-TTY", "load", "python", "/driver.py"))
        self._tokens: dict[str, str] = {}
        self._killed: list[str] = []
        self._xds = ""

    async def begin(self) -> None:
        """Bring it up, with all its tenants."""
        services = ["load", *(["static"] if self.needs.static else []), *([LEGACY] if self.needs.legacy else [])]
        await self.engine.compose("down", "--volumes", "--remove-orphans")
        await self.engine.compose("build", timeout=_BUILD_SECONDS)
        envoys = 1 if self.needs.joining else self.needs.envoys
        await self.engine.compose("up", "--wait", "--scale", f"edge={envoys}", "edge", "idp", *services)
        for number in range(1, self.needs.envoys + 1):
            edge = f"edge-{number}"
            self.targets[edge] = f"http://{_PROJECT}-{edge}:10000"
            self.edges[edge] = await self._url(number) if number <= envoys else ""
        self._xds = await self.engine.port("tenant-router", 18000)
        connection = await self.connect()
        try:
            await connection.execute(_TENANTS, self.needs.tenants)
            self.placements = dict(await connection.fetch("SELECT id, cell_id FROM tenants ORDER BY id"))
            self.cells = tuple(seed.CELLS)
        finally:
            await connection.close(timeout=5)
        await self._followed()

    async def tokens(self, tenants: Sequence[str]) -> dict[str, str]:
        missing = [tenant for tenant in tenants if tenant not in self._tokens]
        if missing:
            url = f"http://{await self.engine.port('idp', 8000)}/token"
            async with aiohttp.ClientSession() as session:
                for tenant in missing:
                    async with session.get(url, params={"tenant": tenant, "seconds": "3600"}) as answer:
                        self._tokens[tenant] = (await answer.json())["access_token"]
        return {tenant: self._tokens[tenant] for tenant in tenants}

    async def connect(self) -> asyncpg.Connection:
        return await seed.connect(f"postgresql://xds:xds@{await self.engine.port('postgres', 5432)}/alphaswarm")

    async def command(self, *arguments: str) -> str:
        return await self.engine.compose("exec", "--no-TTY", "tenant-router", "alphaswarm-xds", *arguments)

    async def join(self, edge: str) -> None:
        number = int(edge.rpartition("-")[2])
        await self.engine.compose("up", "--wait", "--no-recreate", "--no-deps", "--scale", f"edge={number}", "edge")
        self.edges[edge] = await self._url(number)

    async def kill_replicas(self, number: int) -> None:
        names = [f"{_PROJECT}-tenant-router-{each}" for each in range(1, self.needs.replicas + 1)][-number:]
        self._killed += names
        await self.engine.docker("kill", *names)

    async def start_replicas(self) -> None:
        await self.engine.docker("start", *self._killed)
        for name in self._killed:
            await self.engine.healthy(name)
        self._killed.clear()

    async def kill_database(self) -> None:
        await self.engine.docker("kill", f"{_PROJECT}-postgres-1")

    async def start_database(self) -> None:
        await self.engine.docker("start", f"{_PROJECT}-postgres-1")
        await self.engine.healthy(f"{_PROJECT}-postgres-1")

    async def restart(self, **settings: str) -> None:
        self.engine.overlay = overlay(self.needs, self.engine.folder, settings)
        await self.engine.compose("up", "--wait", "--no-deps", "tenant-router")

    def lights(self) -> tuple[str, str]:
        return self._xds, "alphaswarm-edge"

    async def _url(self, number: int) -> str:
        return f"http://{await self.engine.port('edge', 10000, number)}"

    async def _followed(self) -> None:
        """Wait until the last tenant is answered through every Envoy that is there."""
        last = list(self.placements)[-1]
        headers = {"authorization": f"Bearer {(await self.tokens([last]))[last]}"}
        deadline = time.monotonic() + _SECONDS
        async with aiohttp.ClientSession(headers=headers) as session:
            for edge, url in self.edges.items():
                while url and (await _status(session, f"{url}/api/x")) != 200:
                    if time.monotonic() > deadline:
                        raise LocalFailure(f"{edge}: {last} is not answered after {_SECONDS:g} s")
                    await asyncio.sleep(_LOOK_SECONDS)


async def _status(session: aiohttp.ClientSession, url: str) -> int:
    async with session.get(url) as answer:
        return answer.status


def overlay(needs: Needs, folder: Path, settings: Mapping[str, str]) -> dict[str, Any]:
    """What is laid over the compose file."""
    mount = [f"{folder}:/load:ro"]
    environment: dict[str, str] = {"LOG_LEVEL": "warning", "SHUTDOWN_SECONDS": "1", **needs.settings}
    if needs.legacy:
        environment["LEGACY_UPSTREAM"] = f"{LEGACY}:8000"
    if needs.callout:
        asking = {"TENANT_RESOLUTION": "callout", "CALLOUT_TOKENS_FILE": "/load/sessions.json"}
        environment |= {**asking, "CALLOUT_TIMEOUT_MS": "5000"}
    module = ["python", "-m", "xds.demo.cell_api", "--name", LEGACY, "--host", "0.0.0.0", "--port", "8000"]
    ask = 'import urllib.request; urllib.request.urlopen("http://127.0.0.1:8000/healthz", timeout=2)'
    asked = ["CMD", "python", "-c", ask]
    return {
        "services": {
            "postgres": {"ports": ["127.0.0.1:0:5432"]},
            "tenant-router": {
                "deploy": {"replicas": needs.replicas},
                "environment": {**environment, **settings},
                "ports": ["127.0.0.1:0:18000"],
                "volumes": mount,
            },
            LEGACY: {
                "image": _ROUTER,
                "init": True,
                "entrypoint": module,
                "healthcheck": {"test": asked, "interval": "1s"},
            },
            "static": {"image": _EDGE, "entrypoint": ["envoy", "-c", "/load/static.json"], "volumes": mount},
            "load": {
                "image": "alphaswarm-load:compose",
                "build": {"context": str(Path(__file__).parent)},
                "init": True,
            },
        }
    }


def _write_files(folder: Path) -> None:
    """What is mounted: the sessions, and the bootstrap of the Envoy with one route, to the cell of acme."""
    folder.chmod(0o755)
    entry = {"sha256": digest(SESSION).hex(), "tenant": "acme", "expires": time.time() + _DAY}
    session_file(folder, json.dumps([entry]))
    upstream = {**cluster("cell", 8000), "type": "STRICT_DNS"}
    config = static_envoy(10000, 9901, {"route": {"cluster": "cell"}}, [upstream])
    resources = config["static_resources"]
    resources["listeners"][0]["address"]["socket_address"]["address"] = "0.0.0.0"
    (endpoints,) = upstream["load_assignment"]["endpoints"]
    endpoints["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["address"] = f"alphaswarm-{seed.CELLS[0]}-api"
    (folder / "static.json").write_text(json.dumps(config))
    (folder / "static.json").chmod(0o644)


@asynccontextmanager
async def compose(needs: Needs) -> AsyncIterator[System]:
    """A system of containers, which are gone afterwards; raises `LocalFailure` if it can't be had."""
    with TemporaryDirectory(prefix="axds-load-") as name:
        engine = Engine(Path(name))
        _write_files(engine.folder)
        engine.overlay = overlay(needs, engine.folder, {})
        system = ComposeSystem(engine, needs)
        try:
            await system.begin()
            yield system
        finally:
            await engine.compose("down", "--volumes", "--remove-orphans", "--timeout", "3")
