"""Cells, over HTTP, on a real registry."""

from pathlib import Path

import pytest

from tests.support.controlled import OPERATOR, Controlled, controlled
from tests.support.postgres import PostgresServer


async def test_the_list_is_what_the_runbook_pipes_to_jq(operated: Controlled) -> None:
    body = await operated.get("/manage/cells")
    assert [each["id"] for each in body["data"]] == ["cell-a", "cell-b"]
    assert [(each["state"], each["tenants"]) for each in body["data"]] == [("active", 1), ("active", 0)]
    assert list(body["data"][0])[:2] == ["id", "state"]
    assert "next" not in body


async def test_a_cell_is_added_changed_and_shown_with_what_it_became(operated: Controlled) -> None:
    asked = {"id": "cell-c", "labels": {"owner": "me"}, "endpoints": [{"address": "10.0.0.1", "port": 80}]}
    added = await operated.ask("POST", "/manage/cells", asked)
    assert (added.status, added.headers["Location"]) == (201, "/manage/cells/cell-c")
    assert added.body["state"] == "provisioning"

    moved = await operated.ask("PUT", "/manage/cells/cell-c/state", {"state": "active"}, If_Match=added.etag)
    assert moved.body == {"id": "cell-c", "was": "provisioning", "now": "active", "changed": True}

    path = "/manage/cells/cell-c/endpoints"
    seen = await operated.etag("/manage/cells/cell-c")
    changed = await operated.ask("PUT", path, {"endpoints": [{}]}, If_Match=seen)
    assert changed.body["endpoints"] == [{"address": "alphaswarm-cell-c-api", "port": 8000, "zone": "", "weight": 1}]
    shown = await operated.ask("GET", "/manage/cells/cell-c")
    assert (shown.body, shown.etag) == (changed.body, changed.etag)
    assert shown.body["labels"] == {"owner": "me"}


async def test_nothing_is_changed_that_somebody_else_changed_meanwhile(operated: Controlled) -> None:
    seen = await operated.etag("/manage/cells/cell-a")
    path = "/manage/cells/cell-a/state"
    assert (await operated.ask("PUT", path, {"state": "cordoned"}, If_Match=seen)).status == 200
    late = await operated.ask("PUT", path, {"state": "draining"}, If_Match=seen)
    assert (late.status, late.body["detail"]) == (412, "cell cell-a: has changed since you looked: look again")
    assert (await operated.get("/manage/cells/cell-a"))["state"] == "cordoned"


async def test_room_is_limited_by_who_has_seen_how_much_there_is(operated: Controlled) -> None:
    cell, path = "/manage/cells/cell-b", "/manage/cells/cell-b/capacity"
    seen = await operated.etag(cell)
    limited = await operated.ask("PUT", path, {"capacity": 0, "message": "full"}, If_Match=seen)
    assert (limited.status, limited.body["capacity"]) == (200, 0)
    assert limited.etag == await operated.etag(cell) != seen
    for late in (("PUT", path, {"capacity": 9}), ("PUT", f"{cell}/state", {"state": "cordoned"})):
        assert (await operated.ask(*late, If_Match=seen)).status == 412
    full = await operated.ask("PUT", "/manage/tenants/acme/cell", {"to": "cell-b"}, If_Match="*")
    assert (full.status, "is full: has room for 0 tenants" in full.body["detail"]) == (409, True)
    (event,) = (await operated.get("/manage/audit?cell=cell-b&limit=1"))["data"]
    assert (event["actor"], event["action"], event["message"]) == ("olga", "cells set-capacity", "full")

    freed = await operated.ask("PUT", path, {}, If_Match=limited.etag)
    assert (freed.status, "capacity" in freed.body) == (200, False)
    for nonsense, detail in ((-1, "capacity: input should be greater than or equal to 0, got -1"), ("5", "got '5'")):
        refused = await operated.ask("PUT", path, {"capacity": nonsense}, If_Match="*")
        assert (refused.status, detail in refused.body["detail"]) == (400, True), refused
    assert (await operated.ask("PUT", path, {"capacity": 1})).status == 428


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ({"id": "cell-a", "tier": "ent"}, 409, "cell cell-a: exists already, and has another state, tier"),
        ({"id": "a"}, 400, "id: string should match pattern"),
        ({"id": "cell-q", "endpoints": [{"address": "a"}, {"address": "a"}]}, 400, "endpoint a:8000: is given twice"),
        ({"id": "cell-q", "colour": "red"}, 400, "colour: extra inputs are not permitted"),
        ({}, 400, "id: field required"),
    ],
)
async def test_nonsense_is_refused_with_what_was_expected(
    operated: Controlled, body: dict[str, object], status: int, detail: str
) -> None:
    refused = await operated.ask("POST", "/manage/cells", body)
    assert (refused.status, refused.headers["Content-Type"]) == (status, "application/problem+json; charset=utf-8")
    assert detail in refused.body["detail"]


