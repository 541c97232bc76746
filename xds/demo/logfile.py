"""What a program's log says about why it ended."""

import os
from contextlib import suppress
from pathlib import Path

_TAIL_BYTES = 8192
_TELLING = ("error", "fatal", "critical", "panic", "cannot", "could not", "in use", "denied")


def telling_line(log: Path, start: int = 0) -> str:
    """The line that says why: the last that speaks of an error, else the last at all, from byte `start` on."""
    lines = [line.strip() for line in _tail(log, start).splitlines() if line.strip()]
    telling = [line for line in lines if not line.endswith(":") and any(word in line.lower() for word in _TELLING)]
    return (telling or lines or [""])[-1]


def _tail(log: Path, start: int) -> str:
    with suppress(FileNotFoundError), log.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(start, size - _TAIL_BYTES))
        return file.read().decode(errors="replace")
    return ""
