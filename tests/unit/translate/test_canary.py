"""Which tenants a share takes in: evenly, always the same, and more with a larger share."""

from hypothesis import given
from hypothesis import strategies as st

from xds.names import CellId, TenantId
from xds.translate.canary import CanaryOptions

CELL, OTHER = CellId("cell-a"), CellId("cell-b")
LEGACY = ("legacy", 8080)
MANY = [TenantId(f"tenant-{number:05}") for number in range(20_000)]


def inside(weight: int) -> set[TenantId]:
    options = CanaryOptions(legacy=LEGACY, weight=weight)
    return {tenant for tenant in MANY if options.is_at_its_cell(tenant, CELL)}


def test_a_share_takes_in_that_many_of_similar_ids() -> None:
    for weight in (10, 50):
        assert abs(len(inside(weight)) / len(MANY) - weight / 100) < 0.01
    assert inside(0) == set()
    assert inside(100) == set(MANY)


def test_a_larger_share_moves_tenants_in_and_none_out() -> None:
    assert inside(1) < inside(10) < inside(50) < inside(99)


def test_the_sides_are_the_same_in_every_release() -> None:
    """A change here would move tenants between the proxies at an upgrade."""
    assert [tenant for tenant in ("acme", "globex", "initech", "hooli") if TenantId(tenant) in _at(50)] == [
        "globex",
        "initech",
    ]


def _at(weight: int) -> set[TenantId]:
    options = CanaryOptions(legacy=LEGACY, weight=weight)
    return {
        TenantId(name)
        for name in ("acme", "globex", "initech", "hooli")
        if options.is_at_its_cell(TenantId(name), CELL)
    }


@given(st.text(), st.integers(0, 100), st.booleans())
def test_a_tenants_own_word_wins_then_its_cells(tenant: str, weight: int, is_in: bool) -> None:
    name = TenantId(tenant)
    by_cell = CanaryOptions(legacy=LEGACY, weight=weight, cells={CELL: 100, OTHER: 0})
    by_tenant = CanaryOptions(legacy=LEGACY, weight=weight, cells={CELL: 100, OTHER: 0}, tenants={name: is_in})

    assert by_cell.is_at_its_cell(name, CELL)
    assert not by_cell.is_at_its_cell(name, OTHER)
    assert by_tenant.is_at_its_cell(name, CELL) is by_tenant.is_at_its_cell(name, OTHER) is is_in
