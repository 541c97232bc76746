"""`alphaswarm-xds migrate`."""

import click

from xds.cli.output import as_json_option, print_json, say
from xds.cli.settings import read_settings
from xds.registry.migrating import migrate as migrate_schema


@click.command("migrate")
@click.option("--to", metavar="REV", default="head", show_default=True, help="The revision to upgrade to.")
@as_json_option
@click.pass_context
def migrate(context: click.Context, *, to: str, as_json: bool) -> None:
    """Bring the registry's database to the schema that this version needs.

    Safe to repeat, and to run from two places at once. It only goes forward; `alembic` does the rest, with
    DATABASE_URL set: `alembic current`, `alembic history`, `alembic downgrade`.

    \b
    Example:
      DATABASE_URL=postgresql://xds@db/alphaswarm alphaswarm-xds migrate
    """  # noqa: D301 -- click reads the \b
    settings = read_settings(context)
    url = settings.database_url.get_secret_value()
    migration = migrate_schema(url, to=to, timeout=settings.database_timeout_seconds)
    if as_json:
        print_json(migration)
    elif migration.was == migration.now:
        say(f"registry schema is at {migration.now} already")
    else:
        say(f"registry schema: {migration.was or 'none'} → {migration.now}")
