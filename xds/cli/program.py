"""The program: a group of commands, each imported only when it is used.

Each command is a module that is imported when the command is used: envoy-data-plane alone takes a second.
"""

from importlib import import_module
from pathlib import Path

import click

from xds import __version__

PROGRAM = "alphaswarm-xds"

COMMANDS = {
    "serve": "Serve the registry to Envoys: ADS, readiness and metrics.",
    "demo": "Run the whole system on this machine and show that it works.",
    "bootstrap": "Print a ready Envoy bootstrap for this server.",
    "migrate": "Bring the registry's database to the schema of this version.",
    "cells": "List, change, drain and evacuate cells.",
    "tenants": "List, add, move, suspend, import, override and explain tenants.",
    "snapshot": "See what was published, compare, check, roll back, pin, freeze, resume.",
    "rollout": "See, start, watch and abort the rollout of changed settings.",
    "fleet": "See the Envoys of all replicas, and how far each has come.",
    "keys": "Make, list and revoke API keys.",
    "audit": "List who did what, when and why.",
    "canary": "Judge the cutover's canary: go or stop, and the next step.",
    "settings": "Print every setting: its variable, default and meaning.",
}
"""Each command and its line in the help. Module and object have the command's name: `xds.cli.serve:serve`."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are run, and not to be listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        """Every command's name, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(import_module(f"xds.cli.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands' lines without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(PROGRAM, cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name=PROGRAM)
@click.option(
    "--settings",
    "settings_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A file of NAME=value lines; the environment wins.",
)
@click.pass_context
def program(context: click.Context, settings_file: Path | None) -> None:
    """An Envoy xDS control plane: a registry of cells and tenants, pushed to Envoys as configuration.

    Every tenant lives in one cell. Envoys learn from this server which, so that a request is routed to its
    tenant's cell without asking anyone.

    \b
    The two commands to start with:
      alphaswarm-xds demo       see it work: real PostgreSQL, real Envoys, nothing to install
      alphaswarm-xds settings   what `alphaswarm-xds serve` can be told

    Settings come from environment variables (DATABASE_URL, AUTH_ISSUER, …) and from the file that --settings
    names. A wrong value is refused at start, by name.

    \b
    A first registry of your own:
      export DATABASE_URL=postgresql://user:password@host/database
      alphaswarm-xds migrate
      alphaswarm-xds cells add cell-shared-std-local --state active
      alphaswarm-xds tenants add acme --cell cell-shared-std-local

    \b
    Exit status: 0 done, 1 failed, 2 wrong arguments or settings, 130 interrupted.
    """  # noqa: D301 -- click reads the \b
    context.obj = settings_file
