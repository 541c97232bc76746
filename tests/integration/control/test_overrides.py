"""Overrides, over HTTP, on a real registry: set, listed and cleared by whoever has seen the tenant as it is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.controlled import Controlled

TENANT = "/manage/tenants/acme"
PATH = f"{TENANT}/override"
SOON = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0).isoformat().replace("+00:00", "Z")
BODY: dict[str, Any] = {"cell": "cell-b", "reason": "new build", "expires_at": SOON}


async def test_an_override_is_set_seen_changed_and_cleared(operated: Controlled) -> None:
    seen = await operated.etag(TENANT)
    put = await operated.ask("PUT", PATH, BODY | {"message": "try it"}, If_Match=seen)
    override = {"tenant": "acme", "kind": "testing", "owner": "olga", **BODY}
    assert (put.status, put.body) == (200, {"tenant": "acme", "now": override, "changed": True})

    tenant = await operated.ask("GET", TENANT)
    assert (tenant.body["cell"], tenant.body["override"]) == ("cell-a", override)
    (listed,) = (await operated.get("/manage/tenants"))["data"]
    assert listed == tenant.body
    assert (await operated.get("/manage/overrides?cell=cell-b"))["data"] == [override]
    assert (await operated.get("/manage/overrides?cell=cell-a"))["data"] == []
    await operated.published()
    assert (await operated.get("/resolve?tenant=acme"))["cell"]["id"] == "cell-b"

    late = await operated.ask("PUT", PATH, BODY, If_Match=seen)
    assert (late.status, late.body["detail"]) == (412, "tenant acme: has changed since you looked: look again")
    other = await operated.ask("PUT", PATH, BODY | {"kind": "isolation", "owner": "anna"}, If_Match=tenant.etag)
    assert (other.body["was"]["owner"], other.body["now"]["owner"]) == ("olga", "anna")

    late = await operated.ask("POST", f"{PATH}/clear", {}, If_Match=tenant.etag)
    assert late.status == 412
    cleared = await operated.ask("POST", f"{PATH}/clear", {}, If_Match=await operated.etag(TENANT))
    assert (cleared.body["changed"], "now" in cleared.body) == (True, False)
    events = (await operated.get("/manage/audit?tenant=acme"))["data"]
    told = [(each["actor"], each["action"], each["message"]) for each in events if each["kind"] == "override"]
    assert told == [
        ("olga", "tenants override clear", ""),
        ("olga", "tenants override set", ""),
        ("olga", "tenants override set", "try it"),
    ]


async def test_a_tenant_that_has_one_is_moved_by_whoever_has_seen_where_it_is_placed(operated: Controlled) -> None:
    await operated.ask("PUT", PATH, BODY, If_Match="*")
    seen = await operated.etag(TENANT)
    moved = await operated.ask("PUT", f"{TENANT}/cell", {"to": "cell-b"}, If_Match=seen)
    assert (moved.status, moved.body["was"]) == (200, "cell-a")
    late = await operated.ask("PUT", f"{TENANT}/cell", {"to": "cell-a"}, If_Match=seen)
    assert late.status == 412


@pytest.mark.parametrize(
    ("change", "status", "detail"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, 400, "override expiry: expected a time to come, got 2020-01-01T00:00"),
        ({"expires_at": "soon"}, 400, "expires_at: expected a date and a time"),
        ({"reason": "a\nb"}, 400, "override reason: expected 1 to 1000 printable characters, got 'a\\nb'"),
        ({"kind": "fun"}, 400, "kind: input should be 'testing', 'isolation' or 'quarantine', got 'fun'"),
        ({"cell": "cell-q"}, 404, "cell cell-q: no such cell"),
    ],
)
async def test_nonsense_is_refused_with_the_field_the_value_and_what_was_expected(
    operated: Controlled, change: dict[str, str], status: int, detail: str
) -> None:
    refused = await operated.ask("PUT", PATH, BODY | change, If_Match="*")
    assert (refused.status, detail in refused.body["detail"]) == (status, True), refused
    assert (await operated.get("/manage/overrides"))["data"] == []


async def test_a_change_wants_what_was_seen(operated: Controlled) -> None:
    assert (await operated.ask("PUT", PATH, BODY)).status == 428
    assert (await operated.ask("POST", f"{PATH}/clear", {})).status == 428
