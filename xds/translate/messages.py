"""Small pieces of Envoy's messages that several kinds of resource are made of.

Knows nothing about cells or tenants.
"""

from datetime import timedelta

from betterproto2 import Message
from envoy_data_plane.envoy.config.core.v3 import (
    Address,
    AggregatedConfigSource,
    ApiVersion,
    ConfigSource,
    SocketAddress,
)
from envoy_data_plane.envoy.config.route.v3 import RouteAction
from envoy_data_plane.google.protobuf import Any

from xds.names import ResourceName


def _validate(self: Message) -> None:
    """Have pydantic look at a message that may have been changed since it was made.

    betterproto2 does the same at every encoding, but builds the class's validator anew each time, 0.15 ms a message:
    three quarters of a translation. The class has one already. (A betterproto2 without this method is slow, not wrong.)
    """
    fields = {name: value for name, value in self.__dict__.items() if name != "_unknown_fields"}
    type(self).__pydantic_validator__.validate_python(fields)  # type: ignore[attr-defined]


Message._validate = _validate  # type: ignore[method-assign]  # noqa: SLF001


def pack(message: Message) -> Any:
    """The message as an Any, under the type URL that Envoy knows."""
    return Any.pack(message)


def socket_address(host: str, port: int) -> Address:
    """A TCP address."""
    return Address(socket_address=SocketAddress(address=host, port_value=port))


def over_ads() -> ConfigSource:
    """Config that comes over the same stream as all the rest.

    With Envoy's default of 15 s an Envoy that starts while its control plane is down would become ready with
    nothing to serve; zero means that it waits, unready, for as long as it takes.
    """
    return ConfigSource(
        ads=AggregatedConfigSource(),
        initial_fetch_timeout=timedelta(0),
        resource_api_version=ApiVersion.V3,
    )


def unlimited(cluster: ResourceName, silence: timedelta) -> RouteAction:
    """To the cluster, for as long as there is anything to hand on."""
    return RouteAction(cluster=cluster, timeout=timedelta(0), idle_timeout=silence)
