"""How a command asks running servers what their Envoys have acknowledged."""

from collections.abc import Callable, Sequence

import click

from xds.operations.phasing import Witness


def server_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command --server and --token; its parameters are `servers` and `token`."""
    server = click.option(
        "--server",
        "servers",
        multiple=True,
        metavar="URL",
        help="A running server's HTTP address, http://xds.internal:8080; each replica, for all Envoys.",
    )
    token = click.option(
        "--token",
        default="",
        envvar="XDS_OPERATOR_TOKEN",
        help="An operator's token, if it wants one. [env: XDS_OPERATOR_TOKEN]",
    )
    return server(token(command))


def witness(servers: Sequence[str], token: str) -> Witness | None:
    """Who is asked; None if nobody is."""
    if not servers:
        return None
    # Here and not above: most commands need no HTTP client, which takes a while to import.
    from xds.http import Servers  # noqa: PLC0415

    return Servers(servers, token)
