"""What the demo identity provider gives out over HTTP is what the control plane's verifier takes."""

import json
from collections.abc import AsyncIterator

import aiohttp
import jwt
import pytest
from aiohttp import web

from xds.demo.idp import AUDIENCE, ISSUER, IdentityProvider
from xds.demo.idp_api import make_app


@pytest.fixture
async def url() -> AsyncIterator[str]:
    runner = web.AppRunner(make_app(IdentityProvider(key_id="one")), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    yield f"http://{host}:{port}"
    await runner.cleanup()


async def get(url: str) -> tuple[int, dict[str, object]]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, json.loads(await answer.text())


async def test_a_token_is_good_by_the_published_keys(url: str) -> None:
    _, jwks = await get(f"{url}/jwks")
    status, answer = await get(f"{url}/token?tenant=acme&cell=cell-a&role=read&role=operator&seconds=60")
    key = jwt.PyJWKSet.from_dict(jwks)["one"]
    claims = jwt.decode(str(answer["access_token"]), key, algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER)

    assert (status, answer["expires_in"]) == (200, 60)
    assert (claims["tenant_id"], claims["cell"], claims["roles"]) == ("acme", "cell-a", ["read", "operator"])


@pytest.mark.parametrize("query", ["", "?cell=cell-a", "?tenant=acme&seconds=0", "?tenant=acme&seconds=x"])
async def test_a_wrong_question_is_told_the_right_one(url: str, query: str) -> None:
    status, answer = await get(f"{url}/token{query}")

    assert status == 400
    assert "expected ?tenant=ID" in str(answer["error"])


async def test_it_says_whom_it_is(url: str) -> None:
    assert await get(f"{url}/healthz") == (200, {"status": "ok", "issuer": ISSUER, "audience": AUDIENCE})
