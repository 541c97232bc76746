"""The listening socket: serves an application at an address until it is left.

Must not know what is served.
"""

import os
import socket
from types import TracebackType
from typing import Self

from aiohttp import web

from xds.errors import LocalFailure
from xds.settingvalues import Address

_STOP_SECONDS = 1.0
"""How long requests under way may take to end on stop: every answer is made at once, so only a slow reader does."""


class HttpServer:
    """Serves `app` at `listen` while entered; raises `LocalFailure` if it cannot listen there."""

    def __init__(self, app: web.Application, listen: Address) -> None:
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_SECONDS)
        self._listen = listen

    @property
    def address(self) -> Address:
        """Where it listens; while entered, port 0 is replaced by the port that the system chose."""
        if not self._listen.port and self._runner.addresses:
            return Address(self._listen.host, self._runner.addresses[0][1])
        return self._listen

    async def __aenter__(self) -> Self:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._listen.host, self._listen.port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise LocalFailure(f"HTTP_LISTEN: cannot listen on {self._listen}: {_reason(error)}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._runner.cleanup()


def _reason(error: OSError) -> str:
    # asyncio wraps the system's words in its own and repeats the address; a resolver's codes are not errno's.
    if error.errno is None or isinstance(error, socket.gaierror):
        return str(error.strerror or error)
    return os.strerror(error.errno)
