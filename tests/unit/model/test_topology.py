"""A change makes a new topology, which shares what did not change."""

from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.model import Cell, CellState, Changes, Tenant, Topology
from xds.names import CellId, Revision, TenantId

A, B = CellId("cell-a"), CellId("cell-b")
ANN, BEN = TenantId("ann"), TenantId("ben")

_IDS = st.sampled_from([TenantId(letter) for letter in "abcdef"])
_TENANTS = st.dictionaries(_IDS, st.sampled_from([A, B, None]))


def _topology() -> Topology:
    return Topology(
        revision=Revision(1),
        cells=MappingProxyType({A: Cell(id=A), B: Cell(id=B, state=CellState.DRAINING)}),
        tenants=MappingProxyType({ANN: Tenant(ANN, A), BEN: Tenant(BEN, B)}),
    )


def test_a_change_of_tenants_shares_the_cells_and_the_other_tenants() -> None:
    before = _topology()

    after = before.apply(Changes(revision=Revision(2), tenants={ANN: Tenant(ANN, B)}))

    assert after.cells is before.cells
    assert after.tenants[BEN] is before.tenants[BEN]
    assert after.tenants[ANN].cell == B
    assert after.revision == 2


def test_a_change_of_cells_shares_the_tenants_and_the_other_cells() -> None:
    before = _topology()

    after = before.apply(Changes(revision=Revision(2), cells={A: Cell(id=A, tier="gold")}))

    assert after.tenants is before.tenants
    assert after.cells[B] is before.cells[B]
    assert after.cells[A].tier == "gold"


def test_a_change_leaves_the_old_topology_as_it_was() -> None:
    before = _topology()

    before.apply(Changes(revision=Revision(2), cells={A: None}, tenants={ANN: None, BEN: Tenant(BEN, A)}))

    assert before == _topology()


def test_what_is_gone_is_removed() -> None:
    after = _topology().apply(Changes(revision=Revision(2), cells={A: None}, tenants={ANN: None}))

    assert list(after.cells) == [B]
    assert list(after.tenants) == [BEN]


def test_removing_what_was_never_there_changes_nothing_but_the_revision() -> None:
    after = _topology().apply(Changes(revision=Revision(2), tenants={TenantId("nobody"): None}))

    assert after.tenants == _topology().tenants
    assert after.revision == 2


def test_a_topology_cannot_be_written_to() -> None:
    after = _topology().apply(Changes(revision=Revision(2), tenants={ANN: None}))

    with pytest.raises(TypeError):
        after.tenants[ANN] = Tenant(ANN, A)  # type: ignore[index]  # that it is refused is the point


def test_changes_are_false_if_nothing_changed_even_at_a_new_revision() -> None:
    assert not Changes(revision=Revision(9))
    assert Changes(revision=Revision(9), cells={A: None})
    assert Changes(revision=Revision(9), tenants={ANN: None})


def test_only_active_cells_count_as_active() -> None:
    cells = {CellId(f"cell-{state}"): Cell(id=CellId(f"cell-{state}"), state=state) for state in CellState}

    assert Topology(revision=Revision(1), cells=cells).active_cells == 1
    assert Topology(revision=Revision(0)).active_cells == 0


def _changes(revision: int, cells: dict[TenantId, CellId | None]) -> Changes:
    tenants = {tenant: None if cell is None else Tenant(tenant, cell) for tenant, cell in cells.items()}
    return Changes(revision=Revision(revision), tenants=tenants)


def _with(cells: dict[TenantId, CellId | None], revision: int = 2) -> Topology:
    return _topology().apply(_changes(revision, cells))


@given(old=_TENANTS, new=_TENANTS)
def test_the_changes_to_a_topology_lead_to_it(
    old: dict[TenantId, CellId | None], new: dict[TenantId, CellId | None]
) -> None:
    assert _with(old).apply(_with(old).changes_to(_with(new, revision=3))) == _with(new, revision=3)


def test_the_changes_to_a_topology_name_only_what_differs() -> None:
    before = _topology()
    after = before.apply(Changes(revision=Revision(2), cells={A: None}, tenants={ANN: Tenant(ANN, B)}))

    changes = before.changes_to(after)

    assert changes == Changes(revision=Revision(2), cells={A: None}, tenants={ANN: Tenant(ANN, B)})
    assert not before.changes_to(before)


@given(first=_TENANTS, second=_TENANTS)
def test_two_changes_one_after_the_other_are_their_union_at_once(
    first: dict[TenantId, CellId | None], second: dict[TenantId, CellId | None]
) -> None:
    one_by_one = _topology().apply(_changes(2, first)).apply(_changes(3, second))

    assert one_by_one == _topology().apply(_changes(3, {**first, **second}))
