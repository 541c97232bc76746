"""`alphaswarm-xds keys`: arguments to operations, results to tables or JSON."""

from datetime import UTC, datetime

import click

from xds.cli.changing import author_options
from xds.cli.output import as_json_option, change_to_json, print_json, print_list, print_table, say
from xds.cli.registry import run
from xds.cli.times import future
from xds.model import ApiKey
from xds.names import KeyId, TenantId
from xds.operations import Author, create_key, list_keys, revoke_key

_COLUMNS = ("ID", "TENANT", "NAME", "STATE", "CREATED", "BY", "EXPIRES", "LAST USED")


@click.group()
def keys() -> None:
    """Make, list and revoke API keys, which agents and scripts exchange for tokens."""


@keys.command("create")
@click.argument("tenant_id", metavar="TENANT")
@click.option("--name", required=True, metavar="TEXT", help="What the key is for, for people.")
@click.option(
    "--expires",
    "expires_at",
    callback=future,
    metavar="WHEN",
    default="90d",
    show_default=True,
    help="30m, 12h, 90d, or a date.",
)
@author_options
@as_json_option
@click.pass_context
def create_command(
    context: click.Context, *, tenant_id: str, name: str, expires_at: datetime, author: Author, as_json: bool
) -> None:
    """Make an API key for a tenant, and print it: this once, since only its hash is kept.

    With the key, `POST /token` gives a token of a few minutes, which the edge accepts like any other.

    \b
    Example:
      alphaswarm-xds keys create acme --name nightly-import --expires 30d
    """  # noqa: D301 -- click reads the \b
    tenant, now = TenantId(tenant_id), datetime.now(UTC)
    new = run(
        context,
        lambda registry: create_key(registry.api_keys, tenant, name, by=author, now=now, expires_at=expires_at),
    )
    if as_json:
        print_json({"key": new.text, **_to_json(new.key)})
        return
    say(new.text)
    until = _shown(new.key.expires_at)
    click.echo(f"key {new.key.id} for {tenant}, until {until}; it is shown this once: keep it now", err=True)


@keys.command("list")
@click.option("--tenant", metavar="ID", help="Only keys of this tenant.")
@as_json_option
@click.pass_context
def list_command(context: click.Context, *, tenant: str | None, as_json: bool) -> None:
    """List API keys, by tenant and age: everything about them but the keys.

    \b
    Example:
      alphaswarm-xds keys list --tenant acme
    """  # noqa: D301 -- click reads the \b
    of_tenant = TenantId(tenant) if tenant is not None else None
    listed = run(context, lambda registry: list_keys(registry.api_keys, tenant=of_tenant))
    if as_json:
        print_list(map(_to_json, listed))
    else:
        print_table(_COLUMNS, map(_row, listed), empty="no API keys")


@keys.command("revoke")
@click.argument("key_id", metavar="ID")
@author_options
@as_json_option
@click.pass_context
def revoke_command(context: click.Context, *, key_id: str, author: Author, as_json: bool) -> None:
    """Revoke an API key, for ever.

    It gives no token from now on. A token that it has given lives on until it expires: at most
    TOKEN_LIFE_SECONDS, and the AUTH_CLOCK_SKEW_SECONDS that the edge allows.

    \b
    Example:
      alphaswarm-xds keys revoke 3f9c2a7d41e0b586
    """  # noqa: D301 -- click reads the \b
    now = datetime.now(UTC)
    change = run(context, lambda registry: revoke_key(registry.api_keys, KeyId(key_id), now=now, by=author))
    if as_json:
        print_json(change_to_json(change))
    else:
        say(f"key {change.key}: " + (f"{change.was} → {change.now}" if change.is_change else f"{change.now} already"))


def _to_json(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "tenant": key.tenant,
        "name": key.name,
        "state": key.state(datetime.now(UTC)),
        "created_at": key.created_at.isoformat(timespec="seconds"),
        "created_by": key.created_by,
        "expires_at": key.expires_at.isoformat(timespec="seconds"),
        "revoked_at": key.revoked_at.isoformat(timespec="seconds") if key.revoked_at else None,
        "last_used_at": key.last_used_at.isoformat(timespec="seconds") if key.last_used_at else None,
    }


def _row(key: ApiKey) -> tuple[object, ...]:
    times = map(_shown, (key.expires_at, key.last_used_at))
    state = key.state(datetime.now(UTC))
    return (key.id, key.tenant, key.name, state, _shown(key.created_at), key.created_by, *times)


def _shown(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}" if at else "never"
