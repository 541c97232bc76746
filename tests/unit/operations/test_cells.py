"""The rules about cells that need no registry."""

import pytest

from xds.errors import Conflict, NotFound, RequestError
from xds.model import Cell, CellState, Endpoint
from xds.names import CellId
from xds.operations import TRANSITIONS, add_cell
from xds.operations.cells import accepting_cell, known_cell
from xds.registry import PostgresRegistry

A = CellId("cell-a")


def test_every_state_has_its_transitions_and_none_leads_to_itself() -> None:
    assert set(TRANSITIONS) == set(CellState)
    assert all(state not in following for state, following in TRANSITIONS.items())


def test_every_state_can_be_reached_from_provisioning() -> None:
    reached = {CellState.PROVISIONING}
    while new := {following for state in reached for following in TRANSITIONS[state]} - reached:
        reached |= new
    assert reached == set(CellState)


def test_an_active_cell_stops_taking_tenants_before_it_is_retired() -> None:
    assert all(not state.takes_tenants for state, following in TRANSITIONS.items() if CellState.RETIRED in following)


def test_a_retired_cell_comes_back_only_through_provisioning() -> None:
    assert TRANSITIONS[CellState.RETIRED] == {CellState.PROVISIONING}


@pytest.mark.parametrize("state", CellState)
def test_only_a_cell_that_takes_tenants_is_accepting(state: CellState) -> None:
    cells = {A: Cell(id=A, state=state)}
    if state is CellState.ACTIVE:
        assert accepting_cell(cells, A) is cells[A]
    else:
        with pytest.raises(Conflict, match=f"cell cell-a: is {state}, only an active cell takes tenants"):
            accepting_cell(cells, A)


def test_an_unknown_cell_is_not_found() -> None:
    with pytest.raises(NotFound, match="cell cell-a: no such cell"):
        known_cell({}, A)


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        (Cell(id=CellId("shared")), "cell id: expected 'cell-'"),
        (Cell(id=CellId("cell-a\n")), "cell id: expected 'cell-'"),
        (Cell(id=CellId("cell-" + "x" * 44)), "cell id: expected 'cell-'"),
        (Cell(id=A, tier=""), "tier: expected 1 to 63"),
        (Cell(id=A, region="a b"), "region: expected 1 to 63"),
        (Cell(id=A, labels=(("", "x"),)), "label: expected a name"),
        (Cell(id=A, endpoints=(Endpoint(address="a b", port=1),)), "expected an IP address or a host name"),
        (Cell(id=A, endpoints=(Endpoint(address="h", port=0),)), "expected a port of 1 to 65535"),
        (Cell(id=A, endpoints=(Endpoint(address="h", port=1, weight=0),)), "expected a weight of 1 to 1000, got 0"),
        (Cell(id=A, endpoints=(Endpoint(address="h", port=1, zone="/"),)), "expected a zone"),
        (Cell(id=A, endpoints=(Endpoint(address="h", port=1), Endpoint(address="h", port=1, zone="z"))), "given twice"),
    ],
)
async def test_nonsense_is_refused_before_the_registry_is_asked(cell: Cell, fault: str) -> None:
    async with PostgresRegistry.open("postgresql://127.0.0.1:1/nowhere") as store:
        with pytest.raises(RequestError, match=fault):
            await add_cell(store, cell)
