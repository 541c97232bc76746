"""Tokens through real Envoys: keys that rotate under traffic, bad tokens, and where a websocket's may stand."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.e2e.conftest import Variant
from tests.e2e.issued import OVERLAP, running
from tests.e2e.watching import Traffic, execute, is_answered, statusz, until
from tests.support.issuing import JwksEndpoint
from xds.demo.client import EdgeClient
from xds.demo.idp import AUDIENCE
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")


ORIGIN = "https://app.example"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["delta", "sotw"])
async def system(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Stack, JwksEndpoint]]:
    places = {
        "AUTH_WEBSOCKET_QUERY": "access_token",
        "AUTH_WEBSOCKET_COOKIE": "session",
        "AUTH_WEBSOCKET_ORIGINS": ORIGIN,
    }
    async with running(cast(Variant, request.param), **places) as held:
        yield held


@pytest.fixture
def stack(system: tuple[Stack, JwksEndpoint]) -> Stack:
    return system[0]


async def issuer(stack: Stack) -> Mapping[str, Any]:
    (only,) = (await statusz(stack))["issuers"]
    return dict(only)


@asynccontextmanager
async def fresh_traffic(stack: Stack, tenant: str) -> AsyncIterator[Traffic]:
    """Requests of a tenant through every Envoy, each with a token that was signed for it, on one connection each."""
    seen, going = Traffic(), True

    async def keep_asking(port: int) -> None:
        async with EdgeClient(port) as client:
            while going:
                answer = await client.get("/api/x", token=stack.idp.mint(tenant))
                seen.answered += 1
                if answer.status != 200:
                    seen.failed.append(f"{answer.status} {answer.text}")

    async with asyncio.TaskGroup() as group:
        for port in stack.ports.edges.values():
            group.create_task(keep_asking(port))
        yield seen
        going = False


# Rotation


async def test_keys_rotate_under_traffic_and_no_valid_token_is_refused(stack: Stack) -> None:
    old = stack.idp.key_id
    new = f"{old}+"
    early = stack.idp.mint("acme")
    before = await listener_stats(stack)
    socket = await open_socket(stack)
    async with fresh_traffic(stack, "acme") as seen:
        stack.idp.publish_key(new)
        await until(lambda: has_keys(stack, present=2), "the new key is fetched")
        await until(lambda: is_settled(stack), "every Envoy has acknowledged it")
        stack.idp.key_id = new
        await asyncio.sleep(0.3)
        stack.idp.withdraw_key(old)
        withdrawn_at = time.monotonic()
        await until(lambda: has_keys(stack, present=1, retiring=1), "the old key is withdrawn")
        for edge in stack.clients:
            assert (await stack.get(edge, "/api/x", token=early)).status == 200, "within the overlap"
        await until(lambda: has_keys(stack, present=1, retiring=0), "the overlap has ended")
        assert time.monotonic() - withdrawn_at >= OVERLAP
        await until(lambda: is_settled(stack), "every Envoy has acknowledged it")
        for edge in stack.clients:
            answer = await stack.get(edge, "/api/x", token=early)
            assert answer.status == 401, "a withdrawn key, even of a token that was cached"
    assert seen.failed == []
    assert seen.answered > 50
    assert await socket() == "still here"
    assert await listener_stats(stack) == before, "no listener was changed or drained"


async def test_keys_that_cannot_be_fetched_stay_in_force(system: tuple[Stack, JwksEndpoint]) -> None:
    stack, endpoint = system
    token = stack.idp.mint("acme")
    endpoint.status = 503
    try:

        async def is_late() -> bool:
            return bool((await issuer(stack))["error"])

        await until(is_late, "the failure is told")
        assert "expected status 200, got 503" in (await statusz(stack))["warnings"][0]
        for edge in stack.clients:
            assert (await stack.get(edge, "/api/x", token=token)).status == 200
        assert (await stack.control_plane.ask("/readyz"))[0] == 200
    finally:
        endpoint.status = 200
    await until(lambda: has_no_warning(stack), "it has recovered")


async def test_a_restarted_control_plane_that_has_no_keys_serves_the_last_ones(
    system: tuple[Stack, JwksEndpoint],
) -> None:
    stack, endpoint = system
    endpoint.status = 500
    await stack.control_plane.stop()
    stack.control_plane.begin()
    try:
        await stack.control_plane.ready()

        async def says_why() -> bool:
            return "no keys yet" in (await statusz(stack))["snapshot"]["error"]

        await until(says_why, "the status says that there are none yet")
        edge = next(iter(stack.clients))
        await stack.envoys[edge].restart()
        assert (await stack.get(edge, "/api/x", token=stack.idp.mint("acme"))).status == 200
    finally:
        endpoint.status = 200

    async def is_well() -> bool:
        return not (await statusz(stack))["snapshot"]["error"]

    await until(is_well, "the keys are there")


# Tokens


async def test_bad_tokens_are_refused(stack: Stack) -> None:
    mint, now = stack.idp.mint, int(time.time())
    public = stack.idp.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = {"iss": stack.idp.issuer, "aud": AUDIENCE, "exp": now + 600, "tenant_id": "acme"}
    tokens = {
        "expired": (401, mint("acme", expires_in=-3600)),
        "not yet valid": (401, mint("acme", nbf=now + 3600)),
        "without an end": (401, mint("acme", exp=...)),
        "of another issuer": (401, mint("acme", issuer="https://elsewhere.example")),
        "of no issuer": (401, mint("acme", iss=...)),
        "for another audience": (403, mint("acme", audience="someone-else")),
        "for no audience": (403, mint("acme", aud=...)),
        "forged": (401, mint("acme", forged=True)),
        "unsigned": (401, unsigned({"alg": "none"}, claims)),
        "unsigned, with a key id": (401, unsigned({"alg": "none", "kid": stack.idp.key_id}, claims)),
        "signed with the public key": (401, with_hmac({"alg": "HS256", "kid": stack.idp.key_id}, claims, public)),
    }
    for edge in stack.clients:
        assert (await stack.get(edge, "/api/x", token=mint("acme"))).status == 200
        for what, (status, token) in tokens.items():
            answer = await stack.get(edge, "/api/x", token=token)
            assert (answer.status, answer.cell) == (status, ""), what


NO_TEXTS = (["acme"], ["ab"], {"a": "acme"}, {"a": 12}, 5, 1.5, 0.3, 1e-7, 1e20, 2**60, True, False, None, "", ...)
NAMESAKES = ("42", "WyJhYiJd", "eyJhIjoxMn0", "W10")
"""A number that is itself; what Envoy makes of `["ab"]` and, but for the padding, of `{"a":12}` and `[]`."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def namesakes(system: tuple[Stack, JwksEndpoint]) -> None:
    """Rows with ids that a claim could become, written past the commands' checks."""
    stack, _ = system
    rows = ", ".join(f"('{each}', 'cell-shared-std-local')" for each in NAMESAKES)
    await execute(stack, f"INSERT INTO tenants (id, cell_id) VALUES {rows}")
    await until(lambda: is_answered(stack, "42", 200, "cell-shared-std-local"), "they are translated")


