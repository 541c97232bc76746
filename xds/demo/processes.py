"""Child processes that die with this one.

Each child has a session of its own, so that Ctrl-C in the terminal reaches only us and we stop the
children in order; on Linux the kernel ends them when we die without that chance. Knows nothing about
what the children do.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from xds.demo import tether
from xds.demo.environment import clean_environment
from xds.demo.logfile import telling_line
from xds.errors import LocalFailure

_POLL_SECONDS = 0.01
_KILL_SECONDS = 5.0


class Child:
    """One program: its start, its log, its end. Must be started in a thread that outlives it (the main one).

    Args:
        name: What messages call it.
        argv: The program, by path, and its arguments.
        log: The file to which its stderr is appended, and its stdout unless `output` names another.
        output: The file for its stdout alone.
        environment: Its whole environment; by default `clean_environment()`.
        user: As whom it runs; needs root.
        stop_signal: What asks it to end.
        death_signal: What the kernel sends it when we are gone.
    """

    def __init__(  # noqa: PLR0913 -- what a process can be started with
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        log: Path,
        output: Path | None = None,
        environment: Mapping[str, str] | None = None,
        user: str = "",
        stop_signal: signal.Signals = signal.SIGTERM,
        death_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self.name = name
        self.argv = [str(part) for part in argv]
        self.log = log
        self._output = output or log
        self._environment = environment
        self._user = user
        self._stop_signal = stop_signal
        self._death_signal = death_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int:
        """The process id of the last start."""
        if self._process is None:
            raise LocalFailure(f"{self.name}: not started")
        return self._process.pid

    @property
    def status(self) -> int | None:
        """The exit status, negative for a signal; None while it runs or was never started."""
        return None if self._process is None else self._process.poll()

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; raises `LocalFailure` if the binary is missing or may not be run."""
        binary = Path(self.argv[0])
        if not binary.is_file():
            raise LocalFailure(f"{self.name}: cannot run {binary}: no such file")
        if not os.access(binary, os.X_OK):
            raise LocalFailure(f"{self.name}: cannot run {binary}: permission denied")
        wrapper = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), str(int(self._death_signal))]
        with self.log.open("ab") as log, self._output.open("ab") as output:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                [*wrapper, self._user, *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                env=clean_environment() if self._environment is None else dict(self._environment),
                cwd=self.log.parent,
                start_new_session=True,
            )

    def failure(self) -> LocalFailure:
        """What to raise about a child that has ended: binary, exit status, the telling line of its log."""
        line = telling_line(self.log, self._log_start)
        if self.status == tether.CANNOT_RUN and line.startswith("cannot run"):
            return LocalFailure(f"{self.name}: {line}")
        ended = _how_it_ended(self.status)
        return LocalFailure(f"{self.name}: {self.argv[0]} {ended}: {line or 'it logged nothing'} (log: {self.log})")

    async def wait_until(self, is_ready: Callable[[], Awaitable[bool]], *, timeout: float) -> None:
        """Wait until `is_ready` says so; raises `LocalFailure` on an early exit or after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not await is_ready():
            if not self.is_running:
                raise self.failure()
            if time.monotonic() > deadline:
                line = telling_line(self.log, self._log_start)
                raise LocalFailure(f"{self.name}: not ready after {timeout:g} s: {line or 'no log'} (log: {self.log})")
            await asyncio.sleep(_POLL_SECONDS)

    async def wait(self, *, timeout: float) -> int | None:
        """Wait for its end at most `timeout` seconds; the exit status, None if it still runs."""
        deadline = time.monotonic() + timeout
        while self.is_running and time.monotonic() < deadline:  # noqa: ASYNC110 -- its end is no event of the loop
            await asyncio.sleep(_POLL_SECONDS)
        return self.status

    async def stop(self, *, timeout: float = 10) -> None:
        """Ask it to end, wait, and kill it if it does not; also when cancelled meanwhile."""
        if not self.is_running:
            return
        try:
            self.send(self._stop_signal)
            self.send(signal.SIGCONT)  # a paused process would never see the request
            await self.wait(timeout=timeout)
        finally:
            self.kill()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None and self.is_running:
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_KILL_SECONDS)


async def run(child: Child, *, timeout: float) -> None:
    """Run `child` to its end; raises `LocalFailure` unless it ends in time and with exit status 0."""
    child.start()
    try:
        status = await child.wait(timeout=timeout)
    finally:
        still_running = child.is_running
        await child.stop(timeout=1)
    if still_running:
        raise LocalFailure(f"{child.name}: not done after {timeout:g} s (log: {child.log})")
    if status != 0:
        raise child.failure()


def _how_it_ended(status: int | None) -> str:
    if status is not None and status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended with exit status {status}"
