"""Whether a token is good in a cell: a table, for each mode."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.edge import cell, edge_options, tenant, topology
from xds.model import TenantState
from xds.names import CellId
from xds.operations.bearing import Bearer, Stranger
from xds.operations.validating import Validation, validate
from xds.translate import CellBound, TenantOptions, translate

NOW = 1_800_000_000.0
A = CellId("cell-a")
HERE = topology(
    cell("cell-a"),
    cell("cell-b"),
    tenant("acme", "cell-a"),
    tenant("globex", "cell-a", suspended=True),
    replace(tenant("mover", "cell-a", came_from="cell-b", at=NOW), state=TenantState.MOVING),
    tenant("fresh", "cell-a", came_from="cell-b", at=NOW - 10),
    tenant("x"),
)
GRACE = TenantOptions(grace=timedelta(seconds=60))


def asked(
    bound: CellBound = CellBound.ENFORCE,
    where: str = "cell-a",
    *,
    tenant: str = "acme",
    cell: str | None = None,
    tenants: TenantOptions | None = None,
    now: float = NOW,
) -> Validation:
    published = translate(HERE, edge_options(cell_bound=bound, tenants=tenants), now=now)
    return validate(Bearer(source="https://idp", tenant=tenant, cell=cell), published, CellId(where))


@pytest.mark.parametrize("bound", CellBound)
def test_a_tenants_token_is_good_where_the_tenant_lives_in_every_mode(bound: CellBound) -> None:
    assert asked(bound) == Validation(allowed=True, reason="the tenant lives in this cell", tenant="acme", cell=A)
    reason = "the tenant lives in this cell, to which the token is bound"
    assert asked(bound, cell="cell-a") == replace(asked(bound), reason=asked(bound, cell="cell-a").reason)
    if bound is not CellBound.OFF:
        assert asked(bound, cell="cell-a").reason == reason


@pytest.mark.parametrize(
    ("bound", "allowed", "words"),
    [
        (CellBound.ENFORCE, False, "the token is bound to another cell"),
        (CellBound.MONITOR, True, "the token is bound to another, which CBA_MODE=monitor lets through"),
        (CellBound.OFF, True, "the tenant lives in this cell"),
    ],
)
@pytest.mark.parametrize("claim", ["cell-b", ""])
def test_a_token_bound_elsewhere_is_treated_as_the_edge_treats_it(
    bound: CellBound, allowed: bool, words: str, claim: str
) -> None:
    outcome = asked(bound, cell=claim)
    assert outcome.allowed is allowed
    assert words in outcome.reason


@pytest.mark.parametrize("bound", CellBound)
@pytest.mark.parametrize(
    ("name", "claimed", "reason"),
    [
        ("nobody", None, "the tenant is unknown"),
        ("-", None, "the tenant is unknown"),
        ("", None, "the token names no tenant"),
        ("globex", None, "the tenant is suspended"),
        ("x", None, "the tenant does not live in this cell"),
        ("x", "cell-a", "the tenant does not live in this cell"),
    ],
)
def test_no_mode_lets_in_who_is_not_the_cells(bound: CellBound, name: str, claimed: str | None, reason: str) -> None:
    outcome = asked(bound, tenant=name, cell=claimed)
    assert (outcome.allowed, outcome.reason) == (False, reason)


def test_a_token_that_does_not_hold_tells_nothing_but_why() -> None:
    outcome = validate(Stranger(status=401, reason="the token has expired"), translate(HERE, edge_options()), A)
    assert outcome == Validation(allowed=False, reason="the token has expired", tenant="", cell=A)


def test_where_a_tenant_lives_is_never_told() -> None:
    outcome = asked(where="cell-b")
    assert not outcome.allowed
    assert "cell-a" not in repr(outcome)
    assert asked(where="no such cell").reason == outcome.reason


def test_a_tenant_that_is_being_moved_is_let_in_as_the_edge_does() -> None:
    assert asked(tenant="mover").allowed
    assert asked(tenant="globex").reason == "the tenant is suspended"


def test_the_cell_that_a_tenant_has_just_left_is_as_good_as_its_own_for_the_grace() -> None:
    outcome = asked(tenant="fresh", cell="cell-b", tenants=GRACE)
    words = "the tenant lives in this cell; the token is bound to the one that it has just left, and still good"
    assert (outcome.allowed, outcome.reason) == (True, words)
    for after in (
        asked(tenant="fresh", cell="cell-b", tenants=GRACE, now=NOW + 60),
        asked(tenant="fresh", cell="cell-b"),
        asked(tenant="fresh", cell="cell-c", tenants=GRACE),
        asked(tenant="mover", cell="cell-b", tenants=GRACE),
    ):
        assert (after.allowed, after.reason) == (False, "the token is bound to another cell")
    old = asked(tenant="fresh", cell="cell-b", where="cell-b", tenants=GRACE)
    assert not old.allowed, "in the old cell itself it is good for nothing"


@pytest.mark.parametrize("where", ["cell-a", "cell-b"])
def test_hidden_suspended_tenants_are_told_from_unknown_ones_by_nothing(where: str) -> None:
    hidden = TenantOptions(hides_suspended=True)
    told = {asked(tenant=name, where=where, tenants=hidden).reason for name in ("globex", "nobody")}
    assert told == {"the tenant is unknown or suspended"}
