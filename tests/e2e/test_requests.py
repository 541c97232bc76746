"""Every line of the demo's story, through real Envoys, in both variants of the protocol."""

import pytest

from xds.demo.following import follow
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPOOFS = (
    {"x-alphaswarm-cell": "cell-dedicated-ent-us"},
    {"x-alphaswarm-tenant": "globex"},
    {"X-AlphaSwarm-Cell": "cell-dedicated-ent-us", "X-ALPHASWARM-TENANT": "globex"},
    {"x-alphaswarm-anything": "at all"},
)


async def test_a_tenants_request_arrives_at_its_cell(stack: Stack) -> None:
    for edge in stack.clients:
        for tenant, cell in stack.placements.items():
            answer = await stack.get(edge, "/api/x", token=stack.idp.mint(tenant))
            assert (answer.status, answer.cell) == (200, cell)
            assert answer.saw("x-alphaswarm-tenant") == tenant
            assert answer.saw("x-alphaswarm-cell") == cell
            assert answer.saw("x-request-id")


@pytest.mark.parametrize("spoof", SPOOFS, ids="+".join)
async def test_a_spoofed_header_loses(stack: Stack, spoof: dict[str, str]) -> None:
    for edge in stack.clients:
        answer = await stack.get(edge, "/api/x", token=stack.idp.mint("acme"), headers=spoof)
        assert answer.cell == stack.placements["acme"]
        assert answer.saw("x-alphaswarm-tenant") == "acme"
        assert answer.saw("x-alphaswarm-cell") == stack.placements["acme"]
        assert answer.saw("x-alphaswarm-anything") is None


async def test_a_header_that_a_backend_may_fold_into_ours_is_refused(stack: Stack) -> None:
    for edge in stack.clients:
        headers = {"x_alphaswarm_cell": "cell-dedicated-ent-us"}
        answer = await stack.get(edge, "/api/x", token=stack.idp.mint("acme"), headers=headers)
        assert answer.status == 400


async def test_a_missing_a_bad_and_an_expired_token_are_refused(stack: Stack) -> None:
    tokens = {
        "missing": "",
        "no token at all": "abc",
        "forged": stack.idp.mint("acme", forged=True),
        "expired": stack.idp.mint("acme", expires_in=-3600),
        "of another issuer": stack.idp.mint("acme", issuer="https://elsewhere.example"),
    }
    for edge in stack.clients:
        for path in ("/api/x", "/ws", "/manage/x"):
            for what, token in tokens.items():
                answer = await stack.get(edge, path, token=token)
                assert answer.status == 401, (what, path, answer.text)
                assert answer.body["error"], (what, path)
                assert answer.body["request_id"], (what, path)


async def test_a_token_for_another_audience_is_refused(stack: Stack) -> None:
    for edge in stack.clients:
        answer = await stack.get(edge, "/api/x", token=stack.idp.mint("acme", audience="someone-else"))
        assert answer.status == 403


async def test_an_unknown_tenant_is_refused(stack: Stack) -> None:
    for edge in stack.clients:
        for tenant in ("nobody", "-", "-/cell-shared-std-local", "acme,globex", "ACME"):
            answer = await stack.get(edge, "/api/x", token=stack.idp.mint(tenant))
            assert answer.status in (401, 403), (tenant, answer.text)
            assert answer.cell == ""
        answer = await stack.get(edge, "/api/x", token=stack.idp.mint("nobody"))
        assert (answer.status, answer.body["error"]) == (403, "the tenant is unknown")


async def test_a_token_bound_to_another_cell_is_refused(stack: Stack) -> None:
    here, elsewhere = stack.placements["acme"], "cell-dedicated-ent-us"
    for edge in stack.clients:
        assert (await stack.get(edge, "/api/x", token=stack.idp.mint("acme", cell=here))).cell == here
        assert (await stack.get(edge, "/api/x", token=stack.idp.mint("acme", cell=elsewhere))).status == 401


async def test_a_websocket_reaches_the_tenants_cell(stack: Stack) -> None:
    for client in stack.clients.values():
        hello, echoed = await client.echo("/ws/x", "ping", token=stack.idp.mint("acme"))
        assert hello.saw("x-alphaswarm-cell") == stack.placements["acme"]
        assert hello.saw("x-alphaswarm-tenant") == "acme"
        assert echoed == "ping"


async def test_what_needs_no_token_reaches_no_cell(stack: Stack) -> None:
    for edge in stack.clients:
        assert (await stack.get(edge, "/healthz")).status == 200
        for path in ("/", "/static/x.js", "/apiary", "/api%2Fx"):
            answer = await stack.get(edge, path, headers={"x-alphaswarm-tenant": "acme"})
            assert answer.status in (400, 401, 404), (path, answer.text)
            assert answer.cell == ""


async def test_every_envoy_follows_a_move_made_by_plain_sql(stack: Stack) -> None:
    before = stack.placements["hooli"]
    after = next(cell for cell in stack.plan.cells if cell != before)
    following = await follow(stack, "hooli", after)
    assert following.after_commit_ms.keys() == stack.clients.keys()
    assert following.failed == 0
    for edge in stack.clients:
        assert (await stack.get(edge, "/api/x", token=stack.idp.mint("hooli"))).cell == after
        assert (await stack.get(edge, "/api/x", token=stack.idp.mint("hooli", cell=before))).status == 401
