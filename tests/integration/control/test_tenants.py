"""Tenants, over HTTP, on a real registry."""

import asyncio
from typing import Any

from tests.support.controlled import Controlled

ACME = "/manage/tenants/acme"


async def test_a_tenant_is_added_moved_and_suspended(operated: Controlled) -> None:
    added = await operated.ask("POST", "/manage/tenants", {"id": "globex", "cell": "cell-a"})
    assert (added.status, added.headers["Location"]) == (201, "/manage/tenants/globex")
    moved = await operated.ask("PUT", "/manage/tenants/globex/cell", {"to": "cell-b"}, If_Match=added.etag)
    assert moved.body == {"tenant": "globex", "was": "cell-a", "now": "cell-b", "changed": True}
    shown = await operated.ask("GET", "/manage/tenants/globex")
    assert (shown.body["cell"], shown.body["arrival"]["previous"]) == ("cell-b", "cell-a")
    asked = {"state": "suspended"}
    suspended = await operated.ask("PUT", "/manage/tenants/globex/state", asked, If_Match=shown.etag)
    assert suspended.body == {"id": "globex", "was": "active", "now": "suspended", "changed": True}


async def test_of_two_that_looked_at_the_same_one_is_told_to_look_again(operated: Controlled) -> None:
    seen = await operated.etag(ACME)
    answers = await asyncio.gather(
        *(operated.ask("PUT", f"{ACME}/cell", {"to": "cell-b"}, If_Match=seen) for _ in range(4))
    )
    assert sorted(each.status for each in answers) == [200, 412, 412, 412]


async def test_several_are_moved_all_or_none(operated: Controlled) -> None:
    refused = await operated.ask("POST", "/manage/moves", {"tenants": ["acme", "nobody"], "to": "cell-b"})
    assert (refused.status, refused.body["detail"]) == (404, "tenant nobody: no such tenant")
    assert (await operated.get(ACME))["cell"] == "cell-a"
    moved = await operated.ask("POST", "/manage/moves", {"tenants": ["acme"], "to": "cell-b"})
    assert moved.body == {"data": [{"tenant": "acme", "was": "cell-a", "now": "cell-b", "changed": True}]}


async def test_the_pages_hold_every_tenant_once_by_id(operated: Controlled) -> None:
    wanted = sorted(["acme", "Zeta", "a.b", "a-b", "a_b", "10"])
    for tenant in wanted:
        await operated.ask("POST", "/manage/tenants", {"id": tenant, "cell": "cell-a"})
    found: list[str] = []
    page: dict[str, Any] = {}
    path = "/manage/tenants?limit=2"
    for _ in range(3):
        page = await operated.get(path)
        found += [each["id"] for each in page["data"]]
        path = f"/manage/tenants?limit=2&cursor={page.get('next')}"
    assert found == wanted
    assert "next" not in page


async def test_they_are_listed_by_cell_and_state(operated: Controlled) -> None:
    assert [each["id"] for each in (await operated.get("/manage/tenants?cell=cell-a&state=active"))["data"]] == ["acme"]
    assert (await operated.get("/manage/tenants?cell=cell-b"))["data"] == []


async def test_an_id_that_a_claim_could_become_is_refused(operated: Controlled) -> None:
    refused = await operated.ask("POST", "/manage/tenants", {"id": "true", "cell": "cell-a"})
    assert refused.status == 400
    assert "tenant id: expected" in refused.body["detail"]
