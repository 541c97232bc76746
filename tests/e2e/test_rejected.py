"""A resource that only Envoy finds fault with: what a NACK says, what goes on meanwhile, and how it heals."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest
from betterproto2 import Message
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.endpoint.v3 import (
    ClusterLoadAssignment,
    ClusterLoadAssignmentPolicy,
    Endpoint,
    LbEndpoint,
    LocalityLbEndpoints,
)
from envoy_data_plane.envoy.config.listener.v3 import FilterChain, Listener
from envoy_data_plane.envoy.config.route.v3 import (
    Route,
    RouteAction,
    RouteConfiguration,
    RouteMatch,
    ScopedRouteConfiguration,
    ScopedRouteConfigurationKey,
    ScopedRouteConfigurationKeyFragment,
    VirtualHost,
)
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatcher

from tests.e2e.byhand import WAIT_SECONDS, Amendment, Edge, edge
from tests.e2e.load import load
from tests.e2e.watching import extra_cell, until
from tests.integration.server.ads import VARIANTS, Variant
from tests.support.edge import cell, endpoint, tenant
from xds.model import Cell, Tenant
from xds.names import ResourceName, TypeUrl
from xds.session import Progress
from xds.translate.messages import pack, socket_address

FIRST, SECOND = "cell-first", "cell-second"
TENANTS = ("acme", "idle", "globex", "nomad", "newcomer")
STANDING_SECONDS = WAIT_SECONDS + 1
"""For how long a rejection is left to stand: beyond the time after which the server sends what it holds back."""

variants = pytest.mark.parametrize("variant", VARIANTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """A resource of the first cell's, what spoils it and what heals it, and what Envoy says of it."""

    type_url: TypeUrl
    name: str
    spoils: Message
    heals: Message
    words: str
    counter: str

    @property
    def spoilt(self) -> Amendment:
        """The content that Envoy rejects."""
        return Amendment(type_url=self.type_url, name=ResourceName(self.name), added=bytes(self.spoils))

    @property
    def healed(self) -> Amendment:
        """One that it takes; another than it holds, which need not be sent."""
        return Amendment(type_url=self.type_url, name=ResourceName(self.name), added=bytes(self.heals))


def _matching(regex: str) -> RouteConfiguration:
    route = Route(match=RouteMatch(safe_regex=RegexMatcher(regex=regex)), route=RouteAction(cluster=f"{FIRST}-api"))
    return RouteConfiguration(virtual_hosts=[VirtualHost(name="more", domains=["more.example"], routes=[route])])


def _endpoint(port: int) -> ClusterLoadAssignment:
    at = LbEndpoint(endpoint=Endpoint(address=socket_address("127.0.0.1", port)))
    return ClusterLoadAssignment(endpoints=[LocalityLbEndpoints(lb_endpoints=[at])])


