"""Runs an operation on the registry that the settings name, for commands that do one thing and end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from xds import telemetry
from xds.cli.settings import read_settings
from xds.registry import PostgresRegistry

T = TypeVar("T")


def run(context: click.Context, operation: Callable[[PostgresRegistry], Awaitable[T]]) -> T:
    """What `operation` returns, given the registry; raises what it raises, and if the schema is not ours."""
    settings = read_settings(context)
    telemetry.configure("warning", settings.log_format)

    async def run_once() -> T:
        async with PostgresRegistry.open(
            settings.database_url.get_secret_value(),
            pool_size=1,
            timeout=settings.database_timeout_seconds,
        ) as registry:
            await registry.check_schema()
            return await operation(registry)

    return asyncio.run(run_once())
