"""/resolve, over a real socket."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from tests.integration.http.face import SERVING
from tests.support.edge import GROUP, cell, edge_options, endpoint, tenant, topology
from xds.http import HttpServer, ResolveFace, build_app
from xds.names import NodeId, TenantId
from xds.operations.resolving import EnvoyStanding, Resolution, resolve
from xds.settings import Address
from xds.telemetry import Metrics
from xds.translate import translate

ENVOY = EnvoyStanding(node_id=NodeId("edge-1"), group=GROUP, progress="acked")
PUBLISHED = translate(
    topology(cell("cell-a", endpoints=(endpoint(zone="z"),)), tenant("acme", "cell-a"), revision=7), edge_options()
)


class Resolver:
    """Answers from one translation, or not yet; the tenant is the token's text."""

    def __init__(self) -> None:
        self.is_published = True

    def by_tenant(self, name: TenantId) -> Resolution | None:
        return resolve(PUBLISHED, 3, name, [ENVOY]) if self.is_published else None

    async def by_token(self, token: str) -> Resolution | None:
        return self.by_tenant(TenantId(token.removeprefix("token-of-")))


@pytest.fixture
def resolver() -> Resolver:
    return Resolver()


@pytest.fixture
async def client(resolver: Resolver) -> AsyncIterator[aiohttp.ClientSession]:
    face = ResolveFace(by_tenant=resolver.by_tenant, by_token=resolver.by_token)
    app = build_app(lambda: SERVING, Metrics(), routes=face.routes())
    async with (
        HttpServer(app, Address("127.0.0.1", 0)) as server,
        aiohttp.ClientSession(f"http://{server.address}", timeout=aiohttp.ClientTimeout(total=10)) as session,
    ):
        yield session


async def ask(client: aiohttp.ClientSession, path: str, method: str = "GET", **request: Any) -> tuple[int, Any]:
    async with client.request(method, path, **request) as answer:
        return answer.status, json.loads(await answer.text())


async def test_a_tenant_is_told_with_all_that_decides_about_it(client: aiohttp.ClientSession) -> None:
    status, document = await ask(client, "/resolve?tenant=acme")
    assert status == 200
    assert document.pop("why")[0] == "The registry has tenant acme in cell-a, active."
    assert document == {
        "found": True,
        "tenant": "acme",
        "state": "active",
        "cell": {"id": "cell-a", "state": "active", "endpoints": {"count": 1, "zones": {"z": 1}}},
        "route_table": "cell-a",
        "revision": 7,
        "snapshot": 3,
        "envoys": [{"node_id": "edge-1", "group": "alphaswarm-edge", "progress": "acked", "acknowledged": True}],
    }


async def test_an_unknown_tenant_is_an_answer_that_says_so(client: aiohttp.ClientSession) -> None:
    status, document = await ask(client, "/resolve?tenant=nobody")
    assert (status, document["found"], document["cell"]) == (200, False, None)
    assert document["why"] == [
        "The registry has no tenant nobody.",
        "The edge answers its requests with 403: the tenant is unknown.",
    ]


async def test_a_token_comes_in_a_body_or_as_the_requests_own(client: aiohttp.ClientSession) -> None:
    by_tenant = await ask(client, "/resolve?tenant=acme")
    for method, request in (
        ("POST", {"json": {"token": "token-of-acme"}}),
        ("POST", {"data": {"token": "token-of-acme"}}),
        ("POST", {"json": {"tenant": "acme"}}),
        ("GET", {"headers": {"Authorization": "Bearer token-of-acme"}}),
    ):
        assert await ask(client, "/resolve", method, **request) == by_tenant


@pytest.mark.parametrize("name", ["token", "access_token", "Token", "id_token"])
async def test_a_token_in_a_url_is_refused_and_neither_answered_nor_logged(
    client: aiohttp.ClientSession, name: str
) -> None:
    with capture_logs() as logs:
        status, document = await ask(client, "/resolve", params={name: "s3cret", "tenant": "acme"})
    assert status == 400
    assert document["detail"].startswith("a token in a URL gets into logs")
    assert "s3cret" not in str(document) + str(logs)


@pytest.mark.parametrize(("method", "request_"), [("GET", {}), ("POST", {}), ("POST", {"json": {"token": 7}})])
async def test_no_question_is_no_answer(client: aiohttp.ClientSession, method: str, request_: Any) -> None:
    status, document = await ask(client, "/resolve", method, **request_)
    assert status == 400
    assert "expected" in document["detail"]


async def test_before_the_first_snapshot_nothing_is_known(resolver: Resolver, client: aiohttp.ClientSession) -> None:
    resolver.is_published = False
    status, document = await ask(client, "/resolve?tenant=acme")
    assert (status, document["detail"]) == (503, "no snapshot is published yet")
