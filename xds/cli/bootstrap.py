"""`alphaswarm-xds bootstrap`: what an Envoy needs to subscribe here."""

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import click

from xds.bootstrap import BootstrapOptions, ChannelTls, secrets
from xds.bootstrap import bootstrap as make_bootstrap
from xds.cli.labels import read_labels
from xds.names import NodeGroup, NodeId
from xds.settingvalues import Address


class AddressType(click.ParamType[Address]):
    """host:port."""

    name = "host:port"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Parse, or fail with what was expected."""
        try:
            return value if isinstance(value, Address) else Address.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--node-id", default=socket.gethostname, show_default="host name", help="The Envoy's name; must be unique."
)
@click.option(
    "--node-group", default="alphaswarm-edge", show_default=True, help="Its node group: one of EDGE_LISTENERS."
)
@click.option(
    "--server", type=AddressType(), default="127.0.0.1:18000", show_default=True, help="Where this server's ADS is."
)
@click.option("--admin-port", type=click.IntRange(0, 65535), default=9901, show_default=True, help="On loopback only.")
@click.option(
    "--metrics-port",
    type=click.IntRange(1, 65535),
    help="Where others get /stats/prometheus and /ready, and nothing else of it. [default: nowhere]",
)
@click.option("--variant", type=click.Choice(["delta", "sotw"]), default="delta", show_default=True)
@click.option(
    "--max-connections",
    type=click.IntRange(min=1),
    default=50_000,
    show_default=True,
    help="Clients' connections at most: less than half of the file descriptors that Envoy may have.",
)
@click.option(
    "--max-heap-bytes",
    type=click.IntRange(min=1),
    default=2 * 1024**3,
    show_default="2 GiB",
    help="The heap's limit: at 95 % memory is given back, from 92 % on the streams that hold most are reset, at 98 %"
    " requests are refused.",
)
@click.option("--tls-ca", type=_FILE, help="The CA of this server's certificate, a file on Envoy's machine.")
@click.option("--tls-cert", type=_FILE, help="Envoy's certificate, which says which node it is; there, too.")
@click.option("--tls-key", type=_FILE, help="The private key of that certificate.")
@click.option(
    "--tls-secrets",
    type=click.Path(file_okay=False, path_type=Path),
    help="A folder: two files are written to it, and read by Envoy at the same place. With them, Envoy follows the"
    " three files above as they change.",
)
@click.option(
    "--server-name", default="", help="The name that this server's certificate must carry. [default: the server's host]"
)
@click.option("--region", default="", help="The Envoy's region.")
@click.option("--zone", default="", help="The Envoy's zone.")
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=VALUE",
    callback=read_labels,
    help="What a rollout's waves may choose by; may be repeated.",
)
def bootstrap(
    *,
    node_id: str,
    node_group: str,
    server: Address,
    admin_port: int,
    metrics_port: int | None,
    variant: Literal["delta", "sotw"],
    max_connections: int,
    max_heap_bytes: int,
    tls_ca: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_secrets: Path | None,
    server_name: str,
    region: str,
    zone: str,
    labels: Mapping[str, str],
) -> None:
    """Print a ready Envoy bootstrap for this server, as JSON.

    The Envoy subscribes over ADS, and stays unready until it has its whole config. Over TLS with --tls-ca, --tls-cert
    and --tls-key; what changes these files must do it by a rename (as Kubernetes does).

    \b
    Example:
      alphaswarm-xds bootstrap --server xds.internal:18000 --tls-ca /tls/ca.pem --tls-cert /tls/edge.pem \\
        --tls-key /tls/edge.key --tls-secrets /etc/envoy > envoy.json
      envoy -c envoy.json
    """  # noqa: D301 -- click reads the \b
    files = (tls_ca, tls_cert, tls_key)
    if not all(files) and (any(files) or tls_secrets or server_name):
        raise click.UsageError("TLS needs all of --tls-ca, --tls-cert and --tls-key")
    tls = _tls(tls_ca, tls_cert, tls_key, tls_secrets, server_name or server.host)
    options = BootstrapOptions(
        node_id=NodeId(node_id),
        node_group=NodeGroup(node_group),
        server=server,
        admin_port=admin_port,
        metrics_port=metrics_port,
        variant=variant,
        max_connections=max_connections,
        max_heap_bytes=max_heap_bytes,
        region=region,
        zone=zone,
        labels=labels,
        tls=tls,
    )
    if tls and tls_secrets:
        _write(tls_secrets, secrets(tls))
    click.echo(json.dumps(make_bootstrap(options), indent=2))


def _tls(
    ca: Path | None, certificate: Path | None, key: Path | None, folder: Path | None, server_name: str
) -> ChannelTls | None:
    if ca and certificate and key:
        # Envoy looks a relative path up from wherever it is started.
        ca, certificate, key = ca.absolute(), certificate.absolute(), key.absolute()
        found = folder.absolute() if folder else None
        return ChannelTls(ca=ca, certificate=certificate, key=key, server_name=server_name, secrets=found)
    return None


def _write(folder: Path, files: Mapping[str, object]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_text(json.dumps(content, indent=2))
    except OSError as error:
        raise click.UsageError(f"--tls-secrets: cannot write to {folder}: {error.strerror}") from None
