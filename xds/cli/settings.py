"""`alphaswarm-xds settings`, and how every command gets its settings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from xds.cli.output import as_json_option, print_list, print_table
from xds.settings import Settings


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the list."""

    variable: str
    default: str
    meaning: str


def read_settings(context: click.Context) -> Settings:
    """The settings, from the environment and the file that `--settings` names; raises `SettingsError`."""
    file = context.find_root().obj
    return Settings.read(file if isinstance(file, Path) else None)


@click.command("settings")
@as_json_option
def settings(*, as_json: bool) -> None:
    """Print every setting: its environment variable, its default and what it means.

    A file of such lines, NAME=value each, can be given as `alphaswarm-xds --settings FILE`; the environment
    wins over the file.

    \b
    Example:
      alphaswarm-xds settings | grep AUTH_
    """  # noqa: D301 -- click reads the \b
    listed = tuple(_listed(Settings.model_fields))
    if as_json:
        print_list(listed)
    else:
        rows = ((setting.variable, setting.default or "(unset)", setting.meaning) for setting in listed)
        print_table(("VARIABLE", "DEFAULT", "MEANING"), rows, empty="no settings")


def _listed(fields: Mapping[str, FieldInfo]) -> Iterator[Setting]:
    for name, field in fields.items():
        yield Setting(name.upper(), _shown(field.default), field.description or "")


def _shown(value: object) -> str:
    """As it would be written in a file."""
    match value:
        case None:
            return ""
        case SecretStr():
            return _masked(value.get_secret_value())
        case dict():
            return ",".join(f"{key}={item}" for key, item in value.items())
        case tuple() if type(value) is tuple:
            return ",".join(str(item) for item in value)
        case _:
            return str(value)


def _masked(url: str) -> str:
    """A URL without its password."""
    scheme, _, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    return f"{scheme}://{user.partition(':')[0]}:***@{place}" if at and ":" in user else url
