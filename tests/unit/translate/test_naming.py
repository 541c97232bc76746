"""The names are a contract with dashboards and manifests; these tests are its text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xds.names import PUBLIC_TENANT, CellId, ResourceName, TenantId, TypeUrl
from xds.translate import naming

CELL = CellId("cell-shared-std-local")
CELL_IDS = st.from_regex(r"cell-[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True).map(CellId)
TENANT_IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True).map(TenantId)


def test_a_cells_cluster_carries_the_runbooks_name() -> None:
    assert naming.cell_cluster(CELL) == "cell-shared-std-local-api"


def test_a_grpc_client_finds_a_cell_by_the_name_of_its_cluster() -> None:
    assert naming.cell_target(CELL) == "cell-shared-std-local-api"


def test_a_cells_route_table_is_named_like_the_cell() -> None:
    assert naming.cell_routes(CELL) == "cell-shared-std-local"


def test_a_tenants_scope_is_named_like_the_tenant() -> None:
    assert naming.tenant_scope(TenantId("acme")) == "acme"


def test_a_cells_default_address_is_the_runbooks_service() -> None:
    assert naming.default_address(CELL) == "alphaswarm-cell-shared-std-local-api"


@given(CELL_IDS)
def test_no_cells_route_table_is_one_of_those_that_belong_to_no_cell(cell: CellId) -> None:
    shared = {naming.PUBLIC_ROUTES, naming.SUSPENDED_ROUTES, naming.UNAVAILABLE_ROUTES, naming.INTERNAL_ROUTES}

    assert naming.cell_routes(cell) not in shared
    assert naming.cell_cluster(cell) not in {naming.CLIENT_CLUSTER, naming.CONTROLLER_CLUSTER}


@given(CELL_IDS, CELL_IDS)
def test_a_graces_route_table_tells_its_cells_and_is_no_other_table(cell: CellId, previous: CellId) -> None:
    assert naming.graced(naming.grace_routes(cell, previous)) == (cell, previous)
    for other in (naming.cell_routes(cell), naming.PUBLIC_ROUTES, naming.INTERNAL_ROUTES):
        assert naming.graced(other) is None


@given(CELL_IDS, TENANT_IDS)
def test_no_tenants_scope_is_an_anchor_or_the_public_one(cell: CellId, tenant: TenantId) -> None:
    taken = {naming.anchor_scope(naming.cell_routes(cell)), naming.anchor_scope(naming.PUBLIC_ROUTES), PUBLIC_TENANT}

    assert naming.tenant_scope(tenant) not in taken


@given(CELL_IDS, CELL_IDS)
def test_two_cells_share_no_name(one: CellId, other: CellId) -> None:
    def names(cell: CellId) -> list[str]:
        routes = naming.cell_routes(cell)
        return [naming.cell_cluster(cell), routes, naming.anchor_scope(routes)]

    assert one == other or not any(mine == theirs for mine, theirs in zip(names(one), names(other), strict=True))


@pytest.mark.parametrize(
    ("type_url", "name", "row"),
    [
        (TypeUrl.CLUSTER, "cell-a-api", "cell cell-a"),
        (TypeUrl.ENDPOINT, "cell-a-api", "cell cell-a"),
        (TypeUrl.ROUTE, "cell-a", "cell cell-a"),
        (TypeUrl.ROUTE, "cell-a-api", "cell cell-a-api"),
        (TypeUrl.ROUTE, "cell-a/cell-b", "cell cell-a"),
        (TypeUrl.SCOPE, "acme", "tenant acme"),
        (TypeUrl.SCOPE, "-/cell-a", "cell cell-a"),
        (TypeUrl.SCOPE, "-/public", ""),
        (TypeUrl.SCOPE, "-", ""),
        (TypeUrl.CLUSTER, "alphaswarm-client", ""),
        (TypeUrl.ROUTE, "public", ""),
        (TypeUrl.LISTENER, "edge", ""),
    ],
)
def test_a_resource_is_traced_back_to_the_row_that_it_comes_from(type_url: TypeUrl, name: str, row: str) -> None:
    assert naming.registry_row(type_url, ResourceName(name)) == row
