"""What a real Envoy asks for only when a request needs it: one cluster by its name, the route table of one scope.

The listeners are the tests' own, since ours need none of it. With Envoy 1.40 all of it works over ADS, in both
variants, and over the type's own service, but for what the tests named `test_envoy_itself_…` prove.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterable, Iterator, MutableMapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from envoy_data_plane.envoy.config.core.v3 import DataSource
from envoy_data_plane.envoy.config.route.v3 import (
    DirectResponseAction,
    Route,
    RouteConfiguration,
    RouteMatch,
    ScopedRouteConfiguration,
    ScopedRouteConfigurationKey,
    ScopedRouteConfigurationKeyFragment,
    VirtualHost,
)
from structlog.testing import capture_logs

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
    restart,
    routes,
)
from tests.e2e.watching import extra_cell, until
from tests.integration.server.ads import ControlPlane, Variant, control_plane
from tests.support.edge import GROUP, cell, endpoint
from xds.demo.client import Answer, EdgeClient
from xds.demo.envoy import EnvoyProcess
from xds.demo.ports import free_port
from xds.errors import LocalFailure
from xds.model import Cell
from xds.names import ResourceName, Revision, TypeUrl
from xds.snapshot import Ref, Resource, ResourceTable, Snapshot, encode_resource

ON_DEMAND = "type.googleapis.com/envoy.extensions.filters.http.on_demand.v3.OnDemand"
Events = list[MutableMapping[str, Any]]
QUICK = 4.0
"""Seconds. Whatever of Envoy's own ends a wait is set to more in these tests, or is what the test is about."""

PATIENT = 30.0


@pytest.fixture
def events() -> Iterator[Events]:
    """What the server logs."""
    with capture_logs() as lines:
        yield lines


def sent(events: Events, type_url: TypeUrl) -> list[int]:
    """How many resources each response of a type had."""
    responded = (line for line in events if line["event"] == "session.responded")
    return [line["resources"] for line in responded if line["type_url"] == type_url]


@dataclass(slots=True)
class Running:
    """A server, and an Envoy that asks it on demand."""

    plane: ControlPlane
    envoy: EnvoyProcess
    client: EdgeClient
    header: str

    async def ask(self, value: str) -> Answer:
        """The answer to a request that needs that cluster, or that scope."""
        return await self.client.get("/api/x", headers={self.header: value})

    async def ask_quickly(self, value: str) -> Answer:
        """The answer, which must not take long."""
        began = monotonic()
        answer = await self.ask(value)
        assert monotonic() - began < QUICK
        return answer

    async def settle(self) -> None:
        """Wait until Envoy has answered each response."""

        async def settled() -> bool:
            return is_settled(self.plane)

        await until(settled, "each response is acknowledged")

    async def until_asked(self, type_url: TypeUrl, *names: str) -> None:
        """Wait until exactly these names are asked for."""

        async def are_asked() -> bool:
            return asked(self.plane).get(type_url, []) == sorted(names)

        await until(are_asked, f"what is asked for is {names}")


@asynccontextmanager
async def serving(plane: ControlPlane, config: Any, folder: Path, port: int, header: str) -> AsyncIterator[Running]:
    async with envoy(config, folder) as running, EdgeClient(port) as client:
        yield Running(plane, running, client, header)


# Clusters


@asynccontextmanager
async def cells(*names: str) -> AsyncIterator[dict[str, Cell]]:
    """Cells that answer, as the model has them."""
    async with AsyncExitStack() as stack:
        ports = {name: await stack.enter_async_context(extra_cell(name)) for name in names}
        yield {name: cell(name, endpoints=(endpoint(f"127.0.0.1:{port}"),)) for name, port in ports.items()}


