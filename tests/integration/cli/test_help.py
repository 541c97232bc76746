"""Every command's help says what it does, and every command that tells something tells it as JSON too."""

from collections.abc import Iterator

import click
import pytest

from tests.integration.cli.conftest import Run
from xds.cli import COMMANDS, program

NO_JSON = {"serve", "bootstrap"}
"""What serves, or prints a file."""


def _commands() -> Iterator[tuple[str, ...]]:
    context = click.Context(program)
    for name in COMMANDS:
        command = program.get_command(context, name)
        if isinstance(command, click.Group):
            yield (name,)
            yield from ((name, each) for each in command.list_commands(context))
        else:
            yield (name,)


ALL = list(_commands())


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help(xds: Run, words: tuple[str, ...]) -> None:
    ran = xds(*words, "--help")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: alphaswarm-xds {' '.join(words)}")
    context = click.Context(program)
    command = program.get_command(context, words[0])
    for word in words[1:]:
        assert isinstance(command, click.Group)
        command = command.commands[word]
    is_group = isinstance(command, click.Group)
    assert ("--json" in ran.out) == (not is_group and words[0] not in NO_JSON)
