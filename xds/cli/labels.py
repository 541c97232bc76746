"""Labels as they are typed: `NAME=VALUE`, several times."""

import click


def read_labels(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    """The labels by name; refuses what is none, and a name that is there twice."""
    labels: dict[str, str] = {}
    for value in values:
        name, equals, text = value.partition("=")
        if not name or not equals or name in labels:
            raise click.BadParameter(f"expected NAME=VALUE, each name once, got {value!r}")
        labels[name] = text
    return labels
