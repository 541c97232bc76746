"""Wakes the publisher when something may have been committed.

LISTEN says at once, on a connection of its own that is made again with back-off whenever it is lost; a slow
tick is the safety net for notifications that never come. Neither says what changed: the change log does.
"""

import asyncio
import random
from collections.abc import Callable
from typing import NoReturn

import asyncpg

from xds.errors import XdsError
from xds.registry.faults import translated, translated_connecting
from xds.registry.health import Health
from xds.registry.schema import CHANNEL
from xds.telemetry import get_logger

FIRST_DELAY_SECONDS = 0.1
LONGEST_DELAY_SECONDS = 5.0

HEARTBEAT_SECONDS = 5.0
"""How often a quiet connection is asked for a sign of life: a cable that was cut says nothing."""

_log = get_logger()


class Listener:
    """Watches one channel of a database for commits."""

    def __init__(
        self, dsn: str, where: str, health: Health, *, timeout: float, poll_seconds: float, channel: str = CHANNEL
    ) -> None:
        self._channel = channel
        self._way = f"listener on {channel}"
        self._dsn = dsn
        self._where = where
        self._health = health
        self._timeout = timeout
        self._poll_seconds = poll_seconds

    async def watch(self, wake: Callable[[], None]) -> NoReturn:
        """Call `wake` at each notification, each connection and each tick, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick(wake), name="registry-tick")
            group.create_task(self._keep_listening(wake), name="registry-listen")
        raise AssertionError("both tasks run until cancelled")

    async def _tick(self, wake: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(self._poll_seconds)
            wake()

    async def _keep_listening(self, wake: Callable[[], None]) -> None:
        delay = FIRST_DELAY_SECONDS
        while True:
            connection: asyncpg.Connection | None = None
            try:
                connection, lost = await self._connect(wake)
                delay = FIRST_DELAY_SECONDS
                self._health.succeeded(self._way)
                wake()  # what was committed while nobody listened
                await self._until_lost(connection, lost)
            except XdsError as error:
                self._health.failed(self._way, str(error))
                retry = round(delay, 1)
                _log.warning("registry.listener_lost", channel=self._channel, error=str(error), retry_seconds=retry)
            finally:
                if connection is not None:
                    connection.terminate()
            # Jitter: replicas that lost the same database must not come back at one instant.
            await asyncio.sleep(delay * random.uniform(0.5, 1))  # noqa: S311 -- not for secrets
            delay = min(2 * delay, LONGEST_DELAY_SECONDS)

    async def _connect(self, wake: Callable[[], None]) -> tuple[asyncpg.Connection, asyncio.Event]:
        with translated_connecting(self._where):
            connection = await asyncpg.connect(
                self._dsn,
                timeout=self._timeout,
                command_timeout=self._timeout,
                server_settings={"application_name": "alphaswarm-xds listener"},
            )
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        try:
            with translated(self._where):
                await connection.add_listener(self._channel, lambda *_: wake())
        except BaseException:
            connection.terminate()
            raise
        return connection, lost

    async def _until_lost(self, connection: asyncpg.Connection, lost: asyncio.Event) -> NoReturn:
        with translated(self._where):
            while True:
                try:
                    async with asyncio.timeout(HEARTBEAT_SECONDS):
                        await lost.wait()
                    raise ConnectionResetError("the connection was closed by the server")
                except TimeoutError:
                    await connection.execute("SELECT", timeout=self._timeout)
