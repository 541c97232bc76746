"""A real Envoy without ADS: each type over a stream of its own service.

So no order holds between the types but that in which Envoy itself asks. And names of types that we have nothing of.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core.v3 import ConfigSource
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager
from envoy_data_plane.google.protobuf import Any as AnyMessage

from tests.e2e.bootstraps import (
    Source,
    active_clusters,
    apart,
    asked,
    bare,
    envoy,
    is_settled,
    listener,
    over_ads,
    process,
    responses,
    routes,
)
from tests.e2e.watching import extra_cell, until
from tests.integration.server.ads import ControlPlane, Variant, control_plane
from tests.support.edge import AUDIENCE, GROUP, ISSUER, cell, edge_options, endpoint, tenant, topology
from xds.demo.client import EdgeClient
from xds.demo.idp import IdentityProvider
from xds.demo.ports import LOOPBACK, free_port
from xds.model import Cell, Tenant
from xds.names import TypeUrl
from xds.server.services import RUNTIME, SECRET
from xds.snapshot import Resource, ResourceTable, Snapshot, encode_resource
from xds.translate import translate

VARIANTS = ("delta", "sotw")
TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"
RBAC = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"
Ask = Callable[[Any, Any], None]
SECONDS = 2
"""How long Envoy waits for a first answer, in the tests in which there is none."""


def with_body(resource: Resource, body: bytes) -> Resource:
    """The same resource with another content."""
    return encode_resource(resource.name, body, needs=resource.needs, awaits=resource.awaits)


def without_ads(snapshot: Snapshot, source: ConfigSource) -> Snapshot:
    """The same resources, whose own resources come from that source."""
    listeners, clusters = snapshot.table(TypeUrl.LISTENER), snapshot.table(TypeUrl.CLUSTER)
    tables: dict[str, ResourceTable] = {
        TypeUrl.LISTENER: listeners.replace([_listener(each, source) for each in listeners.values()]),
        TypeUrl.CLUSTER: clusters.replace([_cluster(each, source) for each in clusters.values()]),
    }
    return replace(snapshot, tables={**snapshot.tables, **tables})


def _listener(resource: Resource, source: ConfigSource) -> Resource:
    content = Listener.parse(resource.body)
    (manager,) = content.filter_chains[0].filters
    assert manager.typed_config is not None
    settings = HttpConnectionManager.parse(manager.typed_config.value)
    assert settings.scoped_routes is not None
    assert settings.scoped_routes.scoped_rds is not None
    settings.scoped_routes.rds_config_source = source
    settings.scoped_routes.scoped_rds.scoped_rds_config_source = source
    for each in settings.http_filters:
        if each.config_discovery is not None:
            each.config_discovery.config_source = source
    manager.typed_config = AnyMessage.pack(settings)
    return with_body(resource, bytes(content))


def _cluster(resource: Resource, source: ConfigSource) -> Resource:
    content = Cluster.parse(resource.body)
    assert content.eds_cluster_config is not None
    content.eds_cluster_config.eds_config = source
    return with_body(resource, bytes(content))


@pytest.mark.parametrize("variant", VARIANTS)
async def test_an_envoy_without_ads_becomes_ready_routes_and_follows(variant: Variant, tmp_path: Path) -> None:
    idp, port = IdentityProvider(issuer=ISSUER, audience=AUDIENCE), free_port()
    options = edge_options(jwks=idp.jwks(), listeners={GROUP: (LOOPBACK, port)})
    async with (
        extra_cell("cell-a") as port_of_a,
        extra_cell("cell-b") as port_of_b,
        control_plane(published=False) as plane,
    ):
        config = bare(plane, variant)
        source = apart(config)
        del config["dynamic_resources"]["ads_config"]
        config["dynamic_resources"] |= {"cds_config": source, "lds_config": source}
        cells = [
            cell(name, endpoints=(endpoint(f"127.0.0.1:{at}"),))
            for name, at in (("cell-a", port_of_a), ("cell-b", port_of_b))
        ]

        async def publish(number: int, *things: Cell | Tenant) -> None:
            snapshot = translate(topology(*things), options).snapshots(number)[GROUP]
            await plane.feed.publish({GROUP: without_ads(snapshot, ConfigSource.from_dict(source))})

        await publish(1, cells[0], tenant("acme", "cell-a"))
        async with envoy(config, tmp_path) as running, EdgeClient(port) as client:
            answer = await client.get("/api/x", token=idp.mint("acme"))
            assert (answer.status, answer.cell) == (200, "cell-a")
            assert {tuple(record.types) for record in plane.fleet.records()} == {(of,) for of in TypeUrl}

            async def has_both() -> bool:
                return await active_clusters(running) == {"cell-a-api", "cell-b-api"}

            async def has_moved() -> bool:
                return (await client.get("/api/x", token=idp.mint("acme"))).cell == "cell-b"

            # What is new comes first, since no order holds between streams.
            await publish(2, *cells, tenant("acme", "cell-a"))
            await until(has_both, "the new cell is there")
            await publish(3, *cells, tenant("acme", "cell-b"))
            await until(has_moved, "the tenant is in the new cell")
            assert {of.nacked for record in plane.fleet.records() for of in record.types.values()} == {0}


# Types of which there is nothing


def with_layer(config: Any, source: Any) -> None:
    """Have it ask for a layer of its runtime."""
    config["layered_runtime"] = {"layers": [{"name": "none", "rtds_layer": {"name": "none", "rtds_config": source}}]}


def with_certificate(config: Any, source: Any) -> None:
    """Have it ask for a certificate of its listener."""
    secret = {"tls_certificate_sds_secret_configs": [{"name": "none", "sds_config": source}]}
    tls = {"@type": f"{TLS}.DownstreamTlsContext", "common_tls_context": secret}
    (chain,) = config["static_resources"]["listeners"][0]["filter_chains"]
    chain["transport_socket"] = {"name": "tls", "typed_config": tls}


def with_filter(config: Any, source: Any) -> None:
    """Have it ask for the config of a filter of its listener, in whose place one that does nothing may stand."""
    discovery = {"config_source": source, "type_urls": [RBAC], "default_config": {"@type": RBAC}}
    (chain,) = config["static_resources"]["listeners"][0]["filter_chains"]
    chain["filters"][0]["typed_config"]["http_filters"].insert(0, {"name": "none", "config_discovery": discovery})


def asking(plane: ControlPlane, variant: Variant, port: int, ask: Ask, of: Source, seconds: float) -> Any:
    """A bootstrap that answers by itself, but for something that there is nothing of."""
    config = bare(plane, variant)
    answer = routes(direct_response={"status": 200, "body": {"inline_string": "ok"}})
    config["static_resources"]["listeners"] = [listener(port, route_config=answer)]
    ask(config, of(config, seconds))
    return config


each_source = pytest.mark.parametrize("source", [apart, over_ads], ids=["own service", "ads"])


@each_source
@pytest.mark.parametrize(("type_url", "ask"), [(RUNTIME, with_layer), (SECRET, with_certificate)], ids=["rtds", "sds"])
async def test_rule_25_an_envoy_that_is_told_that_there_is_none_waits_no_longer(
    type_url: str, ask: Ask, source: Source, tmp_path: Path
) -> None:
    port = free_port()
    async with control_plane() as plane:
        running = process(asking(plane, "delta", port, ask, source, seconds=300), tmp_path)
        async with running, EdgeClient(port) as client:
            await until(lambda: has_heard(plane, type_url), "it has acknowledged that")
            assert asked(plane) == {type_url: ["none"]}
            if ask is with_layer:
                assert (await client.get("/")).text == "ok"


@each_source
@pytest.mark.parametrize(
    ("type_url", "ask"),
    [(RUNTIME, with_layer), (SECRET, with_certificate), (TypeUrl.EXTENSION, with_filter)],
    ids=["rtds", "sds", "ecds"],
)
async def test_rule_21_in_sotw_it_is_told_nothing_and_goes_on_by_its_own_time_out(
    type_url: str, ask: Ask, source: Source, tmp_path: Path
) -> None:
    port = free_port()
    async with control_plane() as plane:
        began = monotonic()
        async with envoy(asking(plane, "sotw", port, ask, source, SECONDS), tmp_path), EdgeClient(port) as client:
            assert monotonic() - began > SECONDS
            assert asked(plane) == {type_url: ["none"]}
            assert responses(plane, type_url) == 0
            if ask is not with_certificate:
                assert (await client.get("/")).text == "ok"


async def test_rule_41_an_envoy_that_asks_for_a_filters_config_that_is_not_there_becomes_ready(tmp_path: Path) -> None:
    port = free_port()
    async with control_plane() as plane:
        running = process(asking(plane, "delta", port, with_filter, apart, SECONDS), tmp_path)
        await running.start(timeout=10)
        try:
            async with EdgeClient(port) as client:
                assert (await client.get("/")).text == "ok"
        finally:
            await running.stop()


async def has_heard(plane: ControlPlane, type_url: str) -> bool:
    return is_settled(plane) and responses(plane, type_url) == 1
