"""Brings a database's schema to what this version needs.

Alembic does it; this calls Alembic, says what was and what is, and gives its errors in one line.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from xds.errors import RegistryError, RequestError
from xds.registry.dsn import describe
from xds.registry.faults import translated_connecting
from xds.registry.schema import VERSION_TABLE

SCRIPTS = Path(__file__).with_name("migrations")


@dataclass(frozen=True, slots=True)
class Migration:
    """The schema's revision before and after; empty is a database without our schema."""

    was: str
    now: str


def migrate(dsn: str, *, to: str = "head", timeout: float = 10) -> Migration:
    """Upgrade the schema of the database at `dsn` to revision `to`; runs its own event loop.

    Upgrades only: going back deletes what the registry holds, and is left to `alembic downgrade`.
    """
    where = describe(dsn)
    was = asyncio.run(_revision(dsn, where, timeout))
    config = Config()
    # Passed as an attribute and not as an option: '%' in an option is interpolation.
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes.update(dsn=dsn, timeout=timeout)
    try:
        target = ScriptDirectory.from_config(config).get_revision(to).revision
        command.upgrade(config, target)
    except CommandError as error:
        raise RequestError(f"cannot migrate to {to!r}: {error}") from error
    except SQLAlchemyError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise RegistryError(f"registry {where}: the migration failed: {reason}") from error
    now = asyncio.run(_revision(dsn, where, timeout))
    if now != target:
        raise RequestError(f"the schema is at {now}, beyond {target}; to go back, use 'alembic downgrade {target}'")
    return Migration(was, now)


async def _revision(dsn: str, where: str, timeout: float) -> str:
    with translated_connecting(where):
        connection = await asyncpg.connect(dsn, timeout=timeout, command_timeout=timeout)
        try:
            if await connection.fetchval("SELECT to_regclass($1)", VERSION_TABLE) is None:
                return ""
            return str(await connection.fetchval(f"SELECT version_num FROM {VERSION_TABLE}") or "")  # noqa: S608
        finally:
            await connection.close(timeout=timeout)
