"""Tokens that are bound to a cell, through real Envoys: good there, and only there."""

import asyncio
from collections.abc import AsyncIterator
from typing import Literal

import pytest
import pytest_asyncio

from tests.e2e.asking import ask, by_http2, raw, with_claims
from tests.e2e.watching import agreed, is_answered, until
from tests.support.plans import planned
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

ELSEWHERE = "cell-dedicated-ent-us"
TEXT = "cell moved, get a new token"

NOT_HERE = (ELSEWHERE, "cell-gone", "CELL-SHARED-STD-LOCAL", "cell-shared-std-local ", " ", 1, 0, True, False)
NO_STRINGS: tuple[object, ...] = (["cell-shared-std-local"], [], ["x"], {"cell-shared-std-local": 1}, {})

PATHS = (
    "/api",
    "/api/",
    "/api?x=/other",
    "/api/x/../y",
    "/other/../api/x",
    "//api/x",
    "/api//x",
    "/./api/x",
    "/%61pi/x",
    "/api/%2e%2e/api/x",
    "/api;x/y",
    "/api%2Fx",
    "/api%5Cx",
    "/API/x",
    "/ws/x",
    "/x/../ws",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["delta", "sotw"])
async def monitored(request: pytest.FixtureRequest) -> AsyncIterator[Stack]:
    variant: Literal["delta", "sotw"] = request.param
    async with Stack(await planned(variant=variant, edges=("edge-a",), environment={"CBA_MODE": "monitor"})) as running:
        yield running


async def test_a_token_works_in_the_cell_that_it_is_bound_to(stack: Stack) -> None:
    here = stack.placements["acme"]
    for port in stack.ports.edges.values():
        for token in (stack.idp.mint("acme", cell=here), stack.idp.mint("acme")):
            reply = await ask(port, "/api/x", token=token)
            assert (reply.status, reply.body["cell"]) == (200, here)


async def test_a_token_of_another_cell_is_told_to_get_a_new_one(stack: Stack) -> None:
    for port in stack.ports.edges.values():
        for path in ("/api/x", "/ws/x"):
            reply = await ask(port, path, token=stack.idp.mint("acme", cell=ELSEWHERE))
            assert reply.status == 401
            assert reply.headers["x-alphaswarm-reason"] == "cell-moved"
            assert reply.headers["www-authenticate"] == f'Bearer error="invalid_token", error_description="{TEXT}"'
            assert (reply.body["error"], reply.body["status"]) == (TEXT, 401)
            assert reply.body["request_id"]


@pytest.mark.parametrize("claim", [*NOT_HERE, *NO_STRINGS], ids=repr)
async def test_whatever_the_claim_is_but_the_cells_name_is_refused(stack: Stack, claim: object) -> None:
    assert stack.placements["acme"] == "cell-shared-std-local"
    for edge, port in stack.ports.edges.items():
        token = with_claims(stack.idp, cell=claim)
        assert (await ask(port, "/api/x", token=token)).status == 401, edge


@pytest.mark.parametrize("claim", ["", None, ...], ids=repr)
async def test_a_claim_that_says_nothing_binds_to_nothing(stack: Stack, claim: object) -> None:
    for port in stack.ports.edges.values():
        reply = await ask(port, "/api/x", token=with_claims(stack.idp, cell=claim))
        assert (reply.status, reply.body["cell"]) == (200, stack.placements["acme"])


async def test_a_client_can_neither_bind_nor_free_a_token_and_no_cell_sees_the_claim(stack: Stack) -> None:
    here, name = stack.placements["acme"], "x-alphaswarm-cell-claim"
    for port in stack.ports.edges.values():
        spoofs = (f"{name}: {here}", f"{name.upper()}: {ELSEWHERE}", f"{name}:")
        head = ("GET /api/x HTTP/1.1", "host: edge", f"connection: close, {name}")
        bound = stack.idp.mint("acme", cell=ELSEWHERE)
        for said in ((), spoofs[:1], spoofs):
            assert TEXT in await raw(port, *head, *said, f"authorization: Bearer {bound}")
        for good in (stack.idp.mint("acme", cell=here), stack.idp.mint("acme")):
            came = await raw(port, *head, *spoofs, f"authorization: Bearer {good}")
            assert f'"cell": "{here}"' in came
            assert name not in came.lower()


async def test_resolve_and_validate_say_what_the_edge_does(stack: Stack) -> None:
    here, mint = stack.placements["acme"], stack.idp.mint
    said = {
        mint("acme"): 200,
        mint("acme", cell=here): 200,
        mint("acme", cell=ELSEWHERE): 401,
        with_claims(stack.idp, cell=[here]): 401,
        with_claims(stack.idp, cell=None): 200,
        with_claims(stack.idp, tenant_id=...): 403,
        with_claims(stack.idp, sub="a\nb"): 401,
        mint("nobody", cell=ELSEWHERE): 403,
        mint("acme", audience="another"): 403,
        mint("acme", expires_in=-3600): 401,
        mint("acme", forged=True): 401,
        "no-jwt": 401,
    }
    assert {token: await agreed(stack, token, here) for token in said} == said