@asynccontextmanager
async def odcds(
    plane: ControlPlane,
    variant: Variant,
    source: Source,
    folder: Path,
    *,
    timeout: float = PATIENT,
    has_wildcard: bool = False,
) -> AsyncIterator[Running]:
    """An Envoy whose requests name their cluster. Its endpoints come over ADS in any case."""
    port = free_port()
    config = bare(plane, variant)
    demand = {"@type": ON_DEMAND, "odcds": {"source": source(config, PATIENT), "timeout": f"{timeout}s"}}
    by_header = routes(route={"cluster_header": "x-cluster"})
    config["static_resources"]["listeners"] = [
        listener(port, {"name": "on_demand", "typed_config": demand}, route_config=by_header)
    ]
    if has_wildcard:
        config["dynamic_resources"]["cds_config"] = over_ads(config)
    async with serving(plane, config, folder, port, "x-cluster") as running:
        yield running


odcds_cases = pytest.mark.parametrize(
    ("source", "variant"),
    [(apart, "delta"), (over_ads, "delta"), (over_ads, "sotw")],
    ids=["own service, delta", "ads, delta", "ads, sotw"],
)


@odcds_cases
async def test_a_cluster_is_asked_for_by_its_single_name_when_a_request_needs_it(
    source: Source, variant: Variant, tmp_path: Path, events: Events
) -> None:
    async with (
        cells("cell-a", "cell-b", "cell-c") as those,
        control_plane(*those.values()) as plane,
        odcds(plane, variant, source, tmp_path) as edge,
    ):
        assert asked(plane) == {}

        for count, name in enumerate(("cell-a", "cell-b"), start=1):
            wanted = ["cell-a-api", "cell-b-api"][:count]
            assert (await edge.ask_quickly(f"{name}-api")).cell == name
            await edge.settle()
            # No wildcard, although of this type a first request that names nothing is one.
            assert asked(plane) == {TypeUrl.CLUSTER: wanted, TypeUrl.ENDPOINT: wanted}
            assert await active_clusters(edge.envoy) == set(wanted)
        # Each response has the one that is new, but for a type whose responses are the whole set.
        assert sent(events, TypeUrl.CLUSTER) == [1, 1 if variant == "delta" else 2]
        assert sent(events, TypeUrl.ENDPOINT) == [1, 1]


@odcds_cases
async def test_a_cluster_that_does_not_exist_is_said_so_and_when_it_comes_to_be_it_arrives(
    source: Source, variant: Variant, tmp_path: Path
) -> None:
    # In state of the world nothing can be said of a missing name but by leaving it out, and Envoy waits on.
    timeout = PATIENT if variant == "delta" else 0.5
    async with (
        cells("cell-a", "cell-late") as those,
        control_plane(those["cell-a"]) as plane,
        odcds(plane, variant, source, tmp_path, timeout=timeout) as edge,
    ):
        assert (await edge.ask_quickly("cell-late-api")).status == 503
        assert (await edge.ask_quickly("cell-a-api")).cell == "cell-a"

        async def has_late() -> bool:
            return "cell-late-api" in await active_clusters(edge.envoy)

        await plane.publish(*those.values())
        await until(has_late, "it comes by itself, with no request that needs it")
        assert (await edge.ask_quickly("cell-late-api")).cell == "cell-late"

        before = responses(plane, TypeUrl.CLUSTER)

        async def is_as_told() -> bool:
            is_told = responses(plane, TypeUrl.CLUSTER) > before and is_settled(plane)
            # Envoy 1.40 keeps a cluster that was named, and is left out of a response in state of the world.
            return is_told and await has_late() is (variant == "sotw")

        await plane.publish(those["cell-a"])
        await until(is_as_told, "it goes by itself, where that can be said")
        assert (await edge.ask_quickly("cell-a-api")).cell == "cell-a"
        assert asked(plane)[TypeUrl.CLUSTER] == ["cell-a-api", "cell-late-api"]


@pytest.mark.parametrize("source", [apart, over_ads], ids=["own service", "ads"])
async def test_envoy_itself_asks_for_a_missing_cluster_only_once(source: Source, tmp_path: Path) -> None:
    # What is left for it to wait for is its own time-out: the server is not asked again, and can't say it again.
    timeout = QUICK + 0.5
    async with control_plane() as plane, odcds(plane, "delta", source, tmp_path, timeout=timeout) as edge:
        assert (await edge.ask_quickly("no-such-api")).status == 503
        await edge.settle()
        before = plane.metric("requests_total", type="cds", variant="delta", kind="subscribe")
        began = monotonic()
        assert (await edge.ask("no-such-api")).status == 503
        assert monotonic() - began > QUICK
        assert plane.metric("requests_total", type="cds", variant="delta", kind="subscribe") == before == 1


