"""How results are shown: tables for people, JSON for scripts. Knows nothing about what they mean."""

import dataclasses
import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Protocol

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text


class Change(Protocol):
    """What an operation returns about something that it may have changed; a dataclass."""

    @property
    def is_change(self) -> bool:
        """Whether anything was written."""
        ...


as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
"""The `--json` flag; the parameter's name is `as_json`."""

PIPE_CLOSED = 141
"""The exit status: 128 + SIGPIPE, as shells count."""

UNLIMITED_WIDTH = 10_000
"""The width for what is not a terminal: a script or `grep` wants a row to be a line."""


def print_json(value: object) -> None:
    """Print `value`: a dataclass as an object of its fields, anything else as it is."""
    say(json.dumps(value, indent=2, default=_jsonable, ensure_ascii=False))


def change_to_json(change: Change) -> dict[str, object]:
    """A change's fields, and `changed`."""
    return _jsonable(change) | {"changed": change.is_change}


def print_list(values: Iterable[object]) -> None:
    """Print several values as JSON: `{"data": [...]}`, the form that the HTTP face has too."""
    print_json({"data": list(values)})


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print a table; `empty` is said on the standard error instead when there are no rows."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(str(value)) for value in row))
    if not table.row_count:
        click.echo(empty, err=True)
        return
    is_terminal = sys.stdout.isatty()
    console = Console(width=None if is_terminal else UNLIMITED_WIDTH)
    with console.capture() as capture:
        console.print(table)
    # Not by rich, which answers a closed pipe with an exit of its own.
    for line in capture.get().splitlines():
        say(line.rstrip())


def say(text: str) -> None:
    """Print a line; ends the program quietly when whoever read them has seen enough."""
    try:
        click.echo(text)
    except BrokenPipeError:
        # Python would complain once more when it flushes the standard output at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(PIPE_CLOSED) from None


def _jsonable(value: object) -> dict[str, object]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    raise TypeError(f"no JSON for {type(value).__name__}")
