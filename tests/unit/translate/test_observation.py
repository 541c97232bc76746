"""What the edge tells: nothing unless it is asked to, and then of every route of a cell whose it is."""

from dataclasses import replace

import pytest
from envoy_data_plane.envoy.config.listener.v3 import Listener
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from envoy_data_plane.envoy.extensions.access_loggers.stream.v3 import StdoutAccessLog
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager.v3 import HttpConnectionManager

from tests.support.edge import GROUP, cell, edge_options, resources, tenant, topology
from xds.model import CellState
from xds.names import TypeUrl
from xds.snapshot import Ref
from xds.translate import EdgeOptions, ObservationOptions, Translation, translate
from xds.translate.naming import COLLECTOR_CLUSTER

TRACED = ObservationOptions(collector=("collector.internal", 4317), sample_percent=2.5)
LOGGED = ObservationOptions(access_log=True)


def options(observation: ObservationOptions) -> EdgeOptions:
    return replace(edge_options(), observation=observation)


def made(observation: ObservationOptions, state: CellState = CellState.ACTIVE) -> Translation:
    return translate(topology(cell("cell-a", state=state), tenant("acme", "cell-a")), options(observation))


def manager(translation: Translation) -> HttpConnectionManager:
    [table] = translation.listeners.values()
    resource = table.get(next(iter(table)))
    assert resource is not None
    config = Listener.parse(resource.body).filter_chains[0].filters[0].typed_config
    assert config is not None
    return HttpConnectionManager.parse(config.value)


def test_by_default_nothing_is_told_and_nothing_is_different() -> None:
    translation = made(ObservationOptions())

    assert manager(translation).tracing is None
    assert manager(translation).access_log == []
    assert COLLECTOR_CLUSTER not in translation.shared[TypeUrl.CLUSTER]
    assert not any(b"alphaswarm.cell.id" in resource.body for resource in resources(translation).values())


@pytest.mark.parametrize("observation", [TRACED, LOGGED])
@pytest.mark.parametrize("state", [CellState.ACTIVE, CellState.RETIRED])
def test_every_route_of_a_cell_says_whose_it_is_and_no_others_do(
    observation: ObservationOptions, state: CellState
) -> None:
    tables = made(observation, state).shared[TypeUrl.ROUTE]
    for name in tables:
        resource = tables.get(name)
        assert resource is not None
        for route in RouteConfiguration.parse(resource.body).virtual_hosts[0].routes:
            told = route.metadata.filter_metadata["alphaswarm"].to_dict() if route.metadata else None
            assert told == ({"cell": "cell-a"} if name == "cell-a" else None)


def test_the_listener_waits_for_the_collectors_cluster() -> None:
    """Envoy refuses a listener that names a cluster which it has not."""
    translation = made(TRACED)
    [resource] = [table.get(next(iter(table))) for table in translation.listeners.values()]

    assert resource is not None
    assert Ref(TypeUrl.CLUSTER, COLLECTOR_CLUSTER) in resource.needs
    assert COLLECTOR_CLUSTER in translation.shared[TypeUrl.CLUSTER]
    assert GROUP in translation.listeners


def test_only_we_decide_what_is_traced() -> None:
    found = manager(made(TRACED))
    assert found.tracing is not None
    shares = (found.tracing.client_sampling, found.tracing.random_sampling, found.tracing.overall_sampling)

    assert [share.value if share is not None else None for share in shares] == [0, 2.5, 100]
    assert b"traceparent" in b"".join(
        each.typed_config.value for each in found.early_header_mutation_extensions if each.typed_config
    )
    assert {tag.tag for tag in found.tracing.custom_tags} == {"alphaswarm.cell.id", "alphaswarm.tenant.id", "http.url"}


def test_a_line_names_no_header_that_has_a_token_and_no_query() -> None:
    [log] = manager(made(LOGGED)).access_log
    assert log.typed_config is not None
    written = StdoutAccessLog.parse(log.typed_config.value).log_format
    assert written is not None
    assert written.json_format is not None
    fields = {name: str(value) for name, value in written.json_format.to_dict().items()}

    assert {"cell", "tenant", "request_id", "flags", "upstream", "status", "trace_id"} <= fields.keys()
    assert fields["path"] == "%PATH(NQ)%"
    said = " ".join(fields.values()).lower()
    assert not [name for name in ("authorization", "cookie", "referer", "req(:path", "original-path") if name in said]
