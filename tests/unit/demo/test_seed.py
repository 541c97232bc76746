"""Which tenants there are and where they live."""

from collections import Counter

import pytest

from xds.demo.seed import CELLS, place, tenant_names


def test_two_dozen_tenants_have_a_name_and_more_have_numbers() -> None:
    names = tenant_names(30)
    assert len(set(names)) == 30
    assert names[23:25] == ("virtucon", "tenant-0000025")
    assert tenant_names(2) == ("acme", "globex")


def test_the_first_tenant_lives_in_the_first_cell_and_a_dedicated_cell_has_one() -> None:
    placed = place(tenant_names(24), CELLS)
    assert placed["acme"] == "cell-shared-std-local"
    assert Counter(placed.values()) == {CELLS[0]: 12, CELLS[1]: 11, CELLS[2]: 1}


@pytest.mark.parametrize("tenants", [1, 2])
def test_with_fewer_tenants_than_cells_the_shared_cells_come_first(tenants: int) -> None:
    assert set(place(tenant_names(tenants), CELLS).values()) <= set(CELLS[:2])


def test_cells_that_are_all_dedicated_take_every_tenant() -> None:
    placed = place(tenant_names(3), ("cell-dedicated-ent-us",))
    assert set(placed.values()) == {"cell-dedicated-ent-us"}