async def test_what_the_state_forbids_is_a_conflict_and_what_is_not_there_is_not_found(operated: Controlled) -> None:
    refused = await operated.ask("PUT", "/manage/cells/cell-a/state", {"state": "retired"}, If_Match="*")
    assert (refused.status, refused.body["detail"]) == (
        409,
        "cell cell-a: active cannot become retired, only cordoned, draining",
    )
    for path in ("/manage/cells/cell-q/state", "/manage/cells/cell-q/endpoints"):
        body: dict[str, object] = {"state": "active"} if path.endswith("state") else {"endpoints": [{}]}
        missing = await operated.ask("PUT", path, body, If_Match='"0"')
        assert (missing.status, missing.body["detail"]) == (404, "cell cell-q: no such cell")


async def test_the_list_comes_in_pages_and_by_state(operated: Controlled) -> None:
    first = await operated.get("/manage/cells?limit=1")
    second = await operated.get(f"/manage/cells?limit=1&cursor={first['next']}")
    assert [each["id"] for each in (*first["data"], *second["data"])] == ["cell-a", "cell-b"]
    assert "next" not in second
    assert (await operated.get("/manage/cells?state=retired")) == {"data": []}


async def test_while_the_database_is_down_the_cells_that_are_served_are_listed(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    with postgres.database() as url:
        async with controlled(url, tmp_path, http_auth="token", token=OPERATOR) as operated:
            name = url.rpartition("/test_")[2].partition("?")[0]
            postgres.administrate(
                f"ALTER DATABASE test_{name} WITH ALLOW_CONNECTIONS false",
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'test_{name}'",
            )
            body = await operated.get("/manage/cells?state=active")
            assert [(each["id"], "tenants" in each) for each in body["data"]] == [("cell-a", False), ("cell-b", False)]
            refused = await operated.ask("GET", "/manage/cells/cell-a")
            assert (refused.status, refused.headers["Retry-After"]) == (503, "5")


async def test_a_cell_becomes_another_but_for_what_is_left_out(operated: Controlled) -> None:
    path, seen = "/manage/cells/cell-b", await operated.etag("/manage/cells/cell-b")
    changed = await operated.ask(
        "PUT", f"{path}/traits", {"tier": "ent", "labels": {"rack": "4"}, "message": "bigger"}, If_Match=seen
    )
    assert (changed.status, changed.body["tier"], changed.body["region"]) == (200, "ent", "local")
    assert changed.body["labels"] == {"rack": "4"}
    assert (await operated.ask("PUT", f"{path}/traits", {"tier": "std"}, If_Match=seen)).status == 412
    tried = await operated.ask("POST", "/manage/rehearsals", {"change_cell": {"cell": "cell-b", "etag": "*"}})
    assert (tried.status, tried.body["changes_in_all"]) == (200, 0)
    bare = await operated.ask("PUT", f"{path}/traits", {"remove_labels": ["rack", "x"]}, If_Match="*")
    assert (bare.body["labels"], bare.body["tier"]) == ({}, "ent")
    events = (await operated.get("/manage/audit?cell=cell-b&limit=2"))["data"]
    assert [(each["actor"], each["action"]) for each in events] == [("olga", "cells change")] * 2
