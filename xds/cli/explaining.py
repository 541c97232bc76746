"""`alphaswarm-xds tenants explain`."""

from collections.abc import Sequence
from dataclasses import asdict

import click

from xds.cli.asking import witness
from xds.cli.changing import event_to_json
from xds.cli.output import as_json_option, print_json, say
from xds.cli.registry import run
from xds.cli.remote import server_options
from xds.names import TenantId
from xds.operations.explaining import Explanation, explain_tenant

DISAGREES = 1
"""The exit status when a server or an Envoy that was asked does not follow the registry yet."""


@click.command("explain")
@click.argument("tenant_id", metavar="ID")
@server_options
@as_json_option
@click.pass_context
def explain_command(
    context: click.Context, *, tenant_id: str, servers: Sequence[str], token: str, as_json: bool
) -> None:
    """Say where a tenant's requests go, and why: as the registry, the snapshot and each Envoy see it.

    Status 1 if an Envoy that was asked about, by --server, does not follow the registry yet.

    \b
    Example:
      alphaswarm-xds tenants explain acme --server http://127.0.0.1:8080
    """  # noqa: D301 -- click reads the \b
    asked = witness(servers, token)
    told = run(context, lambda registry: explain_tenant(registry, TenantId(tenant_id), asked))
    if as_json:
        print_json(_to_json(told))
    else:
        for sentence in told.why:
            say(sentence)
    if told.agrees is False:
        raise click.exceptions.Exit(DISAGREES)


def _to_json(told: Explanation) -> dict[str, object]:
    override = told.override
    return {
        **asdict(told),
        "override": override and {**asdict(override), "expires_at": override.expires_at.isoformat(timespec="seconds")},
        "last": told.last and event_to_json(told.last),
        "witnessed": [{**asdict(each), "envoys": dict(each.envoys)} for each in told.witnessed],
    }
