"""/manage and what reaches an upstream, through real Envoys, with a controller of the test's own."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web

from tests.e2e.asking import Reply, ask, by_http2, raw, with_claims
from tests.e2e.watching import execute, is_answered, until
from xds.demo.cell_api import make_app
from xds.demo.ports import LOOPBACK, free_port
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTROLLER = free_port()
CLIENT = free_port()
SETTINGS = {"CONTROLLER_UPSTREAM": f"{LOOPBACK}:{CONTROLLER}", "CLIENT_UPSTREAM": f"{LOOPBACK}:{CLIENT}"}

INTERNAL = {
    "x-alphaswarm-cell": "cell-shared-std-local",
    "X-AlphaSwarm-Anything": "at all",
    "x-alphaswarm-reason": "cell-moved",
    "x-envoy-upstream-service-time": "1",
    "X-Envoy-Anything": "at all",
}


async def _tell(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update({**INTERNAL, "x-own": "kept"})


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def upstreams() -> AsyncIterator[None]:
    """A controller and a web client that say what they saw, and in their headers more than they should."""
    runners = []
    for name, port in (("controller", CONTROLLER), ("client", CLIENT)):
        app = make_app(name)
        app.on_response_prepare.append(_tell)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        await web.TCPSite(runner, LOOPBACK, port).start()
        runners.append(runner)
    yield
    for runner in runners:
        await runner.cleanup()


def who(reply: Reply) -> str:
    """Which upstream answered, by its own account."""
    return str(reply.body.get("cell", "")) if reply.status == 200 else ""


@pytest.mark.parametrize("roles", ["operator", ["operator"], ["a", "operator", "b"]], ids=repr)
async def test_an_operator_reaches_the_controller_whatever_the_tenant(stack: Stack, roles: object) -> None:
    for port in stack.ports.edges.values():
        for tenant, told in (("acme", "acme"), ("nobody", "nobody"), ("-", "-"), (..., None)):
            token = with_claims(stack.idp, roles=roles, tenant_id=tenant, sub="ann")
            reply = await ask(port, "/manage/cells?x=1", token=token)
            assert who(reply) == "controller", (tenant, reply.text)
            assert reply.body["path"] == "/manage/cells?x=1"
            seen = {name: value for name, value in reply.body["headers"].items() if name.startswith("x-alphaswarm-")}
            expected = {"x-alphaswarm-subject": "ann", "x-alphaswarm-tenant": told}
            assert seen == {name: value for name, value in expected.items() if value is not None}


@pytest.mark.parametrize(
    "roles",
    [
        ...,
        "",
        "operators",
        "Operator",
        "operator ",
        ["operators"],
        [],
        ["x"],
        [["operator"]],
        {"operator": True},
        None,
        1,
    ],
    ids=repr,
)
async def test_nobody_else_does(stack: Stack, roles: object) -> None:
    for port in stack.ports.edges.values():
        for tenant in ("acme", "nobody", ...):
            for path in ("/manage", "/manage/cells", "//manage/x", "/x/../manage/x", "/manage/../manage/x"):
                reply = await ask(port, path, token=with_claims(stack.idp, roles=roles, tenant_id=tenant))
                assert reply.status == 403, (path, reply.text)
                assert reply.body["error"] == "operators only"


async def test_without_a_good_token_nobody_is_asked_for_a_role(stack: Stack) -> None:
    tokens = ("", "abc", stack.idp.mint("acme", forged=True, roles="operator"))
    for port in stack.ports.edges.values():
        for token in tokens:
            assert (await ask(port, "/manage/cells", token=token)).status == 401


async def test_a_spoofed_header_makes_no_operator(stack: Stack) -> None:
    port = stack.ports.edges["edge-a"]
    spoofs = {"x_alphaswarm_subject": "root", "x_alphaswarm_claimed_tenant": "globex", "roles": "operator"}
    reply = await ask(port, "/manage/cells", token=stack.idp.mint("acme"), **spoofs)
    assert reply.status == 403
    seen = (await ask(port, "/manage/x", token=stack.idp.mint("acme", roles="operator"), **spoofs)).body["headers"]
    assert (seen["x-alphaswarm-tenant"], seen["x-alphaswarm-subject"]) == ("acme", "user@acme")
    assert "x-alphaswarm-claimed-tenant" not in seen


async def test_a_suspended_tenants_operator_is_not_stopped(stack: Stack) -> None:
    await execute(stack, "UPDATE tenants SET state = 'suspended' WHERE id = 'globex'")
    await until(lambda: is_answered(stack, "globex", 403), "globex is suspended")
    for port in stack.ports.edges.values():
        assert who(await ask(port, "/manage/x", token=stack.idp.mint("globex", roles="operator"))) == "controller"


async def test_an_operators_token_is_a_tenants_elsewhere(stack: Stack) -> None:
    port = stack.ports.edges["edge-a"]
    reply = await ask(port, "/api/x", token=stack.idp.mint("acme", roles="operator"))
    assert who(reply) == stack.placements["acme"]
    reply = await ask(port, "/api/x", token=with_claims(stack.idp, roles="operator", tenant_id=...))
    assert reply.status == 403


async def test_over_http2_it_is_the_same(stack: Stack) -> None:
    port = stack.ports.edges["edge-a"]
    request = {":method": "GET", ":scheme": "http", ":authority": "edge", ":path": "/manage/x"}
    for roles, expected in (("operator", b'"cell": "controller"'), ("tenant", b"operators only")):
        token = stack.idp.mint("acme", roles=roles)
        assert expected in await by_http2(port, {**request, "authorization": f"Bearer {token}"})


async def test_everything_that_the_old_proxy_served_has_its_upstream(stack: Stack) -> None:
    token = stack.idp.mint("acme", roles="operator")
    for port in stack.ports.edges.values():
        served = {path: who(await ask(port, path, token=token)) for path in ("/api/x", "/ws/x", "/manage/x")}
        public = {path: who(await ask(port, path)) for path in ("/", "/static/x.js", "/favicon.ico")}
        assert set(served.values()) == {stack.placements["acme"], "controller"}
        assert set(public.values()) == {"client"}
        health = await ask(port, "/healthz")
        assert (health.status, health.body) == (200, {"status": "ok"})


async def test_no_internal_header_of_an_answer_gets_out(stack: Stack) -> None:
    for port in stack.ports.edges.values():
        for path, upstream in (("/", "client"), ("/manage/x", "controller")):
            reply = await ask(port, path, token=stack.idp.mint("acme", roles="operator"))
            assert who(reply) == upstream
            assert reply.headers["x-own"] == "kept"
            assert not [name for name in reply.headers if name.startswith(("x-alphaswarm-", "x-envoy-"))]


async def test_a_cell_learns_from_us_alone_who_sends(stack: Stack) -> None:
    lines = ("GET /api/x HTTP/1.1", "host: edge", "connection: close, x-alphaswarm-tenant, x-alphaswarm-subject")
    spoofs = ("x-alphaswarm-subject: root", "X-AlphaSwarm-Subject: root", "x-request-id: mine")
    for edge, port in stack.ports.edges.items():
        token = stack.idp.mint("acme", sub="ann")
        came = await raw(port, *lines, *spoofs, f"authorization: Bearer {token}")
        assert '"x-alphaswarm-subject": "ann"' in came, edge
        assert '"x-alphaswarm-tenant": "acme"' in came
        assert '"x-request-id": "mine"' not in came
        assert "root" not in came


@pytest.mark.parametrize("sub", ["a\r\nx-evil: 1", "a\nb", "a\0b"], ids=repr)
async def test_a_subject_that_can_be_no_header_gets_nowhere(stack: Stack, sub: str) -> None:
    reply = await ask(stack.ports.edges["edge-a"], "/api/x", token=with_claims(stack.idp, sub=sub))
    assert reply.status in (401, 403)
    assert who(reply) == ""
