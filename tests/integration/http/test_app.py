"""What each path answers, over a real socket."""

import dataclasses
import json

import aiohttp
import pytest
from structlog.testing import capture_logs

from tests.integration.http.face import SERVING, Face
from xds.operations.status import PublishStatus, RegistryStatus

PATHS = ["/healthz", "/readyz", "/statusz", "/metrics"]
PASSWORD = "open-sesame"


async def test_readyz_answers_to_the_byte_what_the_runbook_expects(client: aiohttp.ClientSession) -> None:
    async with client.get("/readyz") as answer:
        assert answer.status == 200
        assert answer.content_type == "application/json"
        assert await answer.read() == b'{"status":"ok","cells":2,"auth_mode":"required","cba_mode":"enforce"}'


async def test_readyz_says_so_if_tenants_are_resolved_in_another_way(face: Face, client: aiohttp.ClientSession) -> None:
    face.status = dataclasses.replace(SERVING, tenant_resolution="callout")

    async with client.get("/readyz") as answer:
        assert (await answer.json())["tenant_resolution"] == "callout"
    async with client.get("/statusz") as answer:
        assert (await answer.json())["tenant_resolution"] == "callout"


async def test_readyz_says_why_it_is_not_ready(face: Face, client: aiohttp.ClientSession) -> None:
    face.change_publish(published_at=None)

    async with client.get("/readyz") as answer:
        assert answer.status == 503
        assert answer.content_type == "application/json"
        assert await answer.read() == b'{"status":"unavailable","reason":"no snapshot is published yet"}'


async def test_readyz_is_503_without_an_active_cell(face: Face, client: aiohttp.ClientSession) -> None:
    face.change_publish(cells={"draining": 3})

    async with client.get("/readyz") as answer:
        assert answer.status == 503
        assert (await answer.json())["reason"] == "no active cell among the registry's 3"


async def test_readyz_is_503_while_draining(face: Face, client: aiohttp.ClientSession) -> None:
    face.status = dataclasses.replace(SERVING, draining=True)

    async with client.get("/readyz") as answer:
        assert answer.status == 503
        assert (await answer.json())["reason"].startswith("draining")


async def test_a_database_lost_later_leaves_it_ready_and_statusz_tells(
    face: Face, client: aiohttp.ClientSession
) -> None:
    lost = RegistryStatus(connected=False, error="connection refused", since=1_700_000_055.0)
    face.status = dataclasses.replace(SERVING, registry=lost)

    async with client.get("/readyz") as answer:
        assert answer.status == 200
    async with client.get("/statusz") as answer:
        registry = (await answer.json())["registry"]
    assert (registry["connected"], registry["error"], registry["since_seconds"]) == (False, "connection refused", 5.5)


async def test_a_password_in_an_error_is_not_shown(face: Face, client: aiohttp.ClientSession) -> None:
    error = f"cannot reach postgresql://u:{PASSWORD}@db/x"
    lost = RegistryStatus(connected=False, error=error, since=0.0)
    face.status = dataclasses.replace(SERVING, registry=lost, publish=PublishStatus())

    for path in ("/readyz", "/statusz"):
        async with client.get(path) as answer:
            text = await answer.text()
        assert "cannot reach postgresql://u:***@db/x" in text
        assert PASSWORD not in text


async def test_healthz_asks_nobody(face: Face, client: aiohttp.ClientSession) -> None:
    face.status = RuntimeError("no status")

    async with client.get("/healthz") as answer:
        assert answer.status == 200
        assert await answer.read() == b'{"status":"ok"}'


async def test_statusz_is_the_whole_status_as_json(client: aiohttp.ClientSession) -> None:
    async with client.get("/statusz") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("application/json")
        document = json.loads(await answer.text())

    assert document["snapshot"]["number"] == 3
    assert document["registry"]["revision"] == 7
    assert [node["node_id"] for node in document["nodes"]] == ["edge-1"]


async def test_metrics_say_what_readyz_says(face: Face, client: aiohttp.ClientSession) -> None:
    for published_at, ready in ((1.0, "1.0"), (None, "0.0")):
        face.change_publish(published_at=published_at)
        async with client.get("/readyz") as answer:
            assert (answer.status == 200) is (ready == "1.0")
        async with client.get("/metrics") as answer:
            assert f"\nalphaswarm_xds_ready {ready}\n" in await answer.text()


async def test_metrics_are_prometheus_text(face: Face, client: aiohttp.ClientSession) -> None:
    face.metrics.snapshot.set(3)

    async with client.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert b"\nalphaswarm_xds_snapshot 3.0\n" in await answer.read()


@pytest.mark.parametrize("path", PATHS)
async def test_head_answers_the_head_of_get(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as got:
        length = len(await got.read())
    async with client.head(path) as answer:
        assert (answer.status, answer.content_type) == (got.status, got.content_type)
        assert await answer.read() == b""
        if path != "/metrics":  # whose values change between the two
            assert int(answer.headers["Content-Length"]) == length


@pytest.mark.parametrize("path", ["/", "/manage", "/readyz/", "/statusz%0a", "/../etc/passwd"])
async def test_an_unknown_path_is_a_json_404(client: aiohttp.ClientSession, path: str) -> None:
    async with client.get(path) as answer:
        assert answer.status == 404
        assert answer.content_type == "application/problem+json"
        assert json.loads(await answer.text()) == {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "not found",
        }


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
async def test_a_wrong_method_is_a_json_405_that_says_what_is_right(
    client: aiohttp.ClientSession, method: str, path: str
) -> None:
    async with client.request(method, path) as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET, HEAD"
        assert answer.content_type == "application/problem+json"
        assert json.loads(await answer.text())["detail"] == "method not allowed"


@pytest.mark.parametrize("path", ["/readyz", "/statusz"])
async def test_an_unexpected_exception_is_a_json_500_with_its_traceback_in_the_log_alone(
    face: Face, client: aiohttp.ClientSession, path: str
) -> None:
    face.status = RuntimeError("boom")

    with capture_logs() as logs:
        async with client.get(path) as answer:
            assert answer.status == 500
            assert answer.content_type == "application/problem+json"
            assert json.loads(await answer.text())["detail"] == "internal server error"

    (failed,) = [line for line in logs if line["log_level"] == "error"]
    assert (failed["event"], failed["path"], failed["exc_info"]) == ("http.failed", path, True)


async def test_an_answer_is_logged_at_debug_level_only_and_without_its_query(client: aiohttp.ClientSession) -> None:
    with capture_logs() as logs:
        async with client.get("/readyz", params={"access_token": PASSWORD}) as answer:
            assert answer.status == 200

    assert logs == [{"event": "http.answered", "log_level": "debug", "method": "GET", "path": "/readyz", "status": 200}]


async def test_an_answer_is_not_to_be_stored(client: aiohttp.ClientSession) -> None:
    async with client.get("/readyz") as answer:
        assert answer.headers["Cache-Control"] == "no-store"
