"""The file with the table of session tokens, read again whenever it has changed.

A file that can't be used leaves the table as it was, and says so; each token in it still has its own end.
"""

import asyncio
from pathlib import Path

from xds.callout.tokentable import TokenTable, parse_csv, parse_json
from xds.errors import SettingsError
from xds.telemetry import get_logger

SECONDS = 1.0
"""How often it is looked at."""

_log = get_logger()

_Stamp = tuple[int, int, int, int]


class TokenFile:
    """The file, and the last good table in it; raises `SettingsError` if the first is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: _Stamp | None = None
        self._trouble = ""
        try:
            self._stamp, self.table = self._stamped(), self._read()
        except (OSError, ValueError) as error:
            raise SettingsError((f"CALLOUT_TOKENS_FILE: cannot use {path}: {_reason(error)}",)) from None

    async def watch(self) -> None:
        """Follow it until cancelled."""
        while True:
            await asyncio.sleep(SECONDS)
            await self.refresh()

    async def refresh(self) -> None:
        """Read it, if it is another than the one read last."""
        try:
            stamp = self._stamped()
            if stamp == self._stamp:
                return
            # Before it is read: if it changes meanwhile, it is read again.
            self._stamp = stamp
            self.table = await asyncio.to_thread(self._read)
        except (OSError, ValueError) as error:
            self._complain(_reason(error))
            return
        self._trouble = ""
        _log.info("callout.tokens_read", path=str(self._path), count=len(self.table.tokens))

    def _complain(self, reason: str) -> None:
        if reason != self._trouble:
            self._trouble = reason
            _log.error("callout.tokens_not_read", path=str(self._path), error=reason, kept=len(self.table.tokens))

    def _stamped(self) -> _Stamp:
        of = self._path.stat()
        return of.st_ino, of.st_size, of.st_mtime_ns, of.st_ctime_ns

    def _read(self) -> TokenTable:
        text = self._path.read_text(encoding="utf-8")
        return parse_csv(text) if self._path.suffix == ".csv" else parse_json(text)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return "expected UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
