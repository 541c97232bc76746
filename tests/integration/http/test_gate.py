"""Who may ask what, over a real socket, with real tokens."""

import dataclasses
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from tests.integration.http.face import Face
from xds.demo.idp import IdentityProvider
from xds.http import Gate, HttpServer, build_app
from xds.http.gate import OPEN, bearer, is_local
from xds.operations.operators import RoleNames
from xds.settings import Address, HttpAuth
from xds.tokens import TrustedIssuer, Verifier

IDP = IdentityProvider()
GATE = Gate(
    mode=HttpAuth.TOKEN,
    verifier=Verifier([TrustedIssuer(issuer=IDP.issuer, audiences=(IDP.audience,), jwks=IDP.jwks())]),
    roles=RoleNames(claim="roles", read="xds-read", operate="xds-operate"),
)
READER = IDP.mint("acme", roles="xds-read")
OPERATOR = IDP.mint("acme", roles="xds-operate")
CLOSED = ["/statusz", "/manage/cells", "/resolve", "/nowhere", "/%73tatusz", "/manage/../statusz"]

Serve = Callable[..., AbstractAsyncContextManager[aiohttp.ClientSession]]


async def _nothing(_request: web.Request) -> web.Response:
    return web.Response(text="let through")


@pytest.fixture
def serve() -> Serve:
    @asynccontextmanager
    async def run(**changes: object) -> AsyncIterator[aiohttp.ClientSession]:
        face = Face()
        routes = [
            web.route("*", "/resolve", _nothing),
            web.route("*", "/manage/cells", _nothing),
            web.post("/token", _nothing),
        ]
        gate = dataclasses.replace(GATE, **changes)  # type: ignore[arg-type]
        app = build_app(face.read, face.metrics, gate=gate, routes=routes)
        async with (
            HttpServer(app, Address("127.0.0.1", 0)) as server,
            aiohttp.ClientSession(f"http://{server.address}", timeout=aiohttp.ClientTimeout(total=10)) as client,
        ):
            yield client

    return run


async def status(
    client: aiohttp.ClientSession, path: str, token: str = "", method: str = "GET", **headers: str
) -> tuple[int, str]:
    """The status and the detail of a refusal."""
    given = {**headers, **({"Authorization": f"Bearer {token}"} if token else {})}
    async with client.request(method, path, headers=given) as answer:
        text = await answer.text()
        if answer.status < 400:
            return answer.status, ""
        assert answer.content_type == "application/problem+json"
        assert ("WWW-Authenticate" in answer.headers) == (answer.status == 401)
        return answer.status, json.loads(text)["detail"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/healthz?x=1", "/%68ealthz"])
async def test_probes_and_metrics_need_no_token(serve: Serve, path: str) -> None:
    async with serve() as client:
        assert (await status(client, path))[0] == 200


async def test_metrics_may_be_closed(serve: Serve) -> None:
    async with serve(is_metrics_open=False) as client:
        assert (await status(client, "/metrics"))[0] == 401
        assert (await status(client, "/metrics", READER))[0] == 200


@pytest.mark.parametrize("path", CLOSED)
async def test_all_else_needs_one_even_what_is_not_there(serve: Serve, path: str) -> None:
    async with serve() as client:
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
            async with client.request(method, path) as answer:
                assert answer.status == 401, method


async def test_what_a_reader_may_do_and_what_takes_an_operator(serve: Serve) -> None:
    async with serve() as client:
        for path in ("/statusz", "/manage/cells", "/resolve"):
            assert (await status(client, path, READER))[0] == 200
            assert (await status(client, path, OPERATOR))[0] == 200
        assert (await status(client, "/resolve", READER, "POST"))[0] == 200
        refused = await status(client, "/manage/cells", READER, "POST")
        assert refused == (403, "the token lacks the role to operate")
        assert (await status(client, "/manage/cells", OPERATOR, "POST"))[0] == 200
        assert (await status(client, "/nowhere", READER))[0] == 404


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (IDP.mint("acme"), (403, "the token lacks the role to read")),
        (IDP.mint("acme", roles="read"), (403, "the token lacks the role to read")),
        (
            IDP.mint("acme", roles="xds-read", forged=True),
            (401, "no key of the issuer's verifies the token's signature"),
        ),
        (IDP.mint("acme", roles="xds-read", expires_in=-3600), (401, "the token has expired")),
        (IDP.mint("acme", roles="xds-read", audience="other"), (401, "the token is for another audience")),
        (IDP.mint("acme", roles="xds-read", issuer="https://other"), (401, "the token's issuer is not trusted")),
        ("abc", (401, "the token is not a signed JWT")),
    ],
)
async def test_a_token_that_is_not_enough_is_refused_with_the_reason(
    serve: Serve, token: str, expected: tuple[int, str]
) -> None:
    async with serve() as client:
        for path in ("/statusz", "/manage/cells"):
            assert await status(client, path, token) == expected