async def test_two_tokens_are_none(stack: Stack) -> None:
    tokens = [stack.idp.mint("acme", cell=cell) for cell in (stack.placements["acme"], ELSEWHERE)]
    for port in stack.ports.edges.values():
        for both in (tokens, tokens[::-1]):
            lines = [f"authorization: Bearer {each}" for each in both]
            came = await raw(port, "GET /api/x HTTP/1.1", "host: edge", "connection: close", *lines)
            assert came.startswith("HTTP/1.1 401 ")


async def test_no_way_to_write_a_path_gets_past(stack: Stack) -> None:
    bound, free = stack.idp.mint("acme", cell=ELSEWHERE), stack.idp.mint("acme")
    port = stack.ports.edges["edge-a"]

    async def try_one(method: str, path: str) -> None:
        head = (f"{method} {path} HTTP/1.1", "host: edge", "connection: close")
        came = await raw(port, *head, f"authorization: Bearer {bound}")
        assert came.startswith("HTTP/1.1 "), path
        assert '"cell"' not in came, came
        # It is the cell that keeps the request out, or the path is none that leads to a cell at all.
        assert TEXT in came or '"cell"' not in await raw(port, *head, f"authorization: Bearer {free}")

    await asyncio.gather(*(try_one(method, path) for method in ("GET", "OPTIONS") for path in PATHS))


async def test_no_upgrade_and_no_connect_gets_past(stack: Stack) -> None:
    bound = stack.idp.mint("acme", cell=ELSEWHERE)
    for client in stack.clients.values():
        answer, _ = await client.echo("/ws/x", "ping", token=bound)
        assert answer.status == 401
    port = stack.ports.edges["edge-a"]
    for target in ("edge:80", "/api/x", "cell-shared-std-local-api:80"):
        came = await raw(port, f"CONNECT {target} HTTP/1.1", "host: edge", f"authorization: Bearer {bound}")
        assert " 200 " not in came
        assert '"cell"' not in came


async def test_it_is_the_same_over_http2(stack: Stack) -> None:
    here = stack.placements["acme"]
    port = stack.ports.edges["edge-a"]
    plain = {":method": "GET", ":scheme": "http", ":authority": "edge", ":path": "/api/x"}
    keyed = {"sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="}
    socket = {**plain, ":method": "CONNECT", ":protocol": "websocket", ":path": "/ws/x", **keyed}
    for request in (plain, socket):
        bound = await by_http2(port, {**request, "authorization": f"Bearer {stack.idp.mint('acme', cell=ELSEWHERE)}"})
        good = await by_http2(port, {**request, "authorization": f"Bearer {stack.idp.mint('acme', cell=here)}"})
        assert TEXT.encode() in bound
        assert b'"cell"' not in bound
        assert f'"cell": "{here}"'.encode() in good, good


async def test_a_moved_tenants_old_tokens_pass_no_more(stack: Stack) -> None:
    before, after = stack.placements["hooli"], ELSEWHERE
    await stack.move("hooli", after)
    await until(lambda: is_answered(stack, "hooli", 200, after), "hooli is moved")
    for port in stack.ports.edges.values():
        assert (await ask(port, "/api/x", token=stack.idp.mint("hooli", cell=before))).status == 401
        assert (await ask(port, "/api/x", token=stack.idp.mint("hooli", cell=after))).status == 200


async def test_monitored_they_pass_and_are_counted_by_cell(monitored: Stack) -> None:
    here, port = monitored.placements["acme"], monitored.ports.edges["edge-a"]
    for token in (monitored.idp.mint("acme", cell=ELSEWHERE), with_claims(monitored.idp, cell=[ELSEWHERE])):
        assert (await ask(port, "/api/x", token=token)).body["cell"] == here
    hello, _ = await monitored.clients["edge-a"].echo("/ws/x", "ping", token=monitored.idp.mint("acme", cell=ELSEWHERE))
    assert hello.cell == here
    for token in (monitored.idp.mint("acme", cell=here), monitored.idp.mint("acme")):
        reply = await ask(port, "/api/x", token=token)
        assert reply.status == 200
        assert "x-alphaswarm-cell-claim" not in reply.body["headers"]
    name = f"vhost.{here}.route.bound_elsewhere.upstream_rq_total"
    assert (await monitored.envoys["edge-a"].stats("vhost")).get(name) == 3
