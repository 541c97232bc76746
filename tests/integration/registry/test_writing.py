"""Operations on a real registry: the rules, and that a refusal changes nothing."""

import asyncio
from dataclasses import replace

import pytest

from xds.errors import Conflict, NotFound, RequestError
from xds.model import Cell, CellState, Endpoint, Tenant, TenantState
from xds.names import CellId, TenantId
from xds.operations import (
    BadImport,
    CellAddition,
    CellStateChange,
    Import,
    Move,
    TenantStateChange,
    add_cell,
    add_tenant,
    import_tenants,
    list_cells,
    list_tenants,
    move_tenant,
    move_tenants,
    set_capacity,
    set_cell_state,
    set_endpoints,
    set_tenant_state,
)
from xds.registry import PostgresRegistry

A, B, CLOSED = CellId("cell-a"), CellId("cell-b"), CellId("cell-closed")
ACME, GLOBEX = TenantId("acme"), TenantId("globex")


@pytest.fixture
async def store(registry: PostgresRegistry) -> PostgresRegistry:
    """Two active cells, a cordoned one, and a tenant in the first and the last."""
    for cell in (A, B, CLOSED):
        await add_cell(registry, Cell(id=cell))
    await add_tenant(registry, Tenant(ACME, A))
    await add_tenant(registry, Tenant(GLOBEX, CLOSED))
    await set_cell_state(registry, CLOSED, CellState.CORDONED)
    return registry


async def revision(store: PostgresRegistry) -> int:
    return (await store.load()).revision


async def test_a_cell_is_stored_as_it_is_returned(registry: PostgresRegistry) -> None:
    asked = Cell(
        id=A, labels=(("b", "1"), ("a", "2")), endpoints=(Endpoint(address="h", port=2), Endpoint(address="", port=1))
    )
    stored = (await add_cell(registry, asked)).cell
    assert stored.labels == (("a", "2"), ("b", "1"))
    assert [endpoint.address for endpoint in stored.endpoints] == ["alphaswarm-cell-a-api", "h"]
    assert (await registry.load()).cells == {A: stored}


async def test_a_cell_without_endpoints_gets_its_service(registry: PostgresRegistry) -> None:
    stored = (await add_cell(registry, Cell(id=A))).cell
    assert stored.endpoints == (Endpoint(address="alphaswarm-cell-a-api", port=8000),)


async def test_a_cell_is_added_once_and_the_same_again_is_no_change(store: PostgresRegistry) -> None:
    asked = Cell(id=CellId("cell-new"), labels=(("b", "1"), ("a", "2")))
    assert (await add_cell(store, asked, capacity=3)).is_change
    before = await revision(store)
    again = await add_cell(store, asked, capacity=3)
    assert (again.is_change, again.cell.labels) == (False, (("a", "2"), ("b", "1")))
    assert await revision(store) == before
    with pytest.raises(Conflict, match="cell cell-new: exists already, and has another tier, labels, capacity"):
        await add_cell(store, Cell(id=CellId("cell-new"), tier="ent"))


