"""Snapshots, over HTTP: what was published, and what differs."""

from tests.support.controlled import ACME, A, B, Controlled
from xds.operations import move_tenant


async def moved(operated: Controlled) -> None:
    await move_tenant(operated.registry, ACME, B)
    await operated.until(lambda: operated.publisher.status.snapshot == 2)


async def test_they_are_listed_the_newest_first_in_pages(operated: Controlled) -> None:
    await moved(operated)
    first = await operated.get("/manage/snapshots?limit=1")
    second = await operated.get(f"/manage/snapshots?limit=1&cursor={first['next']}")
    assert [each["number"] for each in (*first["data"], *second["data"])] == [2, 1]
    assert "next" not in second
    assert await operated.get("/manage/snapshots/2") == first["data"][0]
    assert first["data"][0]["kind"] == "change"
    assert first["data"][0]["counts"]["tenants"] == 1


async def test_a_snapshot_has_its_resources_with_their_content_if_that_is_asked_for(operated: Controlled) -> None:
    path = "/manage/snapshots/1/resources?type=srds&name=acme"
    (plain,) = (await operated.get(path))["data"]
    assert plain["bytes"] > 0
    assert "content" not in plain
    (full,) = (await operated.get(f"{path}&content=true"))["data"]
    assert full["content"]["route_configuration_name"] == A


async def test_the_pages_of_resources_are_the_whole(operated: Controlled) -> None:
    whole = await operated.get("/manage/snapshots/1/resources?limit=1000")
    assert "next" not in whole
    found, cursor = [], ""
    while True:
        page = await operated.get(f"/manage/snapshots/1/resources?limit=5{cursor}")
        found += page["data"]
        if "next" not in page:
            break
        cursor = f"&cursor={page['next']}"
    assert found == whole["data"]


async def test_a_difference_is_told_in_either_direction(operated: Controlled) -> None:
    await moved(operated)
    (there,) = (await operated.get("/manage/snapshots/1/diff/2"))["data"]
    (back,) = (await operated.get("/manage/snapshots/2/diff/1"))["data"]
    assert (there["sign"], there["type"], there["name"]) == ("~", "srds", "acme")
    assert (back["before"], back["after"]) == (there["after"], there["before"])
    assert await operated.get("/manage/snapshots/1/diff/1") == {"data": []}


async def test_what_is_none_is_not_found_and_what_makes_no_sense_is_refused(operated: Controlled) -> None:
    for path, status in (
        ("/manage/snapshots/9", 404),
        ("/manage/snapshots/9/resources", 404),
        ("/manage/snapshots/1/diff/9", 404),
        ("/manage/snapshots/x", 400),
        ("/manage/snapshots/-1", 400),
        (f"/manage/snapshots/{2**63}", 400),
        ("/manage/snapshots/1/resources?type=xyz", 400),
        ("/manage/snapshots?cursor=abc", 400),
        ("/manage/snapshots?limit=0", 400),
        ("/manage/snapshots?limit=1&limit=2", 400),
    ):
        assert (await operated.ask("GET", path)).status == status, path
