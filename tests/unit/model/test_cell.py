"""What a cell's state means, and that cells are values."""

import dataclasses
import re

import pytest

from xds.model import Cell, CellState, Endpoint
from xds.names import CellId

_TABLE = [
    # state, is pushed, takes tenants, takes traffic
    (CellState.PROVISIONING, True, False, False),
    (CellState.ACTIVE, True, True, True),
    (CellState.DRAINING, True, False, True),
    (CellState.CORDONED, True, False, True),
    (CellState.RETIRED, False, False, False),
]


@pytest.mark.parametrize(("state", "pushed", "tenants", "traffic"), _TABLE)
def test_a_state_says_what_a_cell_takes(state: CellState, *, pushed: bool, tenants: bool, traffic: bool) -> None:
    assert (state.is_pushed, state.takes_tenants, state.takes_traffic) == (pushed, tenants, traffic)


def test_every_state_is_in_the_table() -> None:
    assert [row[0] for row in _TABLE] == list(CellState)


def test_the_docstrings_table_is_what_the_code_does() -> None:
    rows = re.findall(r"^ *(\w+) +(yes|no) +(yes|no) +(yes|no)\b", CellState.__doc__ or "", re.MULTILINE)

    documented = [(CellState(state), *(answer == "yes" for answer in answers)) for state, *answers in rows]
    assert documented == _TABLE


def test_endpoints_are_sorted_by_address_then_port() -> None:
    low, high = Endpoint(address="10.0.0.1", port=80), Endpoint(address="10.0.0.1", port=81, weight=1)

    assert sorted([Endpoint(address="10.0.0.2", port=1), high, low])[:2] == [low, high]


def test_a_cell_is_immutable_and_equal_by_value() -> None:
    cell = Cell(id=CellId("cell-a"), endpoints=(Endpoint(address="a", port=1),))

    assert cell == Cell(id=CellId("cell-a"), endpoints=(Endpoint(address="a", port=1),))
    assert hash(cell) == hash(dataclasses.replace(cell))
    with pytest.raises(dataclasses.FrozenInstanceError):
        cell.tier = "gold"  # type: ignore[misc]  # that it is refused is the point


def test_a_new_cell_is_an_active_shared_standard_one() -> None:
    cell = Cell(id=CellId("cell-a"))

    assert (cell.state, cell.tenancy, cell.tier, cell.region) == ("active", "shared", "std", "local")
    assert (cell.protocol, cell.labels, cell.endpoints) == ("http1", (), ())
