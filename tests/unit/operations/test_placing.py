"""Placement policies, and who places one tenant after the other."""

from collections import Counter

import pytest

from xds.errors import Conflict, RequestError
from xds.names import CellId
from xds.operations.placing import DEFAULT_POLICY, POLICIES, Fill, Placer, least_filled, most_filled
from xds.settings import Settings

A, B, C = CellId("cell-a"), CellId("cell-b"), CellId("cell-c")


def test_the_least_filled_cell_is_by_share_not_by_number() -> None:
    assert least_filled([Fill(A, 5, 10), Fill(B, 9, 100), Fill(C, 10, 100)]) == B
    assert least_filled([Fill(B, 1, 10), Fill(A, 1, 10)]) == A
    assert least_filled([Fill(A, 500), Fill(B, 1, 100), Fill(C, 400)]) == C


def test_the_most_filled_cell_is_filled_up_first() -> None:
    assert most_filled([Fill(A, 5, 10), Fill(B, 9, 100), Fill(C, 0, 100)]) == A


def test_tenants_placed_one_after_the_other_fill_cells_evenly() -> None:
    placer = Placer([Fill(A, 0, 100), Fill(B, 0, 50), Fill(C, 40, 50)], DEFAULT_POLICY, "a cell")
    assert Counter(placer.place() for _ in range(90)) == {A: 60, B: 30}


def test_a_full_cell_gets_nobody_and_when_all_are_full_that_is_said() -> None:
    placer = Placer([Fill(A, 1, 2), Fill(B, 3, 3), Fill(C, 0, 0)], "most-filled", "a cell of tier std")
    assert placer.place() == A
    with pytest.raises(Conflict, match=r"of a cell of tier std all are full: cell-a \(2 of 2\), cell-b \(3 of 3\)"):
        placer.place()
    with pytest.raises(Conflict, match="expected a cell of tier std, there is none"):
        Placer([], DEFAULT_POLICY, "a cell of tier std").place()


def test_a_policy_that_nobody_knows() -> None:
    with pytest.raises(RequestError, match="placement policy: expected least-filled or most-filled, got 'best'"):
        Placer([], "best", "a cell")


def test_the_setting_knows_every_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.read(None).placement_policy == DEFAULT_POLICY
    for name in POLICIES:
        monkeypatch.setenv("PLACEMENT_POLICY", name)
        assert Settings.read(None).placement_policy == name
