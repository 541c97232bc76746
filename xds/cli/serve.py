"""`alphaswarm-xds serve`: the control plane itself."""

import os

import click
import uvloop

from xds import telemetry
from xds.cli.settings import read_settings


@click.command()
@click.pass_context
def serve(context: click.Context) -> None:
    """Serve the registry to Envoys until SIGTERM or Ctrl-C.

    Envoys subscribe over ADS at XDS_LISTEN; /readyz, /statusz, /metrics and /manage/cells are at HTTP_LISTEN.
    All settings come from the environment: see `alphaswarm-xds settings`.

    Refuses to start unless tokens can be checked (AUTH_ISSUER, AUTH_AUDIENCE, AUTH_JWKS_URL). A database
    that is down, and keys that can't be fetched yet, are waited for: /readyz says so.

    \b
    Example:
      AUTH_ISSUER=https://idp.example AUTH_AUDIENCE=alphaswarm AUTH_JWKS_URL=https://idp.example/jwks \\
        DATABASE_URL=postgresql://xds@db/alphaswarm alphaswarm-xds serve
    """  # noqa: D301 -- click reads the \b
    settings = read_settings(context)
    telemetry.configure(settings.log_level, settings.log_format)
    # gRPC's C core writes lines of its own to the standard error, among our JSON; what matters we say ourselves.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")

    from xds.app import serve as run  # noqa: PLC0415 -- takes a second, and reads GRPC_VERBOSITY

    uvloop.run(run(settings))
