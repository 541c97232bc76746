"""The whole system on this machine: PostgreSQL, control plane, Envoys, cells, started and ended in order.

Knows how the parts are wired, not what is then done with them.
"""

import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from shutil import rmtree
from types import TracebackType
from typing import Self

import asyncpg

from xds.demo import envoy, seed
from xds.demo.channel import Channel
from xds.demo.client import Answer, EdgeClient
from xds.demo.control_plane import ControlPlane
from xds.demo.envoy import EnvoyProcess
from xds.demo.idp import IdentityProvider
from xds.demo.plan import Plan, Ports, node_id
from xds.demo.ports import LOOPBACK, free_port
from xds.demo.postgres import Postgres
from xds.demo.processes import Child
from xds.demo.progress import Observer, Parts
from xds.errors import LocalFailure

_CELL_SECONDS = 20.0


class Stack:
    """A running system while entered; each part is an attribute that a test may stop, crash or restart.

    Leaves nothing behind, except the folder of logs when it is left by an error or after `keep_logs`.
    """

    def __init__(self, plan: Plan | None = None, *, observer: Observer | None = None) -> None:
        self.plan = plan or Plan()
        self.ports = Ports.choose(self.plan)
        self.placements = seed.place(seed.tenant_names(self.plan.tenants), self.plan.cells)
        self.parts = Parts(observer)
        self._exits = AsyncExitStack()
        self._keeps_logs = False
        self._operator: asyncpg.Connection | None = None
        self._replicas: list[ControlPlane] = []

    async def __aenter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="axds-"))
        self._exits.callback(self._forget_folder)
        try:
            await self._start()
        except BaseException as error:
            await self.__aexit__(type(error), error, None)
            if isinstance(error, LocalFailure) and str(self.folder) not in str(error):
                raise LocalFailure(f"{error} (logs: {self.folder})") from error
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keeps_logs |= isinstance(error, Exception)  # being interrupted is no failure
        await self._exits.aclose()

    def keep_logs(self) -> Path:
        """Have the folder of logs survive the end; its path."""
        self._keeps_logs = True
        return self.folder

    async def get(self, edge: str, path: str, *, token: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        """GET `path` through one Envoy."""
        return await self.clients[edge].get(path, token=token, headers=headers)

    async def move(self, tenant: str, cell: str) -> seed.Commit:
        """Move a tenant by plain SQL, over a connection of an operator's own."""
        if self._operator is None or self._operator.is_closed():
            self._operator = await seed.connect(self.postgres.dsn)
        commit = await seed.move(self._operator, tenant, cell)
        self.placements[tenant] = cell
        return commit

    def replica(self, name: str) -> ControlPlane:
        """A further control plane on the same registry, on ports of its own: not started, ended with the stack."""
        xds_port, http_port = free_port(), free_port()
        own = {"XDS_LISTEN": f"{LOOPBACK}:{xds_port}", "HTTP_LISTEN": f"{LOOPBACK}:{http_port}", "REPLICA": name}
        made = ControlPlane(
            {**self._settings, **own}, xds_port=xds_port, http_port=http_port, logs=self.folder, name=name
        )
        self._exits.push_async_callback(made.stop)
        self._replicas.append(made)
        return made

    def children(self) -> list[Child]:
        """Every process of it."""
        envoys = (process.child for process in self.envoys.values())
        planes = (plane.child for plane in (self.control_plane, *self._replicas))
        return [self.postgres.child, *planes, *envoys, *self.cells.values()]

    def tenants_of(self, cell: str) -> list[str]:
        """Who lives in `cell`, as far as this stack placed and moved them."""
        return [tenant for tenant, placed in self.placements.items() if placed == cell]

    async def _start(self) -> None:
        with self.parts.starting("demo identity provider"):
            self.idp = IdentityProvider()
            (self.folder / "jwks.json").write_text(self.idp.jwks())
        self.channel = Channel(self.folder / "tls", map(node_id, self.plan.edges)) if self.plan.tls else None
        with self.parts.starting("Envoy binary"):
            binary = self.plan.envoy or envoy.packaged_binary()
            self.envoy_version = await envoy.version(binary, logs=self.folder)
        self._begin_cells()
        with self.parts.starting("PostgreSQL"):
            self.postgres = Postgres(logs=self.folder, data=self.plan.data)
            self._exits.push_async_callback(self.postgres.stop)
            await self.postgres.start()
        for cell, child in self.cells.items():
            await child.wait_until(EdgeClient(self.ports.cells[cell]).is_answering, timeout=_CELL_SECONDS)
            self.parts.done(cell)
        await self._fill_registry()
        await self._start_edge()
        self.clients = {edge: EdgeClient(port) for edge, port in self.ports.edges.items()}
        for client in self.clients.values():
            self._exits.push_async_callback(client.close)

    def _begin_cells(self) -> None:
        self.cells: dict[str, Child] = {}
        for cell, port in self.ports.cells.items():
            self.parts.begin(cell)
            program = (sys.executable, "-P", "-m", "xds.demo.cell_api", "--name", cell, "--port", str(port))
            self.cells[cell] = Child(cell, program, log=self.folder / f"{cell}.log")
            self._exits.push_async_callback(self.cells[cell].stop)
            self.cells[cell].start()

    async def _fill_registry(self) -> None:
        self._settings = {
            "DATABASE_URL": self.postgres.dsn,
            "XDS_LISTEN": f"{LOOPBACK}:{self.ports.xds}",
            "HTTP_LISTEN": f"{LOOPBACK}:{self.ports.http}",
            "AUTH_ISSUER": self.idp.issuer,
            "AUTH_AUDIENCE": self.idp.audience,
            "AUTH_JWKS_FILE": str(self.folder / "jwks.json"),
            "EDGE_LISTENERS": self.ports.listeners(),
            "LOG_FORMAT": "json",
            **(self.channel.settings() if self.channel else {}),
            **self.plan.environment,
        }
        self.control_plane = ControlPlane(
            self._settings, xds_port=self.ports.xds, http_port=self.ports.http, logs=self.folder
        )
        with self.parts.starting("registry: migrated and seeded"):
            if self.plan.data is None:
                await self.control_plane.run("migrate")
            await seed.seed(self.postgres.dsn, self.ports.cells, self.placements)
            self._exits.push_async_callback(self._close_operator)

    async def _start_edge(self) -> None:
        """The control plane and the Envoys, whose bootstraps are printed while it starts."""
        with self.parts.starting("control plane"):
            self._exits.push_async_callback(self._stop_control_plane)
            self.control_plane.begin()
            bootstraps = {
                edge: await self.control_plane.bootstrap(
                    edge,
                    admin_port=admin,
                    variant=self.plan.variant,
                    options=self.channel.options(node_id(edge)) if self.channel else (),
                )
                for edge, admin in self.ports.admins.items()
            }
            await self.control_plane.ready()
        self.envoys: dict[str, EnvoyProcess] = {}
        for edge, bootstrap in bootstraps.items():
            self.parts.begin(f"Envoy {edge}")
            admin = self.ports.admins[edge]
            process = EnvoyProcess(edge, bootstrap, admin_port=admin, folder=self.folder, binary=self.plan.envoy)
            self.envoys[edge] = process
            self._exits.push_async_callback(process.stop)
            process.child.start()
        for edge, process in self.envoys.items():
            await process.ready()
            self.parts.done(f"Envoy {edge}")

    async def _stop_control_plane(self) -> None:
        await self.control_plane.stop()  # the one that is there by then

    async def _close_operator(self) -> None:
        if self._operator is not None and not self._operator.is_closed():
            await self._operator.close(timeout=5)

    def _forget_folder(self) -> None:
        if not self._keeps_logs:
            rmtree(self.folder, ignore_errors=True)