@odcds_cases
async def test_after_a_reconnect_the_same_names_are_asked_for_and_no_others_are_sent(
    source: Source, variant: Variant, tmp_path: Path
) -> None:
    async with (
        cells("cell-a", "cell-b") as those,
        control_plane(*those.values()) as plane,
        odcds(plane, variant, source, tmp_path) as edge,
    ):
        assert (await edge.ask_quickly("cell-a-api")).cell == "cell-a"
        await edge.settle()
        await restart(plane)
        await edge.until_asked(TypeUrl.CLUSTER, "cell-a-api")
        await edge.settle()
        # Its versions are known in delta; in state of the world a named resource is answered always.
        assert responses(plane, TypeUrl.CLUSTER) == (0 if variant == "delta" else 1)
        assert (await edge.ask_quickly("cell-a-api")).cell == "cell-a"
        assert (await edge.ask_quickly("cell-b-api")).cell == "cell-b"
        assert await active_clusters(edge.envoy) == {"cell-a-api", "cell-b-api"}


async def test_beside_the_wildcard_a_missing_name_is_answered_at_once_and_the_wildcard_stays(tmp_path: Path) -> None:
    async with (
        cells("cell-a", "cell-late") as those,
        control_plane(those["cell-a"]) as plane,
        odcds(plane, "delta", over_ads, tmp_path, has_wildcard=True) as edge,
    ):
        assert (await edge.ask_quickly("cell-a-api")).cell == "cell-a"
        assert (await edge.ask_quickly("cell-late-api")).status == 503
        await restart(plane)
        await edge.until_asked(TypeUrl.CLUSTER, "*")
        await edge.settle()

        await plane.publish(*those.values())

        async def arrives() -> bool:
            return (await edge.ask("cell-late-api")).cell == "cell-late"

        await until(arrives, "it comes, by the wildcard and by its name")


async def test_envoy_itself_has_no_odcds_in_sotw_over_the_own_service(tmp_path: Path) -> None:
    # The proof that this case is not ours to serve: Envoy gives itself up, over an answer that it takes over ADS.
    port = free_port()
    async with cells("cell-a") as those, control_plane(*those.values()) as plane:
        config = bare(plane, "sotw")
        demand = {"@type": ON_DEMAND, "odcds": {"source": apart(config, PATIENT), "timeout": "5s"}}
        by_header = routes(route={"cluster_header": "x-cluster"})
        config["static_resources"]["listeners"] = [
            listener(port, {"name": "on_demand", "typed_config": demand}, route_config=by_header)
        ]
        running = process(config, tmp_path)
        async with running, EdgeClient(port) as client:
            with pytest.raises(LocalFailure):
                await client.get("/api/x", headers={"x-cluster": "cell-a-api"})
            assert await running.child.wait(timeout=10) == -signal.SIGABRT
        assert b"od_cds_api_impl.cc:58] panic: not supported" in running.child.log.read_bytes()


# Scopes


def table(name: str) -> Resource:
    """A route table that answers with its name."""
    answer = DirectResponseAction(status=200, body=DataSource(inline_string=name))
    every = Route(match=RouteMatch(prefix="/"), direct_response=answer)
    body = RouteConfiguration(name=name, virtual_hosts=[VirtualHost(name="all", domains=["*"], routes=[every])])
    return encode_resource(ResourceName(name), bytes(body))


def scope(key: str, *, on_demand: bool = True) -> Resource:
    """A scope of one key, whose route table has a name like it."""
    fragments = [ScopedRouteConfigurationKeyFragment(string_key=key)]
    body = ScopedRouteConfiguration(
        name=key,
        route_configuration_name=f"table-{key}",
        on_demand=on_demand,
        key=ScopedRouteConfigurationKey(fragments=fragments),
    )
    return encode_resource(ResourceName(key), bytes(body), awaits=(Ref(TypeUrl.ROUTE, ResourceName(f"table-{key}")),))


