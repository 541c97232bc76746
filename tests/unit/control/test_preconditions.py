"""Etags: what differs has another, and what is the same has the same."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from xds.control.preconditions import check, etag_of
from xds.errors import Stale
from xds.model import Arrival, Cell, CellState, Endpoint, Tenant, TenantState
from xds.names import CellId, TenantId
from xds.publish.policy import Mode, Policy

CELL = Cell(id=CellId("cell-a"), endpoints=(Endpoint(address="a", port=1),))
TENANT = Tenant(TenantId("acme"), CellId("cell-a"))
POLICY = Policy(at=1764000000.123456)


@pytest.mark.parametrize(
    "others",
    [
        [
            CELL,
            replace(CELL, state=CellState.DRAINING),
            replace(CELL, labels=(("a", "b"),)),
            replace(CELL, endpoints=(Endpoint(address="a", port=2),)),
        ],
        [
            TENANT,
            replace(TENANT, state=TenantState.SUSPENDED),
            replace(TENANT, cell=CellId("cell-b")),
            replace(TENANT, arrival=Arrival(CellId("cell-b"), 1.0)),
        ],
        [POLICY, replace(POLICY, mode=Mode.MANUAL), replace(POLICY, is_frozen=True), replace(POLICY, at=1764000001.0)],
    ],
)
def test_whatever_differs_has_another_etag(others: list[Cell] | list[Tenant] | list[Policy]) -> None:
    assert len({etag_of(each) for each in others}) == len(others)
    assert etag_of(others[0]) == etag_of(replace(others[0]))


def test_what_postgresql_rounds_away_makes_no_other_etag() -> None:
    for microseconds in range(0, 1000, 7):
        at = POLICY.at + microseconds / 1_000_000 + 0.00000025
        kept = datetime.fromtimestamp(at, UTC).timestamp()
        assert etag_of(replace(POLICY, at=at)) == etag_of(replace(POLICY, at=kept))


@pytest.mark.parametrize("expected", ["*", etag_of(CELL), f"other, {etag_of(CELL)}", f"{etag_of(CELL)},-"])
def test_what_was_seen_may_be_changed(expected: str) -> None:
    check(expected, CELL, "cell cell-a")


@pytest.mark.parametrize("expected", ["-", "other", etag_of(CELL)[:-1], "", etag_of(TENANT)])
def test_what_is_otherwise_than_seen_may_not(expected: str) -> None:
    with pytest.raises(Stale, match="cell cell-a: has changed since you looked"):
        check(expected, CELL, "cell cell-a")
