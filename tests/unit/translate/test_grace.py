from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.edge import edge_options, tenant
from xds.translate import CellBound, TenantOptions
from xds.translate.grace import admitted_cell, grace_end

OPTIONS = edge_options(tenants=TenantOptions(grace=timedelta(seconds=10)))
MOVED = tenant(came_from="cell-old", at=100.0)


@pytest.mark.parametrize(
    ("now", "admitted"),
    [(90.0, None), (90.1, "cell-old"), (100.0, "cell-old"), (109.9, "cell-old"), (110.0, None), (1e9, None)],
)
def test_the_old_cells_tokens_pass_for_a_time_and_no_longer(now: float, admitted: str | None) -> None:
    # Before the move too, for as long: clocks differ.
    assert admitted_cell(MOVED, OPTIONS, now) == admitted


def test_the_end_is_the_move_and_the_time_that_is_set() -> None:
    assert grace_end(MOVED, OPTIONS) == 110.0


def test_a_tenant_that_never_moved_has_no_grace() -> None:
    assert grace_end(tenant(), OPTIONS) is None
    assert admitted_cell(tenant(), OPTIONS, 100.0) is None


def test_there_is_none_unless_it_is_set_and_tokens_cells_are_looked_at() -> None:
    off = replace(OPTIONS, auth=replace(OPTIONS.auth, cell_bound=CellBound.OFF))
    for options in (edge_options(), off):
        assert grace_end(MOVED, options) is None
        assert admitted_cell(MOVED, options, 100.0) is None