@pytest.mark.usefixtures("namesakes")
@pytest.mark.parametrize("claim", NO_TEXTS, ids=lambda claim: json.dumps(claim, default=str))
async def test_a_tenant_claim_that_is_no_text_is_nobodys(stack: Stack, claim: object) -> None:
    for edge in stack.clients:
        for path in ("/api/x", "/ws/x"):
            for sub in ("ann", ...):
                answer = await stack.get(edge, path, token=stack.idp.mint("acme", tenant_id=claim, sub=sub))
                assert (answer.status, answer.cell) == (403, ""), (path, sub)


@pytest.mark.usefixtures("namesakes")
async def test_a_number_is_the_tenant_that_it_looks_like(stack: Stack) -> None:
    for edge in stack.clients:
        for claim in (42, "42"):
            answer = await stack.get(edge, "/api/x", token=stack.idp.mint("acme", tenant_id=claim))
            assert (answer.status, answer.saw("x-alphaswarm-tenant")) == (200, "42")


@pytest.mark.usefixtures("namesakes")
async def test_a_tenant_that_a_list_would_name_is_left_out_and_told(stack: Stack) -> None:
    problems = "\n".join((await statusz(stack))["snapshot"]["problems"])
    for tenant in NAMESAKES[1:]:
        assert f"tenant {tenant}: the id is reserved for claims that are no text" in problems
        for edge in stack.clients:
            assert (await stack.get(edge, "/api/x", token=stack.idp.mint(tenant))).status == 403


async def test_headers_beyond_the_largest_token_are_refused(stack: Stack) -> None:
    for edge in stack.clients:
        assert (await stack.get(edge, "/api/x", token="x" * 40_000)).status == 431


# Websockets


