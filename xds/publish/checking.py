"""The operator's own check of a rollout: a command, whose exit status says go, stop or wait.

Runs beside whoever judges the fleet, which never waits for it.
"""

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum

CANNOT_TELL = 3
"""The exit status that says neither go nor stop, as `canary check` has it."""

_WORDS = 300


class Answer(Enum):
    """What becomes of the wave that was asked about."""

    GO = "go"
    WAIT = "wait"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check said; `reason` is why it does not say go, in its own last words."""

    answer: Answer
    reason: str = ""


GO = Verdict(Answer.GO)
NOT_YET = Verdict(Answer.WAIT, "the check has not ended yet")


class Check:
    """A command that is asked, again and again, about the wave that soaks. Without a command all is well."""

    def __init__(self, command: str, *, seconds: float, every: float) -> None:
        self._command = command
        self._seconds = seconds
        self._every = every
        self._wave: object = None
        self._verdict = NOT_YET
        self._is_another = asyncio.Event()

    def verdict(self, wave: object) -> Verdict:
        """What it said last about a wave, from now on the one to be asked about; None: none is."""
        if wave != self._wave:
            self._wave, self._verdict = wave, NOT_YET
            self._is_another.set()
        return self._verdict if self._command else GO

    async def run(self) -> None:
        """Ask until cancelled. What is asked about a wave that soaks no longer is killed."""
        while True:
            self._is_another.clear()
            async with asyncio.TaskGroup() as tasks:
                asking = tasks.create_task(self._ask())
                await self._is_another.wait()
                asking.cancel()

    async def _ask(self) -> None:
        wave = self._wave
        while self._command and wave is not None:
            verdict = await check(self._command, self._seconds)
            if wave != self._wave:
                return
            self._verdict = verdict
            await asyncio.sleep(self._every)


async def check(command: str, seconds: float) -> Verdict:
    """Run a command in a shell, for so long at most."""
    try:
        process = await asyncio.create_subprocess_shell(
            command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, start_new_session=True
        )
    except OSError as error:  # no memory, too many processes
        return Verdict(Answer.WAIT, f"the check can't be run: {error}")
    try:
        async with asyncio.timeout(seconds):
            said, _ = await process.communicate()
    except TimeoutError:
        return Verdict(Answer.STOP, f"the check did not end within {seconds:g} s: {command}")
    finally:
        # The group, though the shell may have ended: what it left in the background holds its output.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    if process.returncode == 0:
        return GO
    words = said.decode(errors="replace").strip()[-_WORDS:]
    told = f"{command}" + (f": {words}" if words else "")
    if process.returncode == CANNOT_TELL:
        return Verdict(Answer.WAIT, f"the check cannot tell: {told}")
    return Verdict(Answer.STOP, f"the check failed with status {process.returncode}: {told}")