FLAWS: Mapping[str, Flaw] = {
    "a cluster with a value out of range": Flaw(
        type_url=TypeUrl.CLUSTER,
        name=f"{FIRST}-api",
        spoils=Cluster(connect_timeout=timedelta(seconds=-1)),
        heals=Cluster(connect_timeout=timedelta(seconds=3)),
        words="Expected positive duration",
        counter="cluster_manager.cds.update_rejected",
    ),
    "a cluster with an unknown extension": Flaw(
        type_url=TypeUrl.CLUSTER,
        name=f"{FIRST}-api",
        spoils=Cluster(typed_extension_protocol_options={"unheard-of": pack(Cluster())}),
        heals=Cluster(alt_stat_name="healed"),
        words="for name: 'unheard-of'",
        counter="cluster_manager.cds.update_rejected",
    ),
    "an assignment with no such port": Flaw(
        type_url=TypeUrl.ENDPOINT,
        name=f"{FIRST}-api",
        spoils=_endpoint(70_000),
        heals=ClusterLoadAssignment(policy=ClusterLoadAssignmentPolicy(overprovisioning_factor=150)),
        words="value must be less than or equal to 65535",
        counter=f"cluster.{FIRST}-api.update_rejected",
    ),
    "a listener with two equal filter chains": Flaw(
        type_url=TypeUrl.LISTENER,
        name="edge",
        spoils=Listener(filter_chains=[FilterChain()]),
        heals=Listener(stat_prefix="healed"),
        words="has the same matching rules defined",
        counter="listener_manager.lds.update_rejected",
    ),
    "a route table with a bad regex": Flaw(
        type_url=TypeUrl.ROUTE,
        name=FIRST,
        spoils=_matching("("),
        heals=_matching("(a)"),
        words="missing ): (",
        counter=f"http.ingress_http.rds.{FIRST}.update_rejected",
    ),
    "a scope with an empty fragment": Flaw(
        type_url=TypeUrl.SCOPE,
        name="idle",
        spoils=ScopedRouteConfiguration(
            key=ScopedRouteConfigurationKey(fragments=[ScopedRouteConfigurationKeyFragment()])
        ),
        heals=ScopedRouteConfiguration(route_configuration_name=SECOND),
        words="is required",
        counter="http.ingress_http.scoped_rds.tenants.update_rejected",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The ports of the first cell's API and of two that take turns as the second's."""

    first: int
    turns: Mapping[str, int]

    def of_round(self, number: int) -> tuple[Cell | Tenant, ...]:
        """Two cells and their tenants. From round to round one tenant moves, endpoints are exchanged, and a cell with
        a tenant in it comes while the one of the last round goes; the first cell and its own tenants stay as they are.
        """
        turn = endpoint(f"127.0.0.1:{self.turns[self.turn(number)]}")
        return (
            cell(FIRST, endpoints=(endpoint(f"127.0.0.1:{self.first}"),)),
            cell(SECOND, endpoints=(turn,)),
            cell(self.newest(number), endpoints=(turn,)),
            tenant("acme", FIRST),
            tenant("idle", FIRST),
            tenant("globex", SECOND),
            tenant("nomad", self.nomads(number)),
            tenant("newcomer", self.newest(number)),
        )

    async def is_followed(self, served: Edge, number: int) -> bool:
        """Whether the Envoy is where that round has it."""
        return (
            await served.is_answered("globex", SECOND, self.turn(number))
            and await served.is_answered("newcomer", self.newest(number), self.turn(number))
            and await served.is_answered("nomad", self.nomads(number), "" if number % 2 else self.turn(number))
            and await served.is_answered("idle", FIRST)
        )

    def turn(self, number: int) -> str:
        return sorted(self.turns)[number % 2]

    def newest(self, number: int) -> str:
        return f"cell-new-{number}"

    def nomads(self, number: int) -> str:
        return FIRST if number % 2 else SECOND


@variants
@pytest.mark.parametrize("flaw", FLAWS.values(), ids=FLAWS)
async def test_what_envoy_rejects_is_recorded_not_repeated_harms_nothing_else_and_is_sent_once_healed(
    variant: Variant, flaw: Flaw, tmp_path: Path
) -> None:
    async with extra_cell(FIRST) as first, extra_cell("one") as one, extra_cell("other") as other:
        world = World(first=first, turns={"one": one, "other": other})
        async with edge(variant, tmp_path, *world.of_round(0)) as served:
            await until(lambda: world.is_followed(served, 0), "the Envoy serves")
            async with load([served.port], {each: served.idp.mint(each) for each in TENANTS}) as seen:
                await served.publish(*world.of_round(0), amended=flaw.spoilt)
                await until(lambda: is_nacked(served, flaw.type_url), "the Envoy rejects it")
                assert flaw.words in refusal(served, flaw)

                end = monotonic() + STANDING_SECONDS
                rounds = 0
                while monotonic() < end or rounds < 5:
                    rounds += 1
                    await served.publish(*world.of_round(rounds), amended=flaw.spoilt)
                    await until(lambda: world.is_followed(served, rounds), "all else flows")  # noqa: B023 -- awaited
                    assert served.progress(flaw.spoilt) is Progress.NACKED
                assert served.record(flaw.type_url).nacked == 1
                assert (await served.envoy.stats(flaw.counter))[flaw.counter] == 1

                healed = monotonic()
                await served.publish(*world.of_round(rounds), amended=flaw.healed)
                await until(lambda: is_taken(served, flaw.healed), "what is healed is taken", timeout=WAIT_SECONDS)
                assert monotonic() - healed < WAIT_SECONDS
            assert served.record(flaw.type_url).nacked == 1
            assert served.record(flaw.type_url).error == ""
    assert seen.failed == []
    assert seen.answered > rounds


@variants
async def test_a_tenant_stays_in_its_cell_while_the_next_ones_cluster_is_rejected(
    variant: Variant, tmp_path: Path
) -> None:
    flaw = FLAWS["a cluster with an unknown extension"]
    async with extra_cell(SECOND) as second, extra_cell(FIRST) as first:
        before = (cell(SECOND, endpoints=(endpoint(f"127.0.0.1:{second}"),)), tenant("acme", SECOND))
        after = (cell(FIRST, endpoints=(endpoint(f"127.0.0.1:{first}"),)), before[0], tenant("acme", FIRST))
        async with edge(variant, tmp_path, *before) as served:
            async with load([served.port], {"acme": served.idp.mint("acme")}) as seen:
                await until(lambda: served.is_answered("acme", SECOND), "the Envoy serves")
                await served.publish(*after, amended=flaw.spoilt)
                await until(lambda: is_nacked(served, TypeUrl.CLUSTER), "the Envoy rejects it")
                end = monotonic() + STANDING_SECONDS
                rounds = 0
                while monotonic() < end or rounds < 5:
                    rounds += 1
                    late = tenant(f"late-{rounds}", SECOND)
                    await served.publish(*after, late, amended=flaw.spoilt)
                    await until(lambda: served.is_answered(late.id, SECOND), "others flow")  # noqa: B023 -- awaited
                assert seen.failed == []
                assert set(seen.cells) == {SECOND}
                await served.publish(*after)
                await until(lambda: served.is_answered("acme", FIRST), "the tenant is moved")
            assert served.record(TypeUrl.CLUSTER).nacked == 1
    assert seen.failed == []


async def is_nacked(served: Edge, type_url: TypeUrl) -> bool:
    return served.record(type_url).nacked > 0


async def is_taken(served: Edge, amended: Amendment) -> bool:
    """Whether the Envoy acknowledged that content."""
    return served.progress(amended) is Progress.ACKED


def refusal(served: Edge, flaw: Flaw) -> str:
    """Envoy's own words, from the one rejection, which names the one resource."""
    refusals = list(served.record(flaw.type_url).refusals)
    assert [each.names for each in refusals] == [(flaw.name,)]
    return refusals[0].error
