"""Rows to values; a row that makes no sense is reported and left out."""

from datetime import UTC, datetime
from typing import Any

import pytest

from xds.model import Arrival, Endpoint, Tenant, TenantState
from xds.names import CellId, TenantId
from xds.registry.rows import Reading, to_arrival

CELL: dict[str, Any] = {
    "id": "cell-a",
    "state": "active",
    "tenancy": "shared",
    "tier": "std",
    "region": "local",
    "labels": "{}",
    "protocol": "http1",
}
ENDPOINT: dict[str, Any] = {"cell_id": "cell-a", "address": "h", "port": 80, "zone": "", "weight": 1}
TENANT: dict[str, Any] = {"cell_id": "cell-a", "state": "active", "previous_cell": None, "moved_at": None}


def test_a_cell_gets_its_own_endpoints_sorted() -> None:
    reading = Reading()
    reading.add_cells([CELL], [ENDPOINT, ENDPOINT | {"port": 79}, ENDPOINT | {"cell_id": "cell-b"}])
    cell = reading.cells[CellId("cell-a")]
    assert cell.endpoints == (Endpoint(address="h", port=79), Endpoint(address="h", port=80))


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "asleep"},
        {"tenancy": "both"},
        {"protocol": "http3"},
        {"labels": '{"a": 1}'},
        {"labels": "[]"},
        {"labels": "{"},
        {"labels": None},
    ],
)
def test_a_cell_that_makes_no_sense_is_left_out(wrong: dict[str, Any]) -> None:
    reading = Reading()
    reading.add_cells([CELL | wrong, CELL | {"id": "cell-b"}], [])
    assert set(reading.cells) == {"cell-b"}
    assert reading.problems["cell cell-a"].startswith("cell cell-a is left out: ")


def test_an_endpoint_that_makes_no_sense_takes_its_cell_along() -> None:
    reading = Reading()
    reading.add_cells([CELL, CELL | {"id": "cell-b"}], [ENDPOINT, ENDPOINT | {"address": None}])
    assert set(reading.cells) == {"cell-b"}
    assert set(reading.problems) == {"cell cell-a"}


def test_a_tenant_that_makes_no_sense_is_left_out() -> None:
    reading = Reading()
    reading.add_tenants(
        [
            TENANT | {"id": "acme", "state": "suspended"},
            TENANT | {"id": "globex", "state": "asleep"},
        ]
    )
    acme = TenantId("acme")
    assert reading.tenants == {acme: Tenant(acme, CellId("cell-a"), TenantState.SUSPENDED)}
    assert reading.problems == {
        "tenant globex": "tenant globex is left out: expected a state of active, suspended, moving, got 'asleep'"
    }


def test_tenants_share_their_cells_id() -> None:
    reading = Reading()
    reading.add_tenants(TENANT | {"id": f"t{n}", "cell_id": f"cell-{n // 2}"} for n in range(2))
    first, second = reading.tenants.values()
    assert first.cell is second.cell


def test_a_tenant_that_has_moved_came_from_somewhere_at_some_time() -> None:
    row = TENANT | {"previous_cell": "cell-b", "moved_at": datetime(2026, 1, 1, tzinfo=UTC)}
    assert to_arrival(row) == Arrival(CellId("cell-b"), 1767225600.0)
    for unknown in ("previous_cell", "moved_at"):
        assert to_arrival(row | {unknown: None}) is None
