"""Tenants of a content led elsewhere without a registry: the same scopes as the registry's word would have made."""

from dataclasses import replace

from tests.support.edge import cell, edge_options, tenant, topology
from xds.model import CellState, TenantState
from xds.names import CellId, NodeGroup, ResourceName, TenantId, TypeUrl
from xds.snapshot import SHARED, Place
from xds.translate import displaced, has_routes, takes_tenants, tenants_by_cell, tenants_in, translate
from xds.translate.canary import CanaryOptions

A, B = CellId("cell-a"), CellId("cell-b")
OPTIONS = edge_options()


def content(*things: object, at: CellId = A):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """What is served of two cells and these tenants."""
    return translate(topology(cell(A), cell(B), tenant("acme", at), tenant("b", B), *things), OPTIONS).content  # type: ignore[arg-type]


def test_a_content_says_who_lives_where() -> None:
    assert (tenants_in(content(), A), tenants_in(content(), B)) == (("acme",), ("b",))
    assert tenants_in(content(), CellId("cell-x")) == ()
    counts = tenants_by_cell(content(tenant("c", B)))
    assert (counts[A], counts[B]) == (1, 2)


def test_who_is_led_elsewhere_has_the_scope_that_the_registry_would_have_given() -> None:
    moved = content().apply(displaced(content(), {TenantId("acme"): B}))

    assert moved.digest == content(at=B).digest


def test_who_is_not_there_or_is_suspended_is_not_led_anywhere() -> None:
    held = content(replace(tenant("gone", A), state=TenantState.SUSPENDED))

    assert "gone" not in tenants_in(held, A)
    assert displaced(held, {TenantId("nobody"): B}).upserts == {}


def test_a_cell_that_is_known_has_routes_in_whatever_state() -> None:
    held = content(cell("cell-c", state=CellState.RETIRED))

    assert [has_routes(held, CellId(each)) for each in ("cell-a", "cell-c", "cell-x")] == [True, True, False]


def test_only_a_cell_that_takes_traffic_takes_tenants() -> None:
    held = content(cell("cell-c", state=CellState.PROVISIONING))

    assert [takes_tenants(held, CellId(each)) for each in ("cell-a", "cell-c", "cell-x")] == [True, False, False]


def test_a_group_that_has_scopes_of_its_own_is_led_there_too_and_the_legacy_proxys_tenants_nowhere() -> None:
    lane = NodeGroup("alphaswarm-edge~next")
    legacy = replace(OPTIONS, canary=CanaryOptions(legacy=("legacy", 80), weight=0))
    stable = translate(topology(cell(A), cell(B), tenant("acme", A), tenant("b", B)), legacy).content
    own = content().tables[SHARED][TypeUrl.SCOPE]
    both = replace(stable, tables={**stable.tables, lane: {TypeUrl.SCOPE: own}})

    assert (tenants_in(stable, A), tenants_in(both, A)) == ((), ("acme",))
    assert list(displaced(both, {TenantId("acme"): B}).upserts) == [Place(lane, TypeUrl.SCOPE, ResourceName("acme"))]
