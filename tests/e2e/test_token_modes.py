"""Who a request is of by AUTH_MODE, and several issuers side by side, through real Envoys."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from tests.e2e.asking import ask
from tests.e2e.issued import running
from tests.e2e.watching import agreed, execute, is_answered, statusz, until
from tests.support.issuing import jwks_endpoint
from tests.support.plans import planned
from xds.demo.cell_api import make_app
from xds.demo.idp import AUDIENCE, IdentityProvider
from xds.demo.ports import LOOPBACK, free_port
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER = IdentityProvider(issuer="https://other.example", audience=AUDIENCE, key_id="other-1")
CLAIM = "https://other.example/tenant"


@asynccontextmanager
async def serving(app: web.Application, port: int) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, port).start()
    try:
        yield
    finally:
        await runner.cleanup()


# Modes


async def test_without_a_token_a_request_is_the_anonymous_tenants_if_tokens_are_optional() -> None:
    port = free_port()
    anonymous = {"AUTH_MODE": "optional", "AUTH_ANONYMOUS_TENANT": "globex", "HIDE_SUSPENDED": "yes"}
    async with (
        serving(make_app("controller"), port),
        running("delta", **anonymous, CONTROLLER_UPSTREAM=f"{LOOPBACK}:{port}") as (stack, _),
    ):
        for edge in stack.clients:
            assert (await stack.get(edge, "/manage/x")).status == 401
            nobody = await stack.get(edge, "/api/x", headers={"x-alphaswarm-tenant": "acme"})
            assert (nobody.cell, nobody.saw("x-alphaswarm-tenant")) == (stack.placements["globex"], "globex")
            acme = await stack.get(edge, "/api/x", token=stack.idp.mint("acme"))
            assert (acme.cell, acme.saw("x-alphaswarm-tenant")) == (stack.placements["acme"], "acme")
            for bad in ("a.b.c", stack.idp.mint("acme", forged=True), stack.idp.mint("acme", expires_in=-3600)):
                assert (await stack.get(edge, "/api/x", token=bad)).status == 401
            for sub in ("ann", ...):
                for path in ("/api/x", "/ws/x"):
                    nameless = stack.idp.mint("acme", tenant_id=..., sub=sub)
                    assert (await stack.get(edge, path, token=nameless)).status == 403, "and not the anonymous one's"
            assert acme.saw("x-alphaswarm-issuer") is acme.saw("x-alphaswarm-cell-claim") is None
            for tenant, told in (("acme", "acme"), (..., None)):
                operators = stack.idp.mint("acme", tenant_id=tenant, roles="operator")
                answer = await stack.get(edge, "/manage/x", token=operators)
                assert (answer.cell, answer.saw("x-alphaswarm-tenant")) == ("controller", told)
            assert (await stack.get(edge, "/manage/x", token=stack.idp.mint("acme"))).status == 403
        for token, status in (
            (stack.idp.mint("acme"), 200),
            ("a.b.c", 401),
            (stack.idp.mint("acme", tenant_id=...), 403),
        ):
            assert await agreed(stack, token, stack.placements["acme"]) == status
        seen = []
        suspend = "UPDATE tenants SET state = 'suspended' WHERE id IN "
        for last, statements in (
            ("hooli", [f"{suspend} ('globex', 'hooli')"]),
            ("initech", ["DELETE FROM tenants WHERE id IN ('globex', 'hooli')", f"{suspend} ('initech')"]),
        ):
            await execute(stack, *statements)
            await until(lambda: is_refused(stack, 401), "the anonymous tenant is gone, or hidden")
            await until(lambda: is_answered(stack, last, 403), "so is another")  # noqa: B023 -- awaited here
            await is_nobody_anonymous(stack)
            seen.append(await refusals(stack))
        assert seen[0] == seen[1], "which of the two it is can't be told"
        assert json.loads((await stack.control_plane.ask("/readyz"))[1])["auth_mode"] == "optional"
        assert "AUTH_MODE=optional" in (await statusz(stack))["warnings"][0]
        assert '"server.warned"' in stack.control_plane.child.log.read_text()
        assert "alphaswarm_xds_tokens_required 0.0" in (await stack.control_plane.ask("/metrics"))[1]


async def is_refused(stack: Stack, status: int) -> bool:
    """Whether requests without a token are, by every Envoy."""
    return {(await stack.get(edge, "/api/x")).status for edge in stack.clients} == {status}


async def is_nobody_anonymous(stack: Stack) -> None:
    """Every Envoy serves all but the anonymous tenant."""
    for edge in stack.clients:
        operators = stack.idp.mint("acme", roles="operator")
        assert (await stack.get(edge, "/manage/x", token=operators)).cell == "controller"
        assert (await stack.get(edge, "/manage/x", token=stack.idp.mint("acme"))).status == 403
        assert (await stack.get(edge, "/api/x", token=stack.idp.mint("acme"))).cell == stack.placements["acme"]
        assert (await stack.get(edge, "/api/x", token=stack.idp.mint("globex"))).status == 403
        assert (await stack.get(edge, "/static/x")).status == 404, "there is no web client, and it was asked for"


async def refusals(stack: Stack) -> list[tuple[int, str]]:
    """What whoever may be suspended, or not there, is answered."""
    answers = []
    for method, path in (
        (each, path) for each in ("GET", "TRACE", "OPTIONS") for path in ("/api/x", "/ws", "/manage/x")
    ):
        for token in ("", stack.idp.mint("globex"), stack.idp.mint("hooli")):
            reply = await ask(stack.ports.edges["edge-a"], path, token=token, method=method)
            answers.append((reply.status, str(reply.body["error"])))
    return answers


async def test_with_nobody_anonymous_an_optional_token_is_needed_all_the_same() -> None:
    async with running("sotw", AUTH_MODE="optional") as (stack, _):
        for edge in stack.clients:
            assert (await stack.get(edge, "/api/x")).status == 401
            assert (await stack.get(edge, "/api/x", headers={"x-alphaswarm-tenant": "acme"})).status == 401
            assert (await stack.get(edge, "/api/x", token=stack.idp.mint("acme"))).status == 200


async def test_with_no_token_looked_at_every_request_is_the_anonymous_tenants() -> None:
    async with running("delta", AUTH_MODE="off", AUTH_ANONYMOUS_TENANT="globex") as (stack, endpoint):
        for edge in stack.clients:
            for token in ("", "a.b.c", stack.idp.mint("acme")):
                answer = await stack.get(edge, "/api/x", token=token, headers={"x-alphaswarm-tenant": "acme"})
                assert (answer.cell, answer.saw("x-alphaswarm-tenant")) == (stack.placements["globex"], "globex")
        for token in ("a.b.c", stack.idp.mint("acme", cell="cell-gone"), stack.idp.mint("nobody", expires_in=-3600)):
            assert await agreed(stack, token, stack.placements["globex"]) == 200
        assert endpoint.asked == 0
        assert "AUTH_MODE=off" in (await statusz(stack))["warnings"][0]


# Several issuers


def two_issuers(folder: Path, mine: IdentityProvider, url: str) -> dict[str, str]:
    """The settings for an issuer whose keys are in a file, and another at a URL whose claims have other names."""
    (folder / "mine.json").write_text(mine.jwks())
    issuers = [
        {"issuer": mine.issuer, "audiences": [AUDIENCE], "jwks_file": str(folder / "mine.json"), "operators": True},
        {
            "issuer": OTHER.issuer,
            "audiences": ["theirs"],
            "jwks_url": url,
            "tenant_claim": f"/org/{CLAIM.replace('/', '~1')}",
            "cell_claim": "home.cell",
        },
    ]
    (folder / "issuers.json").write_text(json.dumps(issuers))
    return {
        **dict.fromkeys(("AUTH_ISSUER", "AUTH_AUDIENCE", "AUTH_JWKS_FILE", "AUTH_JWKS_URL"), ""),
        "AUTH_ISSUERS_FILE": str(folder / "issuers.json"),
    }


async def test_each_issuer_has_its_own_keys_audience_and_claims(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder, mine = tmp_path_factory.mktemp("issuers"), IdentityProvider()
    async with jwks_endpoint(OTHER.jwks) as endpoint:
        environment = two_issuers(folder, mine, endpoint.url)
        async with Stack(await planned(tenants=6, environment=environment)) as stack:
            theirs = OTHER.mint("acme", audience="theirs", org={CLAIM: "globex"})
            for edge in stack.clients:
                assert (await stack.get(edge, "/api/x", token=mine.mint("acme"))).saw("x-alphaswarm-tenant") == "acme"
                assert (await stack.get(edge, "/api/x", token=theirs)).saw("x-alphaswarm-tenant") == "globex"
                for home, status in ((stack.placements["globex"], 200), ("cell-gone", 401)):
                    bound = OTHER.mint("acme", audience="theirs", org={CLAIM: "globex"}, home={"cell": home})
                    assert (await stack.get(edge, "/api/x", token=bound)).status == status, "by its own cell claim"
                    mine_is_not = mine.mint("acme", home={"cell": home})
                    assert (await stack.get(edge, "/api/x", token=mine_is_not)).status == 200
                unbound = OTHER.mint("acme", audience="theirs", org={CLAIM: "globex"}, cell="cell-gone")
                assert (await stack.get(edge, "/api/x", token=unbound)).status == 200, "it is the other's claim"
                assert (await stack.get(edge, "/api/x", token=mine.mint("acme", cell="cell-gone"))).status == 401
                crossed = OTHER.mint("acme", audience=AUDIENCE, issuer=mine.issuer)
                assert (await stack.get(edge, "/api/x", token=crossed)).status == 401
                assert (await stack.get(edge, "/api/x", token=OTHER.mint("acme"))).status == 403, "the other's audience"
                unnamed = OTHER.mint("acme", audience="theirs")
                assert (await stack.get(edge, "/api/x", token=unnamed)).status == 403, "by another's claim"
                operator = await stack.get(edge, "/manage/x", token=mine.mint("acme", roles="operator"))
                assert (operator.status, operator.body["error"]) == (404, "there is no controller")
                pretended = OTHER.mint("acme", audience="theirs", roles=["operator"])
                assert (await stack.get(edge, "/manage/x", token=pretended)).status == 403, "it names no operators"
            later = IdentityProvider()
            (folder / "mine.json").write_text(later.jwks())

            async def is_followed() -> bool:
                return all(
                    [(await stack.get(e, "/api/x", token=later.mint("acme"))).status == 200 for e in stack.clients]
                )

            await until(is_followed, "a file that changes is followed")
