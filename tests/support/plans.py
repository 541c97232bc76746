"""A system's plan that begins with a registry which was migrated once, for all systems of a test run's process."""

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any

from xds.demo.control_plane import ControlPlane
from xds.demo.plan import Plan
from xds.demo.postgres import Postgres
from xds.demo.processes import Child, run

_made: list[Path] = []


async def planned(**wishes: Any) -> Plan:
    """The plan with these wishes."""
    if not _made:
        _made.append(await _migrated())
    return Plan(data=_made[0], **wishes)


async def _migrated() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="axds-migrated-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    async with Postgres(logs=folder) as postgres:
        commands = ControlPlane({"DATABASE_URL": postgres.dsn}, xds_port=0, http_port=0, logs=folder)
        await commands.run("migrate")
        await postgres.child.stop()
        await run(Child("copy", ["/bin/cp", "-a", postgres.data, folder / "data"], log=folder / "copy.log"), timeout=30)
    return folder / "data"