async def test_this_machine_needs_none_in_mode_loopback_and_everybody_else_does(serve: Serve) -> None:
    async with serve(mode=HttpAuth.LOOPBACK) as client:
        assert (await status(client, "/statusz"))[0] == 200
        # What a proxy on this machine, or a web page with a name that leads here, would send.
        assert (await status(client, "/statusz", Forwarded="for=192.0.2.7"))[0] == 401
        assert (await status(client, "/statusz", **{"X-Forwarded-For": "127.0.0.1"}))[0] == 401
        assert (await status(client, "/statusz", Host="rebound.example"))[0] == 401
        assert (await status(client, "/statusz", Host="rebound.example:8080"))[0] == 401
        assert (await status(client, "/statusz", READER, Host="xds.internal"))[0] == 200


async def test_nobody_needs_one_in_mode_off(serve: Serve) -> None:
    async with serve(mode=HttpAuth.OFF) as client:
        assert (await status(client, "/statusz", Host="xds.internal"))[0] == 200


@pytest.mark.parametrize(
    ("peer", "host", "local"),
    [
        ("127.0.0.1", "127.0.0.1:8080", True),
        ("127.8.8.8", "localhost", True),
        ("::1", "[::1]:8080", True),
        ("::ffff:127.0.0.1", "LOCALHOST:1", True),
        ("192.0.2.7", "127.0.0.1:8080", False),
        ("::ffff:192.0.2.7", "localhost", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "localhost:99999", False),
        ("", "localhost", False),
    ],
)
def test_only_this_machine_is_this_machine(peer: str, host: str, local: bool) -> None:
    request = make_mocked_request("GET", "/", headers={"Host": host}).clone(remote=peer)
    assert is_local(request) is local


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ([("Authorization", "Bearer abc")], "abc"),
        ([("authorization", "bearer  abc ")], "abc"),
        ([("Authorization", "Basic abc")], ""),
        ([("Authorization", "abc")], ""),
        ([("Authorization", "Bearer a"), ("Authorization", "Bearer b")], ""),
        ([], ""),
    ],
)
def test_a_bearer_token_is_one_header_and_its_only_one(headers: list[tuple[str, str]], token: str) -> None:
    from multidict import CIMultiDict  # noqa: PLC0415

    assert bearer(make_mocked_request("GET", "/", headers=CIMultiDict(headers))) == token


def test_a_gate_of_which_nothing_is_said_trusts_nobody_but_this_machine() -> None:
    gate = Gate()
    assert gate.mode is HttpAuth.LOOPBACK
    assert gate.refusal(make_mocked_request("GET", "/statusz", headers={"Host": "localhost"})) is not None


def test_what_is_open_is_a_short_list() -> None:
    assert {"/healthz", "/readyz", "/token", "/validate", "/.well-known/jwks.json"} == OPEN
    assert not any(re.match(r"/(manage|statusz|resolve)", path) for path in OPEN)
