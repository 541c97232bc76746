"""Session tokens that are no JWT, through real Envoys that ask: whose they are, and what any fault comes to."""

import json
import re
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import aiohttp
import pytest
import pytest_asyncio
from multidict import CIMultiDict

from tests.e2e.blackhole import BlackHole, black_hole
from tests.e2e.conftest import Variant
from tests.e2e.watching import agreed, execute, is_answered, statusz, until
from tests.support.introspection import IntrospectionServer, introspection_server
from tests.support.plans import planned
from xds.demo.client import Answer
from xds.demo.following import follow
from xds.demo.stack import Stack
from xds.opaque import digest

pytestmark = pytest.mark.asyncio(loop_scope="module")

LISTED, ENDED = "l1sted-session", "ended-session"
TIMEOUT_MS = 500
SLACK_SECONDS = 3.0
"""What a busy machine may add."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def idp() -> AsyncIterator[IntrospectionServer]:
    async with introspection_server() as server:
        yield server


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokens") / "tokens.json"
    write(path, (LISTED, "acme", time.time() + 3600), (ENDED, "acme", time.time() - 1))
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["delta", "sotw"])
async def stack(request: pytest.FixtureRequest, idp: IntrospectionServer, tokens: Path) -> AsyncIterator[Stack]:
    environment = settings(idp, tokens)
    async with Stack(await planned(variant=cast(Variant, request.param), environment=environment)) as running:
        yield running


def settings(idp: IntrospectionServer, tokens: Path) -> dict[str, str]:
    return {
        "TENANT_RESOLUTION": "callout",
        "CALLOUT_TOKENS_FILE": str(tokens),
        "CALLOUT_INTROSPECTION_URL": idp.url,
        "CALLOUT_INTROSPECTION_CLIENT_ID": "edge",
        "CALLOUT_INTROSPECTION_CLIENT_SECRET": "hunter2",
        "CALLOUT_TIMEOUT_MS": str(TIMEOUT_MS),
        "LOG_LEVEL": "debug",
    }


def write(path: Path, *rows: tuple[str, str, float]) -> None:
    held = [{"sha256": digest(token).hex(), "tenant": tenant, "expires": end} for token, tenant, end in rows]
    path.write_text(json.dumps(held))


async def each(stack: Stack, token: str, path: str = "/api/x", **headers: str) -> list[Answer]:
    """The answers of every Envoy."""
    return [await stack.get(edge, path, token=token, headers=headers) for edge in stack.clients]


async def is_refused(stack: Stack, token: str, status: int, error: str, path: str = "/api/x") -> None:
    for answer in await each(stack, token, path):
        assert (answer.status, answer.body["error"], answer.cell) == (status, error, ""), answer.text
        assert answer.body["request_id"]


@pytest.mark.parametrize("by", ["file", "introspection"])
async def test_a_session_tokens_request_arrives_at_its_tenants_cell(
    stack: Stack, idp: IntrospectionServer, by: str
) -> None:
    for tenant, cell in [("acme", stack.placements["acme"]), ("globex", stack.placements["globex"])]:
        token = LISTED if by == "file" and tenant == "acme" else idp.add(f"s-{tenant}.x", tenant, exp=2e9)
        for answer in await each(stack, token):
            assert (answer.status, answer.cell) == (200, cell), answer.text
            assert answer.saw("x-alphaswarm-tenant") == tenant
            assert answer.saw("x-alphaswarm-cell") == cell


async def test_so_does_its_websocket(stack: Stack) -> None:
    for client in stack.clients.values():
        hello, echoed = await client.echo("/ws/x", "ping", token=LISTED)
        assert hello.saw("x-alphaswarm-tenant") == "acme"
        assert echoed == "ping"


async def test_resolve_and_validate_say_what_the_edge_does(stack: Stack, idp: IntrospectionServer) -> None:
    here = stack.placements["acme"]
    said = {
        LISTED: 200,
        idp.add("asked-about", "acme", exp=2e9): 200,
        ENDED: 401,
        "unheard-of": 401,
        idp.add("for-others", "acme", aud="else"): 403,
        idp.add("of-nobody", "nobody"): 403,
        stack.idp.mint("acme"): 200,
        stack.idp.mint("acme", cell="cell-dedicated-ent-us"): 401,
    }
    assert {token: await agreed(stack, token, here) for token in said} == said


async def test_a_move_is_followed_at_once_although_the_tenant_is_remembered(
    stack: Stack, idp: IntrospectionServer
) -> None:
    token = idp.add("remembered", "hooli", exp=2e9)
    before = stack.placements["hooli"]
    after = next(cell for cell in stack.plan.cells if cell != before)
    assert [answer.cell for answer in await each(stack, token)] == [before, before]
    questions = len(idp.asked)
    # `follow` sends JWTs; the moment they arrive, so must the session's requests.
    following = await follow(stack, "hooli", after)
    assert [answer.cell for answer in await each(stack, token)] == [after, after]
    assert following.failed == 0
    assert len(idp.asked) == questions


async def test_what_is_no_session_is_refused(stack: Stack, idp: IntrospectionServer) -> None:
    idp.tokens["inactive"] = {"active": False, "tenant_id": "acme"}
    idp.add("expired", "acme", exp=time.time() - 1)
    idp.add("refresh", "acme", token_type="refresh_token")
    for token in ("unknown", "inactive", "expired", "refresh", ENDED, "abc", "a.b"):
        for path in ("/api/x", "/ws"):
            await is_refused(stack, token, 401, "the token is unknown, expired or revoked", path)


async def test_what_is_a_session_but_of_no_good_tenant_is_forbidden(stack: Stack, idp: IntrospectionServer) -> None:
    await is_refused(stack, idp.add("elsewhere", "acme", aud="else"), 403, "the token is for another audience")
    for number, tenant in enumerate(("-", "-/cell-shared-std-local", "acme,globex", "", "acme globex")):
        await is_refused(stack, idp.add(f"malformed{number}", tenant), 403, "the token names no tenant")
    for number, tenant in enumerate(("nobody", "ACME", "public", "suspended")):
        await is_refused(stack, idp.add(f"stranger{number}", tenant), 403, "the tenant is unknown")
    bound = idp.add("bound", "acme", cell=stack.placements["acme"])
    assert [answer.status for answer in await each(stack, bound)] == [403, 403]


async def test_a_suspended_tenants_session_is_refused(stack: Stack, idp: IntrospectionServer) -> None:
    token = idp.add("of-initech", "initech", exp=2e9)
    assert [answer.status for answer in await each(stack, token)] == [200, 200]
    await execute(stack, "UPDATE tenants SET state = 'suspended' WHERE id = 'initech'")
    await until(lambda: is_answered(stack, "initech", 403), "the suspension is followed")
    await is_refused(stack, token, 403, "the tenant is suspended")
    await execute(stack, "UPDATE tenants SET state = 'active' WHERE id = 'initech'")
    await until(lambda: is_answered(stack, "initech", 200, stack.placements["initech"]), "its end is followed")


async def test_jwts_are_envoys_business_as_before(stack: Stack, idp: IntrospectionServer) -> None:
    refused = {
        stack.idp.mint("acme", forged=True): 401,
        stack.idp.mint("acme", expires_in=-3600): 401,
        stack.idp.mint("acme", issuer="https://elsewhere.example"): 401,
        stack.idp.mint("acme", audience="someone-else"): 403,
        stack.idp.mint("acme", cell="cell-dedicated-ent-us"): 401,
        stack.idp.mint("nobody"): 403,
        stack.idp.mint("acme").rpartition(".")[0] + ".": 401,
        "a.b.c": 401,
        "a.b.c.d.e": 401,
    }
    questions = len(idp.asked)
    for token, status in refused.items():
        idp.add(token, "acme")  # its issuer would say that all of them are good
        assert [answer.status for answer in await each(stack, token)] == [status, status], token
    for answer in await each(stack, stack.idp.mint("acme")):
        assert (answer.cell, answer.saw("x-alphaswarm-tenant")) == (stack.placements["acme"], "acme")
    assert len(idp.asked) == questions


async def test_spoofed_headers_lose(stack: Stack, idp: IntrospectionServer) -> None:
    spoofs = (
        {"x-alphaswarm-tenant": "globex"},
        {"x-alphaswarm-cell": "cell-dedicated-ent-us"},
        {"X-ALPHASWARM-TENANT": "globex", "X-AlphaSwarm-Cell": "cell-dedicated-ent-us", "x-alphaswarm-x": "y"},
    )
    for spoof in spoofs:
        for answer in await each(stack, LISTED, **spoof):
            assert (answer.status, answer.cell) == (200, stack.placements["acme"])
            assert answer.saw("x-alphaswarm-tenant") == "acme"
            assert answer.saw("x-alphaswarm-cell") == stack.placements["acme"]
            assert answer.saw("x-alphaswarm-x") is None
        for token in ("unknown", ""):
            assert [answer.status for answer in await each(stack, token, **spoof)] == [401, 401]


async def test_two_tokens_are_never_one(stack: Stack, idp: IntrospectionServer) -> None:
    jwt, other = stack.idp.mint("globex"), idp.add("of-globex", "globex")
    questions = len(idp.asked)
    for pair in ((LISTED, jwt), (jwt, LISTED), (LISTED, other), (LISTED, LISTED), (LISTED, "unknown")):
        for port in stack.ports.edges.values():
            headers = CIMultiDict([("authorization", f"Bearer {token}") for token in pair])
            url = f"http://127.0.0.1:{port}/api/x"
            async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
                assert response.status == 401, (pair, await response.text())
    assert len(idp.asked) == questions


async def test_a_token_anywhere_else_is_none(stack: Stack, idp: IntrospectionServer) -> None:
    questions = len(idp.asked)
    for headers in (
        {"authorization": f"Basic {LISTED}"},
        {"authorization": f"bearer {LISTED}"},
        {"authorization": f"Bearer {LISTED} x"},
        {"authorization": f"x Bearer {LISTED}"},
        {"proxy-authorization": f"Bearer {LISTED}"},
        {"cookie": f"session={LISTED}; access_token={LISTED}"},
        {},
    ):
        for answer in await each(stack, "", f"/api/x?access_token={LISTED}", **headers):
            assert (answer.status, answer.cell) == (401, ""), headers
    assert len(idp.asked) == questions


async def test_a_jwt_in_the_query_gives_a_session_no_other_tenant(stack: Stack) -> None:
    path = f"/api/x?access_token={stack.idp.mint('globex')}"
    assert [answer.cell for answer in await each(stack, LISTED, path)] == [stack.placements["acme"]] * 2
    assert [answer.status for answer in await each(stack, "unknown", path)] == [401, 401]


async def test_where_no_token_is_needed_or_none_of_these_is_taken_nobody_is_asked(
    stack: Stack, idp: IntrospectionServer
) -> None:
    idp.add("outside", "acme")
    for path, status in (("/healthz", 200), ("/", 404), ("/static/x.js", 404), ("/apiary", 404), ("/manage/x", 401)):
        for token in ("outside", ""):
            assert [answer.status for answer in await each(stack, token, path)] == [status, status], path
    assert "outside" not in idp.asked


async def test_a_token_that_is_taken_out_of_the_file_is_refused(stack: Stack, tokens: Path) -> None:
    end = time.time() + 3600
    write(tokens, (LISTED, "acme", end), ("br1ef", "globex", end))
    await until(lambda: is_status(stack, "br1ef", 200), "it is known")
    write(tokens, (LISTED, "acme", end), (ENDED, "acme", 0))
    await until(lambda: is_status(stack, "br1ef", 401), "it is no more")


async def test_an_endpoint_that_fails_is_503_and_its_return_is_noticed(stack: Stack, idp: IntrospectionServer) -> None:
    token = idp.add("after-an-outage", "acme")
    idp.status = 500
    try:
        for answer in await each(stack, token):
            assert (answer.status, answer.body["error"]) == (503, "the token cannot be checked now")
        assert await agreed(stack, token, stack.placements["acme"]) == 503
        assert [answer.status for answer in await each(stack, LISTED)] == [200, 200]
    finally:
        idp.is_well()
    await until(lambda: is_status(stack, token, 200), "the endpoint is asked again")


async def test_an_endpoint_that_is_slow_is_503_in_time(stack: Stack, idp: IntrospectionServer) -> None:
    token = idp.add("slow", "acme")
    idp.gate.clear()
    try:
        for edge in stack.clients:
            await is_503_in_time(stack, edge, token)
    finally:
        idp.is_well()
    await until(lambda: is_status(stack, token, 200), "the endpoint is asked again")


async def test_a_control_plane_that_hangs_is_503_in_time_and_jwts_pass(stack: Stack) -> None:
    stack.control_plane.child.send(signal.SIGSTOP)
    try:
        for edge in stack.clients:
            await is_503_in_time(stack, edge, LISTED)
        assert await is_answered(stack, "acme", 200, stack.placements["acme"])
    finally:
        stack.control_plane.child.send(signal.SIGCONT)
    await until(lambda: is_status(stack, LISTED, 200), "it answers again")


async def test_a_control_plane_that_is_gone_is_503_and_jwts_pass_and_its_return_is_noticed(stack: Stack) -> None:
    stack.control_plane.crash()
    for edge, client in stack.clients.items():
        await is_503_in_time(stack, edge, LISTED)
        url, headers = f"{client.url}/api/x", {"authorization": f"Bearer {LISTED}"}
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
            assert (response.status, response.headers["retry-after"]) == (503, "1")
    assert await is_answered(stack, "acme", 200, stack.placements["acme"])
    assert [answer.status for answer in await each(stack, "", "/healthz")] == [200, 200]
    assert [answer.status for answer in await each(stack, "")] == [401, 401]
    stack.control_plane.begin()
    await stack.control_plane.ready()
    await until(lambda: is_status(stack, LISTED, 200), "the callout is answered again")


async def test_it_shows_where_operators_look_and_no_token_and_no_secret_does(stack: Stack) -> None:
    assert (await statusz(stack))["tenant_resolution"] == "callout"
    status, ready = await stack.control_plane.ask("/readyz")
    assert status == 200
    assert json.loads(ready)["tenant_resolution"] == "callout"
    _, metrics = await stack.control_plane.ask("/metrics")
    assert re.search(r'alphaswarm_xds_callout_seconds_count\{outcome="admitted"\} [1-9]', metrics)
    logs = "".join(path.read_text(errors="replace") for path in stack.folder.glob("*.log"))
    assert "callout." in logs
    assert not [secret for secret in (LISTED, "s-globex.x", "remembered", "hunter2") if secret in logs]


async def is_status(stack: Stack, token: str, status: int) -> bool:
    return {answer.status for answer in await each(stack, token)} == {status}


async def is_503_in_time(stack: Stack, edge: str, token: str) -> None:
    began = time.monotonic()
    answer = await stack.get(edge, "/api/x", token=token)
    took = time.monotonic() - began
    assert (answer.status, answer.body["error"]) == (503, "the token cannot be checked now")
    assert took < TIMEOUT_MS / 1000 + SLACK_SECONDS


@pytest_asyncio.fixture(loop_scope="module")
async def apart(idp: IntrospectionServer, tokens: Path) -> AsyncIterator[tuple[Stack, BlackHole]]:
    """A system whose Envoys ask at an address of its own, by wires that can be cut."""
    stack = Stack(await planned(edges=("edge-a",)))
    async with black_hole(stack.ports.xds) as hole:
        where = {"CALLOUT_ADDRESS": f"127.0.0.1:{hole.port}"}
        stack.plan = await planned(edges=("edge-a",), environment={**settings(idp, tokens), **where})
        async with stack:
            yield stack, hole


async def test_an_address_of_its_own_is_asked_and_a_dead_wire_to_it_is_noticed(
    apart: tuple[Stack, BlackHole],
) -> None:
    stack, hole = apart
    assert await is_status(stack, LISTED, 200)
    assert hole.made >= 1
    hole.swallow()
    await is_503_in_time(stack, "edge-a", LISTED)
    assert await is_answered(stack, "acme", 200, stack.placements["acme"])
    hole.heal()
    # Only Envoy's pings can tell it that the old connection is dead.
    await until(lambda: is_status(stack, LISTED, 200), "another connection is made", timeout=30)


@pytest_asyncio.fixture(loop_scope="module")
async def open_to_all(idp: IntrospectionServer, tokens: Path) -> AsyncIterator[Stack]:
    """A system in which a request without a token is somebody's too, and the xDS channel has certificates."""
    anonymous = {"AUTH_MODE": "optional", "AUTH_ANONYMOUS_TENANT": "globex"}
    async with Stack(
        await planned(edges=("edge-a",), tls=True, environment={**settings(idp, tokens), **anonymous})
    ) as running:
        yield running


async def test_over_tls_it_is_asked_too_and_a_session_is_never_taken_for_nobodys(open_to_all: Stack) -> None:
    stack, nobodys = open_to_all, open_to_all.placements["globex"]
    for token, cell, tenant in ((LISTED, stack.placements["acme"], "acme"), ("", nobodys, "globex")):
        for answer in await each(stack, token):
            assert (answer.status, answer.cell, answer.saw("x-alphaswarm-tenant")) == (200, cell, tenant), answer.text
    await is_refused(stack, "unknown", 401, "the token is unknown, expired or revoked")
    stack.control_plane.crash()
    await is_503_in_time(stack, "edge-a", LISTED)
    assert [answer.cell for answer in await each(stack, "")] == [nobodys]
