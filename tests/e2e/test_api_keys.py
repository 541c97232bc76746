"""From an API key to a cell: the key is made, exchanged, used at a real Envoy, and revoked."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
import pytest_asyncio

from tests.e2e.watching import execute, until
from tests.support.plans import planned
from tests.support.signing import secret_lines, write_key
from xds.demo.client import EdgeClient
from xds.demo.idp import AUDIENCE
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

ISSUER = "https://keys.test.example"
LIFE, SKEW = 5, 1


@dataclass
class Keys:
    """A running system that signs, and an Envoy that trusts what it signs; `answered` is all that HTTP ever said."""

    stack: Stack
    edge: EdgeClient
    signing_key: Path
    answered: list[str]

    async def create(self, tenant_id: str, name: str) -> tuple[str, str]:
        """A new key's id and text, as the command line prints it."""
        made = json.loads(await self.stack.control_plane.run("keys", "create", tenant_id, "--name", name, "--json"))
        return made["id"], made["key"]

    async def ask(self, path: str, method: str = "GET", **request: Any) -> tuple[int, Any]:
        """What the control plane answers."""
        async with aiohttp.request(method, self.stack.control_plane.url + path, **request) as answer:
            text = await answer.text()
            self.answered.append(f"{answer.headers} {text}")
            return answer.status, json.loads(text) if "json" in answer.content_type else text

    async def exchange(self, key: str, **fields: object) -> str:
        """A token for the key; empty if there is none."""
        status, body = await self.ask("/token", "POST", json={"api_key": key, **fields})
        assert status in (200, 401), body
        self.answered.pop()
        return str(body.get("access_token", ""))

    async def status(self, token: str) -> int:
        """What becomes of a request with the token at the edge."""
        return (await self.edge.get("/api/x", token=token)).status


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keys(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Keys]:
    folder = tmp_path_factory.mktemp("keys")
    signing_key = write_key(folder / "key.pem")
    environment = {
        "XDS_SIGNING_KEY_FILES": str(signing_key),
        "TOKEN_ISSUER": ISSUER,
        "TOKEN_LIFE_SECONDS": str(LIFE),
        "AUTH_CLOCK_SKEW_SECONDS": str(SKEW),
        "LOG_LEVEL": "debug",
        "AUTH_OPERATOR_CLAIM": "aud",
        "AUTH_OPERATOR_ROLE": AUDIENCE,
    }
    async with Stack(await planned(edges=("edge-a",), environment=environment)) as stack:
        yield Keys(stack, stack.clients["edge-a"], signing_key, [])


async def test_a_key_becomes_a_token_that_the_edge_routes_like_any_other(keys: Keys) -> None:
    key_id, key = await keys.create("acme", "routed")
    answer = await keys.edge.get("/api/x", token=await keys.exchange(key))
    assert (answer.status, answer.cell) == (200, keys.stack.placements["acme"])
    assert answer.saw("x-alphaswarm-tenant") == "acme"
    listed = json.loads(await keys.stack.control_plane.run("keys", "list", "--json"))["data"]
    assert [each["last_used_at"] is not None for each in listed if each["id"] == key_id] == [True]


async def test_a_bound_token_holds_in_its_cell_at_the_edge_and_in_the_validator(keys: Keys) -> None:
    _, key = await keys.create("acme", "bound")
    token, here = await keys.exchange(key, bind_cell=True), keys.stack.placements["acme"]
    assert await keys.status(token) == 200
    for where in keys.stack.plan.cells:
        _, verdict = await keys.ask("/validate", "POST", json={"token": token, "cell": where})
        assert verdict["allowed"] is (where == here), verdict


async def test_a_keys_token_is_no_operators_whatever_its_claims(keys: Keys) -> None:
    _, key = await keys.create("acme", "operating")
    token = await keys.exchange(key)
    assert jwt.decode(token, options={"verify_signature": False})["aud"] == AUDIENCE
    assert await keys.status(token) == 200
    answer = await keys.edge.get("/manage/x", token=token)
    assert (answer.status, answer.body["error"]) == (403, "operators only")
    operator = await keys.edge.get("/manage/x", token=keys.stack.idp.mint("acme"))
    assert (operator.status, operator.body["error"]) == (404, "there is no controller")


async def test_the_key_itself_is_no_token(keys: Keys) -> None:
    _, key = await keys.create("acme", "raw")
    assert await keys.status(key) == 401


async def test_a_revoked_key_gives_no_token_and_its_last_one_ends_within_its_life(keys: Keys) -> None:
    key_id, key = await keys.create("globex", "revoked")
    token = await keys.exchange(key)
    revoked_at = time.monotonic()
    await keys.stack.control_plane.run("keys", "revoke", key_id)
    assert await keys.exchange(key) == ""
    while await keys.status(token) == 200:
        assert time.monotonic() - revoked_at < LIFE + SKEW + 5, "the token outlives its key"
        await asyncio.sleep(0.2)
    assert await keys.status(token) == 401


async def test_a_suspended_tenants_key_gives_no_token(keys: Keys) -> None:
    _, key = await keys.create("initech", "suspended")
    assert await keys.exchange(key)
    await execute(keys.stack, "UPDATE tenants SET state = 'suspended' WHERE id = 'initech'")

    async def is_denied() -> bool:
        return not await keys.exchange(key)

    await until(is_denied, "the suspended tenant's key gives nothing")


async def test_where_a_tenant_goes_is_told_with_who_has_acknowledged_it(keys: Keys) -> None:
    here = keys.stack.placements["hooli"]
    there = next(name for name in keys.stack.plan.cells if name != here)
    _, document = await keys.ask("/resolve?tenant=hooli")
    assert (document["cell"]["id"], document["route_table"]) == (here, here)
    await keys.stack.move("hooli", there)

    async def is_followed() -> bool:
        _, seen = await keys.ask("/resolve?tenant=hooli")
        return bool(seen["cell"]["id"] == there and [each["acknowledged"] for each in seen["envoys"]] == [True])

    await until(is_followed, "the move is resolved and acknowledged")
    keys.stack.envoys["edge-a"].pause()
    try:
        await keys.stack.move("hooli", here)

        async def is_awaited() -> bool:
            _, seen = await keys.ask("/resolve?tenant=hooli")
            return bool(seen["cell"]["id"] == here and [each["progress"] for each in seen["envoys"]] == ["sent"])

        await until(is_awaited, "the move is resolved, and not acknowledged by an Envoy that is frozen")
    finally:
        keys.stack.envoys["edge-a"].resume()


async def test_no_secret_is_in_what_the_control_plane_says_or_logs(keys: Keys) -> None:
    _, key = await keys.create("acme", "secret")
    token = await keys.exchange(key)
    paths = ("/healthz", "/readyz", "/statusz", "/metrics", "/manage/cells", "/.well-known/jwks.json", "/nowhere")
    for path in (*paths, f"/resolve?token={token}", "/resolve?tenant=acme"):
        await keys.ask(path, headers={"Authorization": f"Bearer {key}"})
    await keys.ask("/resolve", "POST", json={"token": token})
    await keys.ask("/token", "POST", json={"api_key": key + "x"})
    await keys.ask("/validate", "POST", json={"token": token, "cell": key})
    logs = [file.read_text(errors="replace") for file in sorted(keys.stack.folder.glob("*.log"))]
    told = "\n".join([*keys.answered, *logs])
    assert "token.issued" in told
    assert "token.denied" in told
    assert key.split("_", 2)[2] not in told
    assert token.rsplit(".", 1)[1] not in told
    assert not any(line in told for line in secret_lines(keys.signing_key))
