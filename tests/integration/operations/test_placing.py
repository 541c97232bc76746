"""Capacity and placement on a real registry, also when many come at once; shares of a cell."""

import asyncio

import pytest

from xds.errors import Conflict, NotFound, RequestError
from xds.model import Cell, CellState, Tenancy, Tenant
from xds.names import CellId, TenantId
from xds.operations import (
    CapacityChange,
    Wish,
    add_cell,
    add_tenant,
    import_tenants,
    list_cells,
    list_tenants,
    move_share,
    move_tenants,
    place_tenant,
    set_capacity,
    set_cell_state,
)
from xds.registry import PostgresRegistry

A, B = CellId("cell-a"), CellId("cell-b")


@pytest.fixture
async def store(registry: PostgresRegistry) -> PostgresRegistry:
    """Two active cells, of which the first has room for three tenants."""
    await add_cell(registry, Cell(id=A), capacity=3)
    await add_cell(registry, Cell(id=B))
    return registry


async def placed(store: PostgresRegistry) -> dict[str, int]:
    return {row.cell.id: row.tenants for row in await list_cells(store)}


async def fill(store: PostgresRegistry, cell: CellId, count: int, name: str = "t") -> None:
    await import_tenants(store, ["tenant,cell", *(f"{name}{number},{cell}" for number in range(count))])


async def test_a_full_cell_takes_nobody_in_any_way(store: PostgresRegistry) -> None:
    await fill(store, A, 3)
    await fill(store, B, 2, "b")
    words = "cell cell-a: is full: has room for 3 tenants, has 3, [12] more came"
    with pytest.raises(Conflict, match=words):
        await add_tenant(store, Tenant(TenantId("new"), A))
    with pytest.raises(Conflict, match=words):
        await move_tenants(store, {TenantId("b0"): A, TenantId("b1"): A})
    with pytest.raises(Conflict, match=words):
        await import_tenants(store, ["tenant,cell", "new,cell-a"])
    with pytest.raises(Conflict, match=words):
        await move_share(store, B, A, 1)
    assert await placed(store) == {A: 3, B: 2}


async def test_a_swap_between_full_cells_fits(store: PostgresRegistry) -> None:
    await set_capacity(store, B, 1)
    await fill(store, A, 3)
    await fill(store, B, 1, "b")
    await move_tenants(store, {TenantId("b0"): A, TenantId("t0"): B})
    assert await placed(store) == {A: 3, B: 1}


async def test_a_capacity_below_what_is_there_moves_nobody_out(store: PostgresRegistry) -> None:
    await fill(store, A, 3)
    revision = (await store.load()).revision
    assert await set_capacity(store, A, 1) == CapacityChange(A, 3, 1)
    assert not (await set_capacity(store, A, 1)).is_change
    assert (await store.load()).revision == revision  # it is no change of the topology
    await import_tenants(store, ["tenant,cell,state", "t0,cell-a,suspended"])
    await move_tenants(store, {TenantId("t0"): B})
    with pytest.raises(Conflict, match="has room for 1 tenants, has 2, 1 more came"):
        await move_tenants(store, {TenantId("t0"): A})
    assert await set_capacity(store, A, None) == CapacityChange(A, 1, None)
    await move_tenants(store, {TenantId("t0"): A})


@pytest.mark.parametrize("capacity", [-1, 2**31])
async def test_a_capacity_that_makes_no_sense(store: PostgresRegistry, capacity: int) -> None:
    with pytest.raises(RequestError, match=f"cell cell-a: expected a capacity of 0 to .* got {capacity}"):
        await set_capacity(store, A, capacity)
    with pytest.raises(NotFound):
        await set_capacity(store, CellId("cell-q"), 1)


async def test_of_twenty_that_come_at_once_as_many_get_in_as_there_is_room_for(
    store: PostgresRegistry, database_url: str
) -> None:
    """Each in a transaction and on a connection of its own: who counts must not be overtaken."""
    await fill(store, B, 10, "b")
    async with PostgresRegistry.open(database_url, pool_size=20) as wide, asyncio.timeout(60):
        await asyncio.gather(*(list_cells(wide) for _ in range(20)))
        comers = [add_tenant(wide, Tenant(TenantId(f"n{number}"), A)) for number in range(10)]
        movers = [move_tenants(wide, {TenantId(f"b{number}"): A}) for number in range(10)]
        results = await asyncio.gather(*comers, *movers, return_exceptions=True)
    assert sum(isinstance(result, Conflict) for result in results) == 17
    assert (await placed(store))[A] == 3


async def test_tenants_are_placed_where_there_is_most_room(store: PostgresRegistry) -> None:
    await set_capacity(store, B, 6)
    await add_cell(store, Cell(id=CellId("cell-c"), tenancy=Tenancy.DEDICATED))
    await add_cell(store, Cell(id=CellId("cell-d"), tier="gold"), capacity=1)
    async with asyncio.timeout(30):
        await asyncio.gather(*(place_tenant(store, TenantId(f"p{number}"), Wish()) for number in range(9)))
    assert await placed(store) == {A: 3, B: 6, "cell-c": 0, "cell-d": 0}
    with pytest.raises(Conflict, match=r"no cell takes tenants: of an active shared cell of tier std .* all are full"):
        await place_tenant(store, TenantId("late"), Wish())
    assert (await place_tenant(store, TenantId("gold"), Wish(tier="gold"))).tenant.cell == "cell-d"
    again = await place_tenant(store, TenantId("gold"), Wish(tier="gold"))
    assert (again.tenant.cell, again.is_change) == ("cell-d", False), "though the cell is full now"
    with pytest.raises(Conflict, match="tier std in region eu, there is none"):
        await place_tenant(store, TenantId("late"), Wish(region="eu"))
    await set_cell_state(store, A, CellState.CORDONED)
    await set_capacity(store, B, None)
    with pytest.raises(Conflict, match="tenant gold: exists already, in cell cell-d"):
        await place_tenant(store, TenantId("gold"), Wish())


async def test_a_share_is_the_same_tenants_whoever_asks_and_asking_again_moves_nobody(store: PostgresRegistry) -> None:
    await set_capacity(store, A, None)
    await fill(store, A, 1000)
    moves = await move_share(store, A, B, 0.1)
    assert 70 < len(moves) < 130
    assert await move_share(store, A, B, 0.1) == ()
    first = {move.tenant for move in moves}
    await move_tenants(store, dict.fromkeys(first, A))
    assert {move.tenant for move in await move_share(store, A, B, 0.2)} > first
    await move_share(store, A, B, 1)
    assert await placed(store) == {A: 0, B: 1000}
    # Those who came along are not the same part of everything.
    assert 70 < len(await move_share(store, B, A, 0.1)) < 130
    assert len(await list_tenants(store)) == 1000


@pytest.mark.parametrize("share", [0, -0.1, 1.01])
async def test_a_share_that_is_none(store: PostgresRegistry, share: float) -> None:
    with pytest.raises(RequestError, match="share: expected more than 0 % and at most 100 %"):
        await move_share(store, A, B, share)
    with pytest.raises(RequestError, match="cell cell-a: expected another cell"):
        await move_share(store, A, A, 0.5)
