"""The operator's own check of a rollout: a command, whose exit status says go or stop."""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from contextlib import suppress

CHECK_SECONDS = 30.0
"""How long a check may take."""

_WORDS = 300


async def check(command: str) -> str:
    """Run a command in a shell; why to stop, in its own last words, or empty if it says go."""
    process = await asyncio.create_subprocess_shell(
        command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, start_new_session=True
    )
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            said, _ = await process.communicate()
    except TimeoutError:
        return f"the check did not end within {CHECK_SECONDS:.0f} s: {command}"
    finally:
        # The group, though the shell may have ended: what it left in the background holds its output.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    if process.returncode == 0:
        return ""
    words = said.decode(errors="replace").strip()[-_WORDS:]
    return f"the check failed with status {process.returncode}: {command}" + (f": {words}" if words else "")
