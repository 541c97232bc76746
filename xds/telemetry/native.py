"""What gRPC's C core writes on the standard error, as log lines of ours.

It is told there, and nowhere else, why a TLS handshake failed: no call comes of it that Python would see. The core
does not say whose handshake it was. Must not know what is done about it.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TextIO

from xds.telemetry.logs import get_logger

_LINE = re.compile(r"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{6}\s+\d+ (?P<place>\S+:\d+)\] (?P<text>.*)")
"""A line of Abseil's log: `I1123 19:47:43.988141    8101 ssl_transport_security.cc:2563] text`."""

_HANDSHAKE = re.compile(
    r"Handshake failed with error \w+: (?:error:[^:]*:[^:]*:[^:]*:)?(?P<reason>[^:]*)(?:: (?P<detail>.*))?"
)
"""Its text where a handshake failed; before the reason stand BoringSSL's code, library and function."""

_MORE = re.compile(r"=== Source Location Trace: ===\s*|src/core/\S+:\d+|")
"""Further lines of one of the core's; they tell where in its source it was."""

_END_SECONDS = 1.0


@contextmanager
def native_lines() -> Iterator[TextIO]:
    """Take what the core writes for as long as the context lasts; gives the real standard error, for our own lines.

    Whatever else is written to the standard error is passed on as it is.
    """
    reading, writing = os.pipe()
    real = os.dup(2)
    os.dup2(writing, 2)
    os.close(writing)
    sifter = Thread(target=_sift, args=(reading, real), name="native-lines", daemon=True)
    sifter.start()
    try:
        with os.fdopen(os.dup(real), "w", buffering=1, errors="backslashreplace") as stream:
            yield stream
    finally:
        os.dup2(real, 2)  # the pipe's only writing end is gone, and so the sifter ends
        sifter.join(_END_SECONDS)
        os.close(real)


def _sift(reading: int, real: int) -> None:
    with os.fdopen(reading, "rb") as lines:
        for line in lines:
            if not _take(line.decode(errors="backslashreplace").rstrip("\n")):
                os.write(real, line)


def _take(line: str) -> bool:
    """Whether the line is the core's, and then it is logged."""
    found = _LINE.fullmatch(line)
    if not found:
        return _MORE.fullmatch(line) is not None
    failed = _HANDSHAKE.fullmatch(found["text"])
    if failed:
        get_logger().warning("handshake.refused", reason=failed["reason"], detail=failed["detail"] or "")
    else:
        get_logger().debug("library.logged", library="grpc", message=found["text"], place=found["place"])
    return True
