"""Where a tenant goes, in words."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.edge import GROUP, cell, edge_options, endpoint, tenant, topology
from xds.model import CellState, TenantState
from xds.names import NodeId, ResourceName, TenantId, TypeUrl
from xds.operations.bearing import Bearer, Stranger
from xds.operations.resolving import EnvoyStanding, Resolution, needed_by, resolve, resolve_token
from xds.translate import AuthMode, CanaryOptions, CellBound, EdgeOptions, TenantOptions, translate

ACME = TenantId("acme")
PUBLISHED = translate(
    topology(
        cell("cell-a", endpoints=(endpoint("10.0.0.1:80", zone="x"), endpoint("10.0.0.2:80"), endpoint("10.0.0.3:80"))),
        cell("cell-down", state=CellState.PROVISIONING),
        cell("Cell-X"),
        tenant("acme", "cell-a"),
        tenant("globex", "cell-a", suspended=True),
        tenant("fresh", "cell-a", came_from="cell-b", at=90.0),
        tenant("down", "cell-down"),
        tenant("lost", "cell-gone"),
        tenant("two words", "cell-a"),
        revision=7,
    ),
    edge_options(),
)


def envoy(name: str, progress: str) -> EnvoyStanding:
    return EnvoyStanding(node_id=NodeId(name), group=GROUP, progress=progress)


def resolved(name: str, *envoys: EnvoyStanding) -> Resolution:
    return resolve(PUBLISHED, 3, TenantId(name), envoys)


def test_a_tenant_that_the_canary_leaves_to_the_legacy_proxy_is_said_to_go_there() -> None:
    canary = CanaryOptions(legacy=("legacy.internal", 8080), tenants={ACME: False})
    published = translate(PUBLISHED.topology, replace(edge_options(), canary=canary))
    resolution = resolve(published, 3, ACME)

    assert resolution.route_table == "legacy"
    assert resolution.why[1] == (
        "It is not in the canary's share, so its requests go to the legacy proxy at legacy.internal:8080."
    )


def test_a_tenant_is_resolved_to_its_cell_table_and_endpoints() -> None:
    resolution = resolved("acme")
    assert resolution.found
    assert (resolution.state, resolution.route_table) == (TenantState.ACTIVE, "cell-a")
    assert (resolution.revision, resolution.snapshot) == (7, 3)
    assert resolution.cell is not None
    assert (resolution.cell.id, resolution.cell.state, resolution.cell.endpoints) == ("cell-a", CellState.ACTIVE, 3)
    assert resolution.cell.zones == (("", 2), ("x", 1))
    assert resolution.why == (
        "The registry has tenant acme in cell-a, active.",
        "cell-a is active and takes traffic, so its requests go to one of 3 endpoints.",
        "Its scope names the route table 'cell-a', since revision 7 or before.",
        "No Envoy is connected to this replica, so none is known to follow.",
    )


@pytest.mark.parametrize(
    ("name", "table", "words"),
    [
        (
            "globex",
            "suspended",
            "The tenant is suspended, so the edge answers its requests with 403, whatever its cell.",
        ),
        ("down", "cell-down", "cell-down is provisioning and takes no traffic, so its requests get a 503."),
        ("lost", "unavailable", "There is no cell cell-gone that Envoys can be told of, so its requests get a 503."),
    ],
)
def test_what_stands_in_the_way_is_said(name: str, table: str, words: str) -> None:
    resolution = resolved(name)
    assert resolution.route_table == table
    assert words in resolution.why


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nobody", "The registry has no tenant nobody."),
        ("-", "The registry has no tenant -."),
        ("-/cell-a", "The registry has no tenant -/cell-a."),
        ("two words", "Tenant two words is left out: the id can't be a header's value; the tenant is left out."),
    ],
)
def test_a_tenant_that_the_edge_does_not_know_is_not_found(name: str, words: str) -> None:
    resolution = resolved(name)
    assert not resolution.found
    assert resolution.cell is None
    assert resolution.why == (words, "The edge answers its requests with 403: the tenant is unknown.")


def test_what_a_tenant_needs_is_its_scope_and_its_table() -> None:
    assert needed_by(PUBLISHED, ACME) == (
        (TypeUrl.SCOPE, ResourceName("acme")),
        (TypeUrl.ROUTE, ResourceName("cell-a")),
    )
    assert needed_by(PUBLISHED, TenantId("nobody")) == ()


def test_which_envoys_follow_is_said_and_who_does_not_is_named() -> None:
    assert resolved("acme", envoy("a", "acked")).why[-1] == "All 1 connected Envoys have acknowledged it."
    behind = resolved("acme", envoy("a", "acked"), envoy("b", "nacked"), *(envoy(f"c{n}", "sent") for n in range(6)))
    assert behind.why[-1] == (
        "1 of 8 connected Envoys have acknowledged it; not yet: b (nacked), c0 (sent), c1 (sent), c2 (sent),"
        " c3 (sent) and 2 more."
    )


def by_token(bearer: Bearer | Stranger, options: EdgeOptions | None = None, now: float = 100.0) -> Resolution:
    published = translate(PUBLISHED.topology, options or edge_options(), now=now)
    name = TenantId(bearer.tenant if isinstance(bearer, Bearer) else "")
    return resolve_token(bearer, resolve(published, 3, name), published)


def of(name: str = "acme", claimed: str | None = None) -> Bearer:
    return Bearer(source="https://idp", tenant=name, cell=claimed)


def test_a_token_is_resolved_by_its_tenant() -> None:
    resolution = by_token(of())
    assert resolution.found
    assert resolution.why[0] == "The token is good, and https://idp says that it is tenant acme's."
    assert resolution.why[1:] == resolved("acme").why


@pytest.mark.parametrize(
    ("claimed", "bound", "words"),
    [
        ("cell-a", CellBound.ENFORCE, "It is bound to cell-a, where the tenant lives."),
        ("cell-b", CellBound.ENFORCE, "with CBA_MODE=enforce the edge answers 401."),
        ("cell-b", CellBound.MONITOR, "with CBA_MODE=monitor the edge counts that, and lets it through."),
        ("cell-b", CellBound.OFF, "with CBA_MODE=off the edge does not look at that."),
        ("", CellBound.ENFORCE, "It is bound to what is no cell's id, and the tenant lives in cell-a"),
    ],
)
def test_what_a_token_is_bound_to_is_said(claimed: str, bound: CellBound, words: str) -> None:
    assert words in by_token(of(claimed=claimed), edge_options(cell_bound=bound)).why[1]


def test_in_its_grace_a_token_of_the_cell_that_was_left_passes() -> None:
    graced = edge_options(tenants=TenantOptions(grace=timedelta(seconds=60)))
    words = "It is bound to cell-b, which the tenant has just left: the edge lets it through for its grace."
    assert by_token(of("fresh", "cell-b"), graced).why[1] == words
    assert "the edge answers 401" in by_token(of("fresh", "cell-b"), graced, now=160.0).why[1]
    assert "the edge answers 401" in by_token(of("fresh", "cell-b")).why[1]


@pytest.mark.parametrize("name", ["globex", "down", "lost", "nobody"])
def test_what_a_token_is_bound_to_is_not_said_where_it_decides_nothing(name: str) -> None:
    assert by_token(of(name, "cell-b")).why[1:] == resolved(name).why


def test_nor_is_it_of_a_tenant_that_is_left_to_the_legacy_proxy() -> None:
    options = replace(edge_options(), canary=CanaryOptions(legacy=("legacy.internal", 8080), tenants={ACME: False}))
    assert not any("bound" in each for each in by_token(of(claimed="cell-b"), options).why)


@pytest.mark.parametrize(("reason", "status"), [("the token has expired", 401), ("it cannot be checked now", 503)])
def test_a_token_that_does_not_hold_goes_nowhere(reason: str, status: int) -> None:
    resolution = by_token(Stranger(status=status, reason=reason))
    assert (resolution.found, resolution.tenant) == (False, "")
    assert resolution.why == (f"The edge answers {status}: {reason}.",)


def test_a_token_without_a_tenant_goes_nowhere() -> None:
    resolution = by_token(of(""))
    assert not resolution.found
    assert resolution.why == ("The token is good, but https://idp names no tenant in it: the edge answers 403.",)


def test_where_no_token_is_looked_at_it_is_said_whose_every_request_is() -> None:
    auth = replace(edge_options().auth, mode=AuthMode.OFF, anonymous_tenant=ACME)
    resolution = by_token(of(), replace(edge_options(), auth=auth))
    assert resolution.why[0] == "No token is looked at (AUTH_MODE=off): every request is tenant acme's."
    assert resolution.why[1:] == resolved("acme").why
