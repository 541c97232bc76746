"""What goes in and how far it is: files of lines, and a progress bar for terminals."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from xds.errors import RequestError


def read_lines(file: Path) -> StringIO:
    """A file's lines, or the standard input's for `-`."""
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        # utf-8-sig: spreadsheets begin a file with a byte order mark.
        return StringIO(data.decode("utf-8-sig"), newline="")
    except OSError as error:
        raise RequestError(f"cannot read {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"cannot read {file}: expected UTF-8 text, got byte {error.start} wrong") from None


@contextmanager
def progress_bar(doing: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on the standard error, if that is a terminal; it is told how many are done of how many."""
    console = Console(stderr=True)
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task(doing, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
