from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from envoy_data_plane.envoy.config.route.v3 import ScopedRouteConfiguration

from tests.support.edge import SHARED, edge_options, tenant
from xds.model import TenantState
from xds.names import ResourceName, TenantId, TypeUrl
from xds.snapshot import Ref, Resource
from xds.translate import AuthMode, Problem, TenantOptions
from xds.translate.tenants import TenantTranslator

OPTIONS = edge_options(tenants=TenantOptions(grace=timedelta(seconds=10)))
TRANSLATOR = TenantTranslator({SHARED}, OPTIONS, now=100.0)


def scope_of(outcome: Resource | Problem) -> tuple[str, str, list[str]]:
    """A scope's name, its route table and its key."""
    assert isinstance(outcome, Resource)
    message = ScopedRouteConfiguration.parse(outcome.body)
    assert message.key is not None
    return message.name, message.route_configuration_name, [each.string_key or "" for each in message.key.fragments]


def test_a_tenant_goes_by_its_cells_route_table() -> None:
    assert scope_of(TRANSLATOR.translate(tenant("acme"))) == ("acme", SHARED, ["acme"])


def test_a_suspended_tenant_is_refused_wherever_it_lives() -> None:
    for cell_id in (SHARED, "cell-gone"):
        assert scope_of(TRANSLATOR.translate(tenant("acme", cell_id, suspended=True)))[1] == "suspended"


def test_a_moving_tenant_goes_by_a_table_that_holds_its_writes() -> None:
    moving = replace(tenant("acme"), state=TenantState.MOVING)

    assert scope_of(TRANSLATOR.translate(moving)) == ("acme", f"{SHARED}/held", ["acme"])


def test_a_tenant_in_its_grace_goes_by_a_table_that_knows_both_cells() -> None:
    arrived = tenant("acme", came_from="cell-old", at=95.0)

    assert scope_of(TRANSLATOR.translate(arrived))[1] == f"{SHARED}/cell-old"


@pytest.mark.parametrize(
    "came",
    [{"came_from": "cell-old", "at": 90.0}, {"came_from": SHARED, "at": 95.0}, {"came_from": "public", "at": 95}],
)
def test_no_grace_that_is_over_or_from_nowhere(came: dict[str, Any]) -> None:
    assert scope_of(TRANSLATOR.translate(tenant("acme", **came)))[1] == SHARED


def test_a_grace_opens_no_door_that_is_shut() -> None:
    came: dict[str, Any] = {"came_from": "cell-old", "at": 95.0}

    assert scope_of(TRANSLATOR.translate(tenant("acme", suspended=True, **came)))[1] == "suspended"
    assert scope_of(TRANSLATOR.translate(tenant("acme", "cell-gone", **came)))[1] == "unavailable"


def test_a_tenant_of_a_cell_that_could_not_be_translated_is_told_so() -> None:
    assert scope_of(TRANSLATOR.translate(tenant("acme", "cell-gone")))[1] == "unavailable"


def test_a_scope_needs_its_route_table_first() -> None:
    outcome = TRANSLATOR.translate(tenant("acme"))

    assert isinstance(outcome, Resource)
    assert outcome.needs == (Ref(TypeUrl.ROUTE, ResourceName(SHARED)),)


def test_tenants_of_one_cell_share_one_reference() -> None:
    one, other = TRANSLATOR.translate(tenant("a")), TRANSLATOR.translate(tenant("b"))

    assert isinstance(one, Resource)
    assert isinstance(other, Resource)
    assert one.needs is other.needs


@pytest.mark.parametrize(
    "tenant_id", ["", "-", "-/cell-a", "two words", "a\n", "ü", ".a", "_a", "a" * 129, "a,b", "a:b"]
)
def test_an_id_that_is_no_header_value_is_a_problem(tenant_id: str) -> None:
    outcome = TRANSLATOR.translate(tenant(tenant_id))

    assert isinstance(outcome, Problem)
    assert (outcome.kind, outcome.id) == ("tenant", tenant_id)


@pytest.mark.parametrize("tenant_id", ["a", "0", "A.b_c-d", "a" * 128, "3fa85f64-5717-4562-b3fc-2c963f66afa6"])
def test_an_id_that_is_a_header_value_has_a_scope(tenant_id: str) -> None:
    assert scope_of(TRANSLATOR.translate(tenant(tenant_id)))[2] == [tenant_id]


@pytest.mark.parametrize(
    ("tenant_id", "fault"),
    [("a b", "can't be a header's value"), ("true", "is reserved for claims"), ("WyJhYiJd", "is reserved for claims")],
)
def test_an_id_that_could_be_another_thing_is_left_out(tenant_id: str, fault: str) -> None:
    outcome = TRANSLATOR.translate(tenant(tenant_id))

    assert isinstance(outcome, Problem)
    assert fault in outcome.text


def test_only_an_anonymous_tenant_has_a_scope_without_being_there() -> None:
    optional = replace(OPTIONS.auth, mode=AuthMode.OPTIONAL, anonymous_tenant=TenantId("nobody"))
    translator = TenantTranslator({SHARED}, replace(OPTIONS, auth=optional), now=100.0)
    held = translator.absent(TenantId("nobody"))

    assert held is not None
    assert scope_of(held) == ("nobody", "public", ["nobody"])
    assert held.needs == (Ref(TypeUrl.ROUTE, ResourceName("public")),)
    assert translator.absent(TenantId("acme")) is None
    assert TRANSLATOR.absent(TenantId("nobody")) is None, "a token is required"


@pytest.mark.parametrize(
    ("mode", "hides", "name", "table"),
    [
        (AuthMode.OPTIONAL, True, "nobody", "public"),
        (AuthMode.OPTIONAL, False, "nobody", "suspended"),
        (AuthMode.OPTIONAL, True, "acme", "suspended"),
        (AuthMode.REQUIRED, True, "nobody", "suspended"),
        (AuthMode.OFF, True, "nobody", "suspended"),
    ],
)
def test_hidden_the_anonymous_tenant_is_as_if_it_were_not_there(
    mode: AuthMode, hides: bool, name: str, table: str
) -> None:
    auth = replace(OPTIONS.auth, mode=mode, anonymous_tenant=TenantId("nobody"))
    options = replace(OPTIONS, auth=auth, tenants=TenantOptions(hides_suspended=hides))
    suspended = TenantTranslator({SHARED}, options, now=100.0).translate(tenant(name, suspended=True))

    assert scope_of(suspended) == (name, table, [name])