async def test_a_websockets_token_may_stand_in_its_query_or_a_cookie_and_the_cell_sees_neither(stack: Stack) -> None:
    token = stack.idp.mint("acme")
    for client in stack.clients.values():
        hello, echoed = await client.echo(f"/ws/x?a=%26b%3D1&access_token={token}&c=2", "ping")
        assert (hello.saw("x-alphaswarm-tenant"), echoed) == ("acme", "ping")
        assert hello.body["path"] == "/ws/x?a=%26b%3D1&c=2"
        answer = await client.get("/ws/x", headers={"cookie": f"a=1; session={token}; sessions=2", "origin": ORIGIN})
        assert (answer.cell, answer.saw("cookie")) == (stack.placements["acme"], "a=1; sessions=2")
        answer = await client.get("/ws", headers={"cookie": f"session={token}", "origin": ORIGIN})
        assert (answer.cell, answer.saw("cookie")) == (stack.placements["acme"], None)
        assert "eyJ" not in answer.text


async def test_of_several_tokens_the_header_counts_then_the_query_and_no_other_is_seen(stack: Stack) -> None:
    acme, globex = stack.idp.mint("acme"), stack.idp.mint("globex")
    for client in stack.clients.values():
        both = await client.get(f"/ws/x?access_token={globex}", token=acme, headers={"cookie": f"session={globex}"})
        assert both.saw("x-alphaswarm-tenant") == "acme"
        assert both.cell == stack.placements["acme"]
        assert (both.body["path"], both.saw("cookie")) == ("/ws/x", None)
        both = await client.get(
            f"/ws/x?access%5Ftoken={globex}", headers={"cookie": f"session={acme}", "origin": ORIGIN}
        )
        assert both.saw("x-alphaswarm-tenant") == "globex"
        assert both.body["path"] == "/ws/x"
        assert both.saw("cookie") is None
        bad = await client.get(f"/ws/x?access_token={acme}", token="no.good.token")
        assert (bad.status, bad.cell) == (401, ""), "a good one does not make up for a bad one"


async def test_a_cookie_counts_from_a_page_of_ours_alone(stack: Stack) -> None:
    cookie = {"cookie": f"session={stack.idp.mint('acme')}"}
    for client in stack.clients.values():
        for origin, status in ((ORIGIN, 200), ("https://evil.example", 401), ("null", 401), ("", 401)):
            answer = await client.get("/ws/x", headers={**cookie, **({"origin": origin} if origin else {})})
            assert (answer.status, bool(answer.cell)) == (status, status == 200), origin


async def test_elsewhere_a_token_stands_in_the_header_only(stack: Stack) -> None:
    token = stack.idp.mint("acme")
    for client in stack.clients.values():
        assert (await client.get(f"/api/x?access_token={token}")).status == 401
        assert (await client.get("/api/x", headers={"cookie": f"session={token}"})).status == 401
        assert (await client.get("/ws/x?access_token=")).status == 401


async def has_keys(stack: Stack, **counts: int) -> bool:
    held = await issuer(stack)
    return all(held[name] == count for name, count in counts.items())


async def has_no_warning(stack: Stack) -> bool:
    return not (await statusz(stack))["warnings"]


async def is_settled(stack: Stack) -> bool:
    """Whether every Envoy has acknowledged all that it was sent."""
    nodes = (await statusz(stack))["nodes"]
    await asyncio.sleep(0.1)
    return len(nodes) == 2 and all(kind["sent"] == kind["acked"] for node in nodes for kind in node["types"])


async def listener_stats(stack: Stack) -> list[dict[str, int]]:
    """How often each Envoy changed, added or drained a listener."""
    found = []
    for envoy in stack.envoys.values():
        held = await envoy.stats("listener_manager")
        names = ("listener_modified", "listener_added", "listener_removed", "total_listeners_draining")
        found.append({name: count for name, count in held.items() if name.endswith((*names, "lds.update_success"))})
    assert all(len(each) == 5 for each in found)
    return found


async def open_socket(stack: Stack) -> Any:
    """A websocket through the first Envoy, opened now; what is returned asks it for a sign of life and closes it."""
    port = next(iter(stack.ports.edges.values()))
    client = EdgeClient(port)
    session = client._opened()
    socket = await session.ws_connect("/ws/x", headers={"authorization": f"Bearer {stack.idp.mint('acme')}"})
    await socket.receive_str(timeout=5)

    async def ask() -> str:
        try:
            await socket.send_str("still here")
            return str(await socket.receive_str(timeout=5))
        finally:
            await socket.close()
            await client.close()

    return ask


def unsigned(header: Mapping[str, str], claims: Mapping[str, object]) -> str:
    return f"{_encoded(header)}.{_encoded(claims)}."


def with_hmac(header: Mapping[str, str], claims: Mapping[str, object], key: bytes) -> str:
    text = f"{_encoded(header)}.{_encoded(claims)}"
    signature = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _encoded(part: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
