"""`alphaswarm-xds bootstrap`: what an Envoy needs to subscribe here."""

import json
import socket
from typing import Literal

import click

from xds.names import NodeGroup, NodeId
from xds.settings import Address
from xds.translate.bootstrap import BootstrapOptions
from xds.translate.bootstrap import bootstrap as make_bootstrap


class AddressType(click.ParamType[Address]):
    """host:port."""

    name = "host:port"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        """Parse, or fail with what was expected."""
        try:
            return value if isinstance(value, Address) else Address.parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


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
@click.option("--region", default="", help="The Envoy's region.")
@click.option("--zone", default="", help="The Envoy's zone.")
def bootstrap(
    *,
    node_id: str,
    node_group: str,
    server: Address,
    admin_port: int,
    variant: Literal["delta", "sotw"],
    max_connections: int,
    max_heap_bytes: int,
    region: str,
    zone: str,
) -> None:
    """Print a ready Envoy bootstrap for this server, as JSON.

    The Envoy subscribes over ADS, and stays unready until it has its whole config.

    \b
    Example:
      alphaswarm-xds bootstrap --server xds.internal:18000 > envoy.json
      envoy -c envoy.json
    """  # noqa: D301 -- click reads the \b
    options = BootstrapOptions(
        node_id=NodeId(node_id),
        node_group=NodeGroup(node_group),
        server=server,
        admin_port=admin_port,
        variant=variant,
        max_connections=max_connections,
        max_heap_bytes=max_heap_bytes,
        region=region,
        zone=zone,
    )
    click.echo(json.dumps(make_bootstrap(options), indent=2))