async def publish(plane: ControlPlane, number: int, scopes: Iterable[Resource], tables: Iterable[str]) -> None:
    """Publish scopes, and route tables for these keys."""
    made: dict[str, ResourceTable] = {
        TypeUrl.SCOPE: ResourceTable(TypeUrl.SCOPE, scopes),
        TypeUrl.ROUTE: ResourceTable(TypeUrl.ROUTE, (table(f"table-{key}") for key in tables)),
    }
    snapshot = Snapshot(number=number, revision=Revision(number), group=GROUP, tables=made)
    await plane.feed.publish({GROUP: snapshot})


@asynccontextmanager
async def scoped(plane: ControlPlane, variant: Variant, source: Source, folder: Path) -> AsyncIterator[Running]:
    """An Envoy whose requests choose a scope by a header."""
    port = free_port()
    config = bare(plane, variant)
    by_key = {"fragments": [{"header_value_extractor": {"name": "x-key", "index": 0}}]}
    scopes = {
        "name": "scopes",
        "scope_key_builder": by_key,
        "rds_config_source": source(config, PATIENT),
        "scoped_rds": {"scoped_rds_config_source": source(config, PATIENT)},
    }
    config["static_resources"]["listeners"] = [
        listener(port, {"name": "on_demand", "typed_config": {"@type": ON_DEMAND}}, scoped_routes=scopes)
    ]
    async with serving(plane, config, folder, port, "x-key") as running:
        yield running


scope_cases = pytest.mark.parametrize("variant", ["delta", "sotw"])
scope_sources = pytest.mark.parametrize("source", [apart, over_ads], ids=["own service", "ads"])


@scope_cases
@scope_sources
async def test_a_scopes_route_table_is_asked_for_only_when_a_request_needs_it(
    source: Source, variant: Variant, tmp_path: Path, events: Events
) -> None:
    async with control_plane(published=False) as plane:
        await publish(plane, 1, [scope("eager", on_demand=False), scope("a"), scope("b")], ["eager", "a", "b"])
        async with scoped(plane, variant, source, tmp_path) as edge:
            await edge.settle()
            assert asked(plane) == {TypeUrl.SCOPE: ["*"], TypeUrl.ROUTE: ["table-eager"]}
            assert sent(events, TypeUrl.SCOPE) == [3]

            assert (await edge.ask_quickly("b")).text == "table-b"
            assert (await edge.ask_quickly("unknown")).status == 404
            await edge.settle()
            assert asked(plane)[TypeUrl.ROUTE] == ["table-b", "table-eager"]
            assert sent(events, TypeUrl.ROUTE) == [1, 1]

            assert (await edge.ask_quickly("a")).text == "table-a"
            assert (await edge.ask_quickly("eager")).text == "table-eager"


@scope_cases
@scope_sources
async def test_a_request_waits_for_its_route_table_which_comes_as_soon_as_it_exists(
    source: Source, variant: Variant, tmp_path: Path
) -> None:
    async with control_plane(published=False) as plane:
        await publish(plane, 1, [scope("a"), scope("late")], ["a"])
        async with scoped(plane, variant, source, tmp_path) as edge, asyncio.TaskGroup() as tasks:
            assert (await edge.ask_quickly("a")).text == "table-a"
            waiting = tasks.create_task(edge.ask("late"))
            await edge.until_asked(TypeUrl.ROUTE, "table-a", "table-late")
            await edge.settle()
            assert not waiting.done()

            # A scope that is new, beside route tables that are in use, is not held back for its own.
            await publish(plane, 2, [scope("a"), scope("late"), scope("new")], ["a", "late", "new"])
            async with asyncio.timeout(QUICK):
                assert (await waiting).text == "table-late"

            async def is_there() -> bool:
                return (await edge.ask("new")).text == "table-new"

            await until(is_there, "the new scope serves", timeout=QUICK)
