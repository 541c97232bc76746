"""/manage as HTTP: methods, headers, bodies, roles; what is told of each operation its own tests tell."""

import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.support.controlled import READER, Controlled, controlled
from xds.control import OPERATIONS

STATE = "/manage/cells/cell-a/state"


async def test_without_if_match_nothing_is_changed(operated: Controlled) -> None:
    refused = await operated.ask("PUT", STATE, {"state": "cordoned"})
    assert refused.status == 428
    assert refused.body["type"] == "about:blank"
    assert refused.body["title"] == "Precondition Required"
    assert "If-Match" in refused.body["detail"]


@pytest.mark.parametrize("given", ['W/"{}"', '"x"', '"x", "y"', '"-"'])
async def test_an_etag_that_does_not_match_is_412(operated: Controlled, given: str) -> None:
    seen = (await operated.etag("/manage/cells/cell-a")).strip('"')
    refused = await operated.ask("PUT", STATE, {"state": "cordoned"}, If_Match=given.format(seen))
    assert refused.status == 412


@pytest.mark.parametrize("given", ['"{}"', '"x", "{}"', "*"])
async def test_one_that_does_is_taken(operated: Controlled, given: str) -> None:
    seen = (await operated.etag("/manage/cells/cell-a")).strip('"')
    assert (await operated.ask("PUT", STATE, {"state": "cordoned"}, If_Match=given.format(seen))).status == 200


async def test_the_etag_of_a_request_stands_in_its_header_alone(operated: Controlled) -> None:
    for body in ({"state": "cordoned", "etag": "*"}, {"state": "cordoned", "cell": "cell-b"}):
        assert (await operated.ask("PUT", STATE, body, If_Match='"x"')).status == 400
    assert (await operated.ask("PUT", f"{STATE}?state=cordoned", {"state": "cordoned"}, If_Match="*")).status == 400


@pytest.mark.parametrize(
    ("content_type", "data", "status"),
    [
        ("application/x-www-form-urlencoded", b"state=cordoned", 415),
        ("text/plain", b'{"state":"cordoned"}', 415),
        ("application/json", b"", 400),
        ("application/json", b"[]", 400),
        ("application/json", b"{", 400),
        ("application/json", b"[" * 5000, 400),
        ("application/json", json.dumps({"state": "x" * 200_000}).encode(), 413),
    ],
)
async def test_a_body_is_a_json_object_and_says_so(
    operated: Controlled, content_type: str, data: bytes, status: int
) -> None:
    """A page in a browser can send the first two to any address, without asking."""
    headers = {"Content-Type": content_type, "If-Match": "*", "Authorization": f"Bearer {operated.token}"}
    async with operated.session.put(STATE, data=data, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (status, "application/problem+json")


async def test_who_may_only_read_changes_nothing_and_who_has_no_token_sees_nothing(operated: Controlled) -> None:
    for operation in OPERATIONS:
        path = operation.path.format(**dict.fromkeys(operation.path_fields, "1"))
        assert (await operated.ask(operation.method, path, {}, Authorization="")).status == 401, operation.name
        asked = await operated.ask(operation.method, path, None, Authorization=f"Bearer {READER}", If_Match="*")
        assert (asked.status == 403) == (operation.method != "GET"), operation.name


async def test_who_changes_something_is_noted_by_his_tokens_subject(operated: Controlled) -> None:
    with capture_logs() as logs:
        await operated.ask("PUT", STATE, {"state": "cordoned"}, If_Match="*")
        await operated.ask("GET", "/manage/cells")
    (line,) = [line for line in logs if line["event"] == "operation.performed"]
    assert (line["operation"], line["by"], line["asked"]["cell"]) == ("SetCellState", "olga", "cell-a")


async def test_this_machine_needs_no_token_by_default_and_is_noted_as_such(database_url: str, tmp_path: Path) -> None:
    async with controlled(database_url, tmp_path) as plane:
        await plane.ask("POST", "/manage/publishing/freeze", {}, If_Match="*")
        assert (await plane.get("/manage/publishing"))["policy"]["by"] == "from 127.0.0.1"
        refused = await plane.ask("POST", "/manage/publishing/resume", {}, If_Match="*", X_Forwarded_For="10.0.0.1")
        assert refused.status == 401


async def test_head_and_what_is_no_method_of_it(operated: Controlled) -> None:
    assert (await operated.ask("HEAD", "/manage/cells")).status == 200
    refused = await operated.ask("DELETE", "/manage/cells")
    assert (refused.status, refused.headers["Allow"]) == (405, "GET, HEAD, POST")
