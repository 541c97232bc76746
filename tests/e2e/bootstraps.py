"""Real Envoys whose bootstrap a test writes itself, against a server in this process, and what they ask it for."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.integration.server.ads import ControlPlane, Variant
from tests.support.edge import GROUP
from xds.bootstrap import BootstrapOptions, bootstrap
from xds.demo.envoy import EnvoyProcess
from xds.demo.ports import LOOPBACK, free_port
from xds.names import NodeId
from xds.server import AdsServer
from xds.settingvalues import Address

_MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"

Source = Callable[[Any, float], Any]


def bare(plane: ControlPlane, variant: Variant) -> Any:
    """A bootstrap that has an ADS stream to the server, on which nothing is asked for yet."""
    host, _, port = plane.address.rpartition(":")
    config: Any = bootstrap(
        BootstrapOptions(
            node_id=NodeId("real"),
            node_group=GROUP,
            server=(host, int(port)),
            admin_port=free_port(),
            variant=variant,
        )
    )
    del config["dynamic_resources"]["cds_config"], config["dynamic_resources"]["lds_config"]
    return config


def over_ads(config: Any, seconds: float = 0) -> Any:
    """A config source: the stream of all types. `seconds` are how long Envoy waits for a first answer, 0 for ever."""
    return {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": f"{seconds}s"}


def apart(config: Any, seconds: float = 0) -> Any:
    """A config source: a stream of the type's own service, to the same server and of the same variant."""
    api = config["dynamic_resources"]["ads_config"]
    return {"api_config_source": api, "resource_api_version": "V3", "initial_fetch_timeout": f"{seconds}s"}


def listener(port: int, *filters: Any, **manager: Any) -> Any:
    """A listener at `port` with these HTTP filters before the router; `manager` has its way to its routes."""
    content = {
        "@type": _MANAGER,
        "stat_prefix": "handmade",
        "http_filters": [*filters, {"name": "router", "typed_config": {"@type": _ROUTER}}],
        **manager,
    }
    return {
        "name": "handmade",
        "address": {"socket_address": {"address": LOOPBACK, "port_value": port}},
        "filter_chains": [{"filters": [{"name": "manager", "typed_config": content}]}],
    }


def routes(**route: Any) -> Any:
    """A route table for `listener`, in which every request takes that one route."""
    every = {"match": {"prefix": "/"}, **route}
    return {"name": "handmade", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [every]}]}


def process(config: Any, folder: Path) -> EnvoyProcess:
    """An Envoy with that bootstrap, not started."""
    admin = config["admin"]["address"]["socket_address"]["port_value"]
    return EnvoyProcess("real", config, admin_port=admin, folder=folder)


@asynccontextmanager
async def envoy(config: Any, folder: Path) -> AsyncIterator[EnvoyProcess]:
    """A running Envoy that is ready."""
    async with process(config, folder) as running:
        yield running


async def restart(plane: ControlPlane) -> None:
    """Have the server end and come back at the same address; all that its streams knew is gone."""
    await plane.server.stop(0)
    plane.server = AdsServer(Address.parse(plane.address), plane.around)
    await plane.server.start()


def asked(plane: ControlPlane) -> Mapping[str, list[str]]:
    """The names that are asked for by type, over all streams; `*` for a wildcard."""
    names: dict[str, list[str]] = {}
    for record in plane.fleet.records():
        assert record.session is not None
        for type_url, standing in record.session.standings().items():
            is_wild = record.session.subscribed(type_url) is None
            names.setdefault(type_url, []).extend(["*"] if is_wild else standing.names())
    return {type_url: sorted(each) for type_url, each in names.items()}


def responses(plane: ControlPlane, type_url: str) -> int:
    """How many responses of a type were sent on the open streams."""
    return sum(record.types[type_url].sent for record in plane.fleet.records() if type_url in record.types)


def is_settled(plane: ControlPlane) -> bool:
    """Whether each response was answered."""
    types = [of for record in plane.fleet.records() for of in record.types.values()]
    return all(of.sent == of.acked + of.nacked for of in types)


async def active_clusters(envoy: EnvoyProcess) -> set[str]:
    """The clusters that came by xDS and are ready to be used."""
    dumped: Any = await envoy.config_dump("dynamic_active_clusters")
    return {each["cluster"]["name"] for each in dumped}
