"""Etags: what differs has another, and what is the same has the same."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from xds.control.preconditions import (
    check,
    etag_of_cell,
    etag_of_drain,
    etag_of_policy,
    etag_of_rollout,
    etag_of_tenant,
)
from xds.errors import Stale
from xds.model import Arrival, Cell, CellState, Endpoint, Override, OverrideKind, Tenant, TenantState
from xds.names import CellId, NodeId, TenantId
from xds.operations import Drain, Orders
from xds.publish.policy import Mode, Policy
from xds.publish.rollout import Rollout, RolloutState
from xds.publish.waves import Waves

A, B, ACME = CellId("cell-a"), CellId("cell-b"), TenantId("acme")
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CELL = Cell(id=A, endpoints=(Endpoint(address="a", port=1),))
TENANT = Tenant(ACME, A)
OVERRIDE = Override(tenant=ACME, cell=B, kind=OverrideKind.TESTING, owner="anna", reason="new build", expires_at=NOON)
POLICY = Policy(at=1764000000.123456)
ROLLOUT = Rollout(id=1, structure="{}", waves=Waves("10%"), soak_seconds=30.0)
ORDERS = Orders(batch=100, pause=2.0, policy="least-filled", actor="olga")
DRAIN = Drain(id="drain-1", cell=A, to=B, was=CellState.ACTIVE, orders=ORDERS)


@pytest.mark.parametrize(
    "etags",
    [
        [
            etag_of_cell(CELL, None),
            etag_of_cell(CELL, 0),
            etag_of_cell(CELL, 5),
            etag_of_cell(replace(CELL, state=CellState.DRAINING), None),
            etag_of_cell(replace(CELL, labels=(("a", "b"),)), None),
            etag_of_cell(replace(CELL, endpoints=(Endpoint(address="a", port=2),)), None),
        ],
        [
            etag_of_tenant(TENANT, None),
            etag_of_tenant(TENANT, OVERRIDE),
            etag_of_tenant(TENANT, replace(OVERRIDE, reason="other")),
            etag_of_tenant(TENANT, replace(OVERRIDE, expires_at=NOON.replace(hour=13))),
            etag_of_tenant(replace(TENANT, state=TenantState.SUSPENDED), None),
            etag_of_tenant(replace(TENANT, cell=B), None),
            etag_of_tenant(replace(TENANT, arrival=Arrival(B, 1.0)), None),
        ],
        [
            etag_of_policy(POLICY),
            etag_of_policy(replace(POLICY, mode=Mode.MANUAL)),
            etag_of_policy(replace(POLICY, is_frozen=True)),
            etag_of_policy(replace(POLICY, at=1764000001.0)),
        ],
        [
            etag_of_rollout(ROLLOUT),
            etag_of_rollout(replace(ROLLOUT, id=2)),
            etag_of_rollout(replace(ROLLOUT, state=RolloutState.RUNNING)),
            etag_of_rollout(replace(ROLLOUT, waves=Waves("20%"))),
            etag_of_rollout(replace(ROLLOUT, soak_seconds=0.0)),
        ],
        [
            etag_of_drain(DRAIN),
            etag_of_drain(replace(DRAIN, to=None)),
            etag_of_drain(replace(DRAIN, stopped="stopped by olga")),
            etag_of_drain(replace(DRAIN, orders=replace(ORDERS, batch=1))),
            etag_of_drain(replace(DRAIN, orders=None)),
            etag_of_drain(replace(DRAIN, ended_at=NOON)),
        ],
    ],
)
def test_whatever_differs_has_another_etag(etags: list[str]) -> None:
    assert len(set(etags)) == len(etags)


def test_what_is_the_same_has_the_same_however_far_it_has_come() -> None:
    assert etag_of_cell(CELL, 5) == etag_of_cell(replace(CELL), 5)
    assert etag_of_rollout(ROLLOUT) == etag_of_rollout(replace(ROLLOUT, wave=1, nodes=frozenset({NodeId("edge-1")})))
    assert etag_of_drain(DRAIN) == etag_of_drain(replace(DRAIN, moved=7, failures=1, changed_at=NOON))


def test_what_postgresql_rounds_away_makes_no_other_etag() -> None:
    for microseconds in range(0, 1000, 7):
        at = POLICY.at + microseconds / 1_000_000 + 0.00000025
        kept = datetime.fromtimestamp(at, UTC).timestamp()
        assert etag_of_policy(replace(POLICY, at=at)) == etag_of_policy(replace(POLICY, at=kept))


SEEN = etag_of_cell(CELL, None)


@pytest.mark.parametrize("expected", ["*", SEEN, f"other, {SEEN}", f"{SEEN},-"])
def test_what_was_seen_may_be_changed(expected: str) -> None:
    check(expected, SEEN, "cell cell-a")


@pytest.mark.parametrize("expected", ["-", "other", SEEN[:-1], "", etag_of_tenant(TENANT, None)])
def test_what_is_otherwise_than_seen_may_not(expected: str) -> None:
    with pytest.raises(Stale, match="cell cell-a: has changed since you looked"):
        check(expected, SEEN, "cell cell-a")