async def test_one_of_four_that_add_a_cell_at_once_succeeds(registry: PostgresRegistry) -> None:
    results = await asyncio.gather(*(add_cell(registry, Cell(id=A)) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(result, CellAddition) and result.is_change for result in results) == 1
    assert all(isinstance(result, CellAddition | Conflict) for result in results)


async def test_listing_counts_tenants(store: PostgresRegistry) -> None:
    assert [(row.cell.id, row.tenants) for row in await list_cells(store)] == [(A, 1), (B, 0), (CLOSED, 1)]
    assert [row.cell.id for row in await list_cells(store, state=CellState.CORDONED)] == [CLOSED]


async def test_a_cell_changes_state_along_the_table(store: PostgresRegistry) -> None:
    assert await set_cell_state(store, B, CellState.DRAINING) == CellStateChange(
        B, CellState.ACTIVE, CellState.DRAINING
    )
    before = await revision(store)
    assert not (await set_cell_state(store, B, CellState.DRAINING)).is_change
    assert await revision(store) == before
    with pytest.raises(Conflict, match="draining cannot become provisioning, only active, cordoned, retired"):
        await set_cell_state(store, B, CellState.PROVISIONING)
    with pytest.raises(NotFound, match="cell cell-q: no such cell"):
        await set_cell_state(store, CellId("cell-q"), CellState.ACTIVE)
    assert (await store.load()).cells[B].state is CellState.DRAINING


async def test_a_cell_with_tenants_is_not_retired(store: PostgresRegistry) -> None:
    with pytest.raises(Conflict, match=r"cell cell-closed: cannot be retired while tenants live in it \(1\)"):
        await set_cell_state(store, CLOSED, CellState.RETIRED)
    await move_tenant(store, GLOBEX, B)
    assert (await set_cell_state(store, CLOSED, CellState.RETIRED)).is_change
    with pytest.raises(Conflict, match="retired cannot become active, only provisioning"):
        await set_cell_state(store, CLOSED, CellState.ACTIVE)


async def test_a_cell_cannot_be_closed_under_a_move(store: PostgresRegistry) -> None:
    """Whoever comes second waits for the first, and then sees what it did."""
    async with asyncio.timeout(20):
        async with store.transaction() as transaction:
            assert (await transaction.cells([B]))[B].state.takes_tenants
            closing = asyncio.ensure_future(set_cell_state(store, B, CellState.DRAINING))  # noqa: TID251 -- a test
            done, _ = await asyncio.wait({closing}, timeout=0.3)
            assert not done
            await transaction.move_tenants({ACME: B})
        await closing
    with pytest.raises(Conflict):
        await add_tenant(store, Tenant(TenantId("late"), B))


async def test_endpoints_are_replaced(store: PostgresRegistry) -> None:
    endpoints = (Endpoint(address="10.0.0.1", port=80), Endpoint(address="", port=81, weight=2))
    change = await set_endpoints(store, A, endpoints)
    assert change.is_change
    assert (await store.load()).cells[A].endpoints == change.now
    before = await revision(store)
    assert not (await set_endpoints(store, A, endpoints)).is_change
    assert await revision(store) == before
    with pytest.raises(RequestError, match="at least one endpoint"):
        await set_endpoints(store, A, ())


@pytest.mark.parametrize("cell", [CLOSED, CellId("cell-q")])
async def test_only_an_active_cell_takes_tenants(store: PostgresRegistry, cell: CellId) -> None:
    before = await revision(store)
    with pytest.raises((Conflict, NotFound), match=f"cell {cell}: (is cordoned|no such cell)"):
        await add_tenant(store, Tenant(TenantId("new"), cell))
    with pytest.raises((Conflict, NotFound), match=f"cell {cell}: (is cordoned|no such cell)"):
        await move_tenant(store, ACME, cell)
    assert await revision(store) == before


async def test_a_tenant_is_added_once_and_the_same_again_is_no_change(store: PostgresRegistry) -> None:
    with pytest.raises(Conflict, match="tenant acme: exists already, in cell cell-a"):
        await add_tenant(store, Tenant(ACME, B))
    with pytest.raises(Conflict, match="tenant acme: exists already, in cell cell-a, active"):
        await add_tenant(store, Tenant(ACME, A, TenantState.SUSPENDED))
    before = await revision(store)
    await set_capacity(store, A, 0)
    await set_cell_state(store, A, CellState.CORDONED)
    assert not (await add_tenant(store, Tenant(ACME, A))).is_change, "though the cell takes nobody any more"
    assert (await store.load()).tenants[ACME] == Tenant(ACME, A)
    assert await revision(store) > before


@pytest.mark.parametrize("tenant", ["-", "-/cell-a", "", "a b", " a", "a\n", "a\0", "a,b", ".a", "ü", "x" * 129])
async def test_a_tenant_id_that_is_no_header_value_is_refused(store: PostgresRegistry, tenant: str) -> None:
    with pytest.raises(RequestError, match="tenant id: expected 1 to 128 letters"):
        await add_tenant(store, Tenant(TenantId(tenant), A))


async def test_a_move_says_from_where_to_where(store: PostgresRegistry) -> None:
    assert await move_tenant(store, ACME, B) == Move(ACME, A, B)
    assert (await store.load()).tenants[ACME].cell == B


async def test_a_move_to_where_the_tenant_is_changes_nothing_even_if_the_cell_is_closed(
    store: PostgresRegistry,
) -> None:
    before = await revision(store)
    move = await move_tenant(store, GLOBEX, CLOSED)
    assert not move.is_change
    assert await revision(store) == before


async def test_moves_are_all_or_none(store: PostgresRegistry) -> None:
    before = await revision(store)
    with pytest.raises(NotFound, match="tenant nobody: no such tenant"):
        await move_tenants(store, {ACME: B, TenantId("nobody"): B})
    assert await revision(store) == before
    moves = await move_tenants(store, {ACME: B, GLOBEX: A})
    assert moves == (Move(ACME, A, B), Move(GLOBEX, CLOSED, A))
    changes = await store.changes_since((await store.load()).revision)
    assert not changes


async def test_a_tenant_is_suspended_and_let_in_again(store: PostgresRegistry) -> None:
    change = await set_tenant_state(store, ACME, TenantState.SUSPENDED)
    assert change == TenantStateChange(ACME, TenantState.ACTIVE, TenantState.SUSPENDED)
    assert [t.id for t in await list_tenants(store, state=TenantState.SUSPENDED)] == [ACME]
    assert not (await set_tenant_state(store, ACME, TenantState.SUSPENDED)).is_change
    with pytest.raises(NotFound, match="tenant nobody"):
        await set_tenant_state(store, TenantId("nobody"), TenantState.ACTIVE)


async def test_tenants_are_listed_by_id_cell_and_number(store: PostgresRegistry) -> None:
    await add_tenant(store, Tenant(TenantId("Zeta"), A))
    assert [t.id for t in await list_tenants(store)] == ["Zeta", "acme", "globex"]
    assert [t.id for t in await list_tenants(store, cell=A, limit=1)] == ["Zeta"]


async def test_an_import_adds_changes_and_keeps(store: PostgresRegistry) -> None:
    await set_tenant_state(store, ACME, TenantState.SUSPENDED)
    before = await revision(store)
    steps: list[tuple[int, int]] = []
    done = await import_tenants(
        store,
        ["tenant,cell,state\n", "acme,cell-b,\n", "globex,cell-closed,active\n", "\n", "new, cell-a ,suspended\n"],
        lambda done, total: steps.append((done, total)),
    )
    assert done == Import(added=1, changed=1, unchanged=1)
    assert steps == [(3, 3)]
    changes = await store.changes_since(before)  # type: ignore[arg-type]
    new = TenantId("new")
    acme = changes.tenants[ACME]
    assert acme is not None
    assert acme.arrival is not None
    assert acme.arrival.previous == A
    assert {**changes.tenants, ACME: replace(acme, arrival=None)} == {
        ACME: Tenant(ACME, B, TenantState.SUSPENDED),
        new: Tenant(new, A, TenantState.SUSPENDED),
    }


async def test_an_import_in_batches_is_one_transaction(store: PostgresRegistry) -> None:
    lines = ["tenant,cell", *(f"t{number},cell-a" for number in range(25_000))]
    steps: list[tuple[int, int]] = []
    assert await import_tenants(store, lines, lambda *step: steps.append(step)) == Import(
        added=25_000, changed=0, unchanged=0
    )
    assert steps == [(10_000, 25_000), (20_000, 25_000), (25_000, 25_000)]
    assert await import_tenants(store, lines) == Import(added=0, changed=0, unchanged=25_000)


async def test_an_import_that_fails_halfway_writes_nothing(store: PostgresRegistry) -> None:
    before = await revision(store)

    def interrupt(done: int, _total: int) -> None:
        if done == 20_000:
            raise KeyboardInterrupt

    lines = ["tenant,cell", *(f"t{number},cell-a" for number in range(25_000))]
    with pytest.raises(KeyboardInterrupt):
        await import_tenants(store, lines, interrupt)
    assert await revision(store) == before
    assert len(await list_tenants(store)) == 2


async def test_a_bad_import_names_every_bad_line_and_writes_nothing(store: PostgresRegistry) -> None:
    before = await revision(store)
    lines = [
        "tenant,cell,state",
        "good,cell-a,",
        "-,cell-a,",
        "x,cell-q,",
        "y,cell-closed,",
        "globex,cell-closed,",
        "z,cell-a,asleep",
        "good,cell-b,",
        "short,cell-a",
    ]
    with pytest.raises(BadImport) as error:
        await import_tenants(store, lines)
    assert error.value.faults == (
        (
            "line 3: tenant: expected 1 to 128 letters, digits, '.', '_', '-', beginning with a letter or digit, and"
            " nothing that a claim which is no text could become, got '-'"
        ),
        "line 4: cell: expected one that exists, got 'cell-q'",
        "line 5: cell: expected an active one, got 'cell-closed', which is cordoned",
        "line 7: state: expected active or suspended or moving or nothing, got 'asleep'",
        "line 8: tenant: expected each once, got 'good' as on line 2",
        "line 9: expected 3 columns, got 2",
    )
    assert await revision(store) == before


async def test_a_very_bad_import_ends_with_a_count(store: PostgresRegistry) -> None:
    with pytest.raises(BadImport) as error:
        await import_tenants(store, ["tenant,cell", *(["-,cell-a"] * 50)])
    assert len(error.value.faults) == 21
    assert error.value.faults[-1] == "and 30 more bad lines"


@pytest.mark.parametrize("lines", [[], ["acme,cell-a"], ["tenant;cell"], ["cell,tenant"]])
async def test_an_import_needs_its_header(store: PostgresRegistry, lines: list[str]) -> None:
    with pytest.raises(BadImport, match="line 1: expected the header 'tenant,cell' or 'tenant,cell,state', got"):
        await import_tenants(store, lines)


async def test_an_import_that_is_no_csv(store: PostgresRegistry) -> None:
    with pytest.raises(BadImport, match="line 3: expected CSV, got something else"):
        await import_tenants(store, ["tenant,cell\n", "a,cell-a\n", '"b,cell-a\n'])
