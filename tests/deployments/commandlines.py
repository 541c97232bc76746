"""Command lines of the program, as texts and manifests have them."""

import re
import shlex
from collections.abc import Iterator

import click

from xds.cli import PROGRAM, program


def shell(text: str) -> str:
    """The shell blocks of a text, joined, with continued lines made one."""
    return "\n".join(re.findall(r"^ *```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)).replace("\\\n", " ")


def invocations(text: str) -> Iterator[str]:
    """Each command line of ours in a text's shell blocks and inline code."""
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL))
    for line in [*shell(text).splitlines(), *inline]:
        if found := re.search(rf"(?:^|\s|-- ){PROGRAM} +(?=[a-z-])(.*)$", re.sub(r"\s#.*$", "", line)):
            yield found[1].strip()


def parse(line: str) -> None:
    """Have click parse a command line, down to the last command, and run nothing."""
    words = [word for word in shlex.split(line.partition(" | ")[0].partition(" > ")[0]) if word != "…"]
    command: click.Command = program
    while isinstance(command, click.Group):
        context = command.make_context(command.name, list(words), resilient_parsing=False)
        rest = [*context._protected_args, *context.args]
        if not rest:
            return  # a group alone, as when it is spoken of
        name, found, words = command.resolve_command(context, rest)
        assert found is not None, name
        command = found
    command.make_context(command.name, list(words))
