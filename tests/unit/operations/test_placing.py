"""Placement policies, and who places one tenant after the other."""

from collections import Counter
from pathlib import Path

import pytest

from xds.errors import Conflict, RequestError, SettingsError
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


@pytest.fixture
def brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that brings policies, installed as pip does it."""
    (tmp_path / "brought_policies.py").write_text(
        "def last(fills):\n    return max(fill.cell for fill in fills)\n\ndef astray(fills):\n    return 'cell-x'\n"
    )
    info = tmp_path / "brought_policies-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: brought-policies\nVersion: 1.0\n")
    points = ("last = brought_policies:last", "astray = brought_policies:astray", "gone = brought_policies:gone")
    (info / "entry_points.txt").write_text("\n".join(("[alphaswarm_xds.placement_policies]", *points)))
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("brought")
def test_another_package_brings_a_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACEMENT_POLICY", "last")
    policy = Settings.read(None).placement_policy
    placer = Placer([Fill(A, 0, 1), Fill(B, 0, 1), Fill(C, 1, 1)], policy, "a cell")
    assert (placer.place(), placer.place()) == (B, A)


@pytest.mark.usefixtures("brought")
def test_a_brought_policy_that_is_no_use_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RequestError, match="placement policy gone: brought_policies:gone can't be used: "):
        Placer([], "gone", "a cell")
    with pytest.raises(Conflict, match="placement policy astray: expected a cell that has room, got 'cell-x'"):
        Placer([Fill(A, 0)], "astray", "a cell").place()
    monkeypatch.setenv("PLACEMENT_POLICY", "lst")
    expected = "PLACEMENT_POLICY: expected least-filled or most-filled or astray or gone or last, got 'lst'"
    with pytest.raises(SettingsError, match=expected):
        Settings.read(None)
