"""The control plane as its users run it: the command `alphaswarm-xds`, in processes of their own.

Knows the commands and their settings, nothing of what they do inside.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp

from xds.demo.environment import clean_environment
from xds.demo.envoy import Json
from xds.demo.plan import node_id
from xds.demo.ports import LOOPBACK
from xds.demo.processes import Child, run
from xds.errors import LocalFailure

_START_SECONDS = 30.0
_COMMAND_SECONDS = 60.0
# -P: a folder called `xds` in the working directory is not this package.
_PROGRAM = (sys.executable, "-P", "-m", "xds")


class ControlPlane:
    """The process `alphaswarm-xds serve`, and the other commands with the same settings.

    Args:
        settings: The variables that all of them get.
        xds_port: Where `settings` has it serve ADS.
        http_port: Where `settings` has it serve HTTP.
        logs: The folder for their logs.
        name: What messages call the process, and its log's name, with dashes.
    """

    def __init__(
        self, settings: Mapping[str, str], *, xds_port: int, http_port: int, logs: Path, name: str = "control plane"
    ) -> None:
        self.server = f"{LOOPBACK}:{xds_port}"
        self.url = f"http://{LOOPBACK}:{http_port}"
        self._environment = clean_environment(settings)
        self.settings = dict(settings)
        """The variables that it was given."""
        self._ports = (xds_port, http_port)
        self._logs = logs
        self.child = Child(
            name, [*_PROGRAM, "serve"], log=logs / f"{name.replace(' ', '-')}.log", environment=self._environment
        )

    def with_settings(self, **settings: str) -> "ControlPlane":
        """Another one in its place, with these variables besides; the one that stands there must be stopped first."""
        xds_port, http_port = self._ports
        return ControlPlane({**self.settings, **settings}, xds_port=xds_port, http_port=http_port, logs=self._logs)

    def begin(self) -> None:
        """Start it without waiting."""
        self.child.start()

    async def ready(self) -> None:
        """Wait until it serves a snapshot; raises `LocalFailure`."""
        await self.child.wait_until(self.is_ready, timeout=_START_SECONDS)

    async def restart(self) -> None:
        """End it in order and start it again."""
        await self.child.stop()
        self.begin()
        await self.ready()

    def crash(self) -> None:
        """Kill it."""
        self.child.kill()

    async def stop(self) -> None:
        """End it in order."""
        await self.child.stop(timeout=15)

    async def is_ready(self) -> bool:
        """Whether /readyz says so."""
        try:
            status, _ = await self.ask("/readyz")
        except LocalFailure:
            return False
        return status == 200

    async def ask(self, path: str) -> tuple[int, str]:
        """GET `path` of its HTTP side: status and text; raises `LocalFailure` when it is silent."""
        timeout = aiohttp.ClientTimeout(total=5)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(self.url + path) as answer:
                return answer.status, await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise LocalFailure(f"control plane: {self.url}{path}: no answer: {str(error) or 'too late'}") from error

    async def run(self, *arguments: str) -> str:
        """Run `alphaswarm-xds` with these arguments: what it prints; raises `LocalFailure` if it fails."""
        name = " ".join(argument for argument in arguments[:3] if not argument.startswith("-"))
        stem = self._logs / f"command-{name.replace(' ', '-')}"
        output = stem.with_suffix(".out")
        output.unlink(missing_ok=True)
        command = Child(
            f"alphaswarm-xds {name}",
            [*_PROGRAM, *arguments],
            log=stem.with_suffix(".log"),
            output=output,
            environment=self._environment,
        )
        await run(command, timeout=_COMMAND_SECONDS)
        return output.read_text()

    async def bootstrap(
        self, group: str, *, admin_port: int, variant: str, options: Sequence[str] = ()
    ) -> dict[str, Json]:
        """The bootstrap of the only Envoy of a node group, from the command that prints one."""
        node = ("--node-id", node_id(group), "--node-group", group, *options)
        where = ("--server", self.server, "--admin-port", str(admin_port), "--variant", variant)
        printed = await self.run("bootstrap", *node, *where)
        try:
            bootstrap: dict[str, Json] = json.loads(printed)
        except ValueError as error:
            raise LocalFailure(f"alphaswarm-xds bootstrap: printed no JSON: {error}") from None
        return bootstrap
