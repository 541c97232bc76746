"""The audit trail, over HTTP, on a real registry: who, what, before and after, in pages."""

import pytest

from tests.support.controlled import Controlled


async def test_what_was_done_is_told_with_who_did_it_and_why(operated: Controlled) -> None:
    body = {"to": "cell-b", "message": "more room"}
    await operated.ask("PUT", "/manage/tenants/acme/cell", body, If_Match="*")
    event = (await operated.get("/manage/audit?tenant=acme&limit=1"))["data"][0]
    told = {name: event[name] for name in ("actor", "action", "message", "kind", "cell", "tenant")}
    assert told == {
        "actor": "olga",
        "action": "tenants move",
        "message": "more room",
        "kind": "tenant",
        "cell": "cell-b",
        "tenant": "acme",
    }
    assert (event["before"]["cell_id"], event["after"]["cell_id"]) == ("cell-a", "cell-b")
    (same,) = (await operated.get(f"/manage/audit?operation={event['operation']}"))["data"]
    assert same == event
    added = (await operated.get("/manage/audit?tenant=acme"))["data"][-1]
    assert ("before" in added, added["after"]["state"]) == (False, "active")


async def test_the_trail_comes_in_pages_the_newest_first(operated: Controlled) -> None:
    whole = [each["id"] for each in (await operated.get("/manage/audit"))["data"]]
    assert whole == sorted(whole, reverse=True)
    paged: list[int] = []
    path = "/manage/audit?limit=2"
    while True:
        page = await operated.get(path)
        paged += [each["id"] for each in page["data"]]
        if "next" not in page:
            break
        path = f"/manage/audit?limit=2&cursor={page['next']}"
    assert paged == whole
    assert len(whole) > 3


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("cell=cell-b&tenant=acme", 0),
        ("since=2999-01-01T00:00:00Z", 0),
        ("since=2020-01-01T00:00:00%2B02:00&tenant=acme", 1),
    ],
)
async def test_only_what_is_asked_for_is_told(operated: Controlled, query: str, count: int) -> None:
    assert len((await operated.get(f"/manage/audit?{query}"))["data"]) == count


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        (
            "since=yesterday",
            "since: expected a date and a time with a zone, such as 2027-01-31T12:00:00Z, got 'yesterday'",
        ),
        ("since=0001-01-01T00:00:00%2B23:00", "since: expected a time that there is in UTC"),
        ("cursor=WyJhIl0", "cursor: expected `next`"),
    ],
)
async def test_nonsense_is_refused_with_what_was_expected(operated: Controlled, query: str, detail: str) -> None:
    refused = await operated.ask("GET", f"/manage/audit?{query}")
    assert (refused.status, detail in refused.body["detail"]) == (400, True), refused
