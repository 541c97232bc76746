"""What a stack does when a part cannot start: one line, and nothing left behind but the logs."""

import tempfile
from pathlib import Path

import pytest

from xds.demo.plan import Plan
from xds.demo.stack import Stack
from xds.errors import LocalFailure


@pytest.fixture
def own_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


async def test_a_part_that_cannot_run_is_one_line_with_the_folder_of_logs(own_tmp: Path) -> None:
    stack = Stack(Plan(envoy=Path("/no/such/envoy")))
    with pytest.raises(LocalFailure) as failure:
        await stack.__aenter__()
    assert str(failure.value) == f"Envoy: cannot run /no/such/envoy: no such file (logs: {stack.folder})"
    assert children_of(own_tmp) == [stack.folder]


def test_tenants_are_placed_before_anything_starts(own_tmp: Path) -> None:
    stack = Stack(Plan(tenants=5))
    assert len(stack.placements) == 5
    assert stack.tenants_of("cell-shared-std-local") == ["acme", "initech"]
    assert children_of(own_tmp) == []


def children_of(folder: Path) -> list[Path]:
    return list(folder.glob("*"))
