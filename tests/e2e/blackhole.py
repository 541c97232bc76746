"""A TCP proxy whose wires can be cut without a word: whoever is on them hears nothing any more, no FIN and no RST.

Knows nothing about what is said on them.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from xds.demo.ports import LOOPBACK


class BlackHole:
    """Passes bytes on until it swallows them.

    A connection that was open while it did so, or was made meanwhile, stays dead, as after a router that forgot it.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.made = 0
        """How many connections were made to it."""

        self._target = target
        self._swallows = False
        self._stopped = asyncio.Event()
        self._dead: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()

    def swallow(self) -> None:
        """From now on, whatever comes goes nowhere, on every connection."""
        self._swallows = True
        self._dead |= self._open

    def heal(self) -> None:
        """Let new connections through again."""
        self._swallows = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection to its end."""
        self.made += 1
        there, onward = await asyncio.open_connection(LOOPBACK, self._target)
        both = {writer, onward}
        self._open |= both
        if self._swallows:
            self._dead |= both
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, onward))
                group.create_task(self._pass_on(there, writer))
        finally:
            for end in both:
                end.close()
            self._open -= both
            self._dead -= both

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                if sink not in self._dead:
                    sink.write(data)
                    await sink.drain()
        if sink in self._dead:
            await self._stopped.wait()  # the other side is not told of the end either
        sink.close()

    async def stop(self) -> None:
        """End every connection."""
        self._stopped.set()
        for end in self._open:
            end.transport.abort()
        while self._open:  # noqa: ASYNC110 -- each notices by itself
            await asyncio.sleep(0.01)


@asynccontextmanager
async def black_hole(target: int) -> AsyncIterator[BlackHole]:
    """A proxy in front of a port of this machine, which lets everything through until it is told otherwise."""
    hole = BlackHole(target)
    server = await asyncio.start_server(hole.serve, LOOPBACK, 0)
    hole.port = server.sockets[0].getsockname()[1]
    try:
        yield hole
    finally:
        server.close()
        await hole.stop()
