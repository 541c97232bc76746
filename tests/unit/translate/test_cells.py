from dataclasses import replace

import pytest

from tests.support.edge import INTERNAL, SHARED, cell, edge_options, endpoint
from xds.model import CellState, UpstreamProtocol
from xds.names import CellId, NodeGroup, TypeUrl
from xds.snapshot import Ref
from xds.translate.cells import route_table, translate_cell

OPTIONS = edge_options()
API = f"{SHARED}-api"


@pytest.mark.parametrize(
    ("state", "pushed", "needs_its_cluster"),
    [
        (CellState.PROVISIONING, True, False),
        (CellState.ACTIVE, True, True),
        (CellState.DRAINING, True, True),
        (CellState.CORDONED, True, True),
        (CellState.RETIRED, False, False),
    ],
)
def test_a_state_decides_what_is_pushed_and_who_is_routed_there(
    state: CellState, pushed: bool, needs_its_cluster: bool
) -> None:
    outcome = translate_cell(cell(state=state), OPTIONS)

    assert (outcome.cluster is not None, outcome.assignment is not None) == (pushed, pushed)
    assert outcome.routes is not None
    assert [ref.name for ref in outcome.routes.needs] == ([API] if needs_its_cluster else [])
    assert outcome.anchor is not None


def test_a_change_of_state_keeps_cluster_and_endpoints() -> None:
    before, after = (translate_cell(cell(state=state), OPTIONS) for state in (CellState.PROVISIONING, CellState.ACTIVE))

    assert before.cluster is not None
    assert after.cluster is not None
    assert before.cluster.version == after.cluster.version
    assert before.routes is not None
    assert after.routes is not None
    assert before.routes.version != after.routes.version


def test_an_eds_cluster_awaits_its_assignment() -> None:
    outcome = translate_cell(cell(), OPTIONS)

    assert outcome.cluster is not None
    assert outcome.assignment is not None
    assert outcome.cluster.awaits == (Ref(TypeUrl.ENDPOINT, outcome.assignment.name),)


def test_a_cell_with_a_host_name_has_no_assignment_of_its_own() -> None:
    outcome = translate_cell(cell(endpoints=(endpoint(), endpoint("api.example:80"))), OPTIONS)

    assert outcome.assignment is None
    assert outcome.cluster is not None
    assert outcome.cluster.refs == ()
    assert b"api.example" in outcome.cluster.body


def test_a_host_name_that_is_left_out_does_not_make_a_cell_resolved_by_name() -> None:
    outcome = translate_cell(cell(endpoints=(endpoint(), endpoint("api.example:0"))), OPTIONS)

    assert outcome.assignment is not None
    assert [problem.id for problem in outcome.problems] == [f"{SHARED}/api.example:0"]


def test_a_wrong_endpoint_alone_is_left_out() -> None:
    outcome = translate_cell(cell(endpoints=(endpoint(), endpoint("10.0.0.300:80"))), OPTIONS)

    assert outcome.assignment is not None
    assert b"10.0.0.1" in outcome.assignment.body
    assert b"10.0.0.300" not in outcome.assignment.body
    assert [problem.kind for problem in outcome.problems] == ["endpoint"]


def test_for_grpc_clients_a_wrong_endpoint_alone_is_left_out_too() -> None:
    options = replace(OPTIONS, grpc_group=NodeGroup("alphaswarm-grpc"))
    wrong = (endpoint(), endpoint("api.example:0"), endpoint("10.0.0.300:80"))
    outcome = translate_cell(cell(protocol=UpstreamProtocol.HTTP2, endpoints=wrong), options)

    assert outcome.proxyless.assignment is not None
    assert b"10.0.0.1" in outcome.proxyless.assignment.body
    assert b"10.0.0.300" not in outcome.proxyless.assignment.body
    assert [problem.kind for problem in outcome.problems] == ["endpoint", "endpoint"]


def test_what_grpc_clients_cannot_take_is_among_the_cells_problems() -> None:
    options = replace(OPTIONS, grpc_group=NodeGroup("alphaswarm-grpc"))
    names = (endpoint("a.example:80"), endpoint("b.example:80"))
    outcome = translate_cell(cell(protocol=UpstreamProtocol.HTTP2, endpoints=names), options)

    assert [problem.kind for problem in outcome.problems] == ["grpc"]
    assert outcome.cluster is not None


def test_routes_need_the_web_client_if_there_is_one() -> None:
    outcome = translate_cell(cell(), edge_options(client=("client", 3000)))

    assert outcome.routes is not None
    assert [ref.name for ref in outcome.routes.needs] == [API, "alphaswarm-client"]


@pytest.mark.parametrize(
    "cell_id", ["", "cell-", "cell", "Cell-a", "cell-A", "cell-a-", "cell--", "public", "cell-a\n"]
)
def test_a_cell_with_an_unusable_id_is_left_out(cell_id: str) -> None:
    outcome = translate_cell(cell(cell_id), OPTIONS)

    assert (outcome.cluster, outcome.assignment, outcome.routes, outcome.anchor) == (None, None, None, None)
    assert [(problem.kind, problem.id) for problem in outcome.problems] == [("cell", cell_id)]


def test_a_cell_has_its_part_for_callers_inside_only_if_there_are_any() -> None:
    assert translate_cell(cell(), OPTIONS).internal == b""
    assert SHARED.encode() in translate_cell(cell(), edge_options(internal=INTERNAL)).internal


def test_a_graces_table_needs_what_its_cells_table_needs() -> None:
    plain, grace = route_table(cell(), OPTIONS), route_table(cell(), OPTIONS, previous=CellId("cell-old"))

    assert [plain.name, grace.name] == [f"{SHARED}", f"{SHARED}/cell-old"]
    assert plain.needs == grace.needs
