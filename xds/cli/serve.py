"""`alphaswarm-xds serve`: the control plane itself."""

import os
from contextlib import ExitStack

import click
import uvloop

from xds import telemetry
from xds.cli.settings import read_settings

_NO_TLS_1_2 = "ECDHE-PSK-CHACHA20-POLY1305"
"""The cipher suites that gRPC offers for TLS 1.2: one that needs a pre-shared key, and there is none.

gRPC for Python can't set the lowest version (grpc issue 37305). So a client that speaks no more than TLS 1.2 finds no
suite in common; those of TLS 1.3 are not chosen by this list.
"""


@click.command()
@click.pass_context
def serve(context: click.Context) -> None:
    """Serve the registry to Envoys until SIGTERM or Ctrl-C.

    Envoys subscribe over ADS at XDS_LISTEN; /readyz, /statusz, /metrics and /manage are at HTTP_LISTEN.
    All settings come from the environment: see `alphaswarm-xds settings`.

    Refuses to start unless tokens can be checked (AUTH_ISSUER, AUTH_AUDIENCE, AUTH_JWKS_URL), and unless
    Envoys are served over TLS (XDS_TLS_CERT_FILE, XDS_TLS_KEY_FILE, XDS_TLS_CLIENT_CA_FILE), on loopback, or
    in plain text by your own word (XDS_ALLOW_PLAINTEXT=yes). A database that is down, and keys that can't be
    fetched yet, are waited for: /readyz says so.

    \b
    Example:
      AUTH_ISSUER=https://idp.example AUTH_AUDIENCE=alphaswarm AUTH_JWKS_URL=https://idp.example/jwks \\
        DATABASE_URL=postgresql://xds@db/alphaswarm \\
        XDS_TLS_CERT_FILE=xds.pem XDS_TLS_KEY_FILE=xds.key XDS_TLS_CLIENT_CA_FILE=ca.pem alphaswarm-xds serve
    """  # noqa: D301 -- click reads the \b
    settings = read_settings(context)
    is_tls = settings.require_channel() is not None
    with ExitStack() as exits:
        # gRPC's C core writes lines of its own to the standard error, among our JSON. What matters we say ourselves,
        # but for the reason why a handshake failed.
        os.environ.setdefault("GRPC_VERBOSITY", "INFO" if is_tls else "NONE")
        os.environ["GRPC_SSL_CIPHER_SUITES"] = _NO_TLS_1_2
        stream = exits.enter_context(telemetry.native_lines()) if is_tls else None
        telemetry.configure(settings.log_level, settings.log_format, stream)

        from xds.app import serve as run  # noqa: PLC0415 -- takes a second, and reads those variables

        uvloop.run(run(settings))
