"""Tenants that are not let in, through real Envoys: unknown, suspended, or of an id that can't be."""

import asyncio
import re

import asyncpg
import pytest

from tests.e2e.asking import ask, raw, with_claims
from tests.e2e.watching import execute, is_answered, until
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

SETTINGS = {"HIDE_SUSPENDED": "yes"}

BAD_IDS = (
    "-",
    "-/cell-shared-std-local",
    "-/public",
    "acme,globex",
    " acme",
    "acme ",
    "ACME",
    "",
    ".acme",
    "acme/x",
    "acme\n",
    "acme\r\nx-alphaswarm-cell: cell-shared-std-local",
    "a\0b",
    "a" * 300,
    "Ünïcödé",
    ["acme"],
    {"acme": 1},
    True,
    7,
    None,
    ...,
)

REQUESTS = tuple(
    f"{method} {path} HTTP/1.1"
    for method, path in (
        ("GET", "/api/x"),
        ("POST", "/ws"),
        ("HEAD", "/api"),
        ("OPTIONS", "/api"),
        ("GET", "/manage/x"),
    )
)


@pytest.mark.parametrize("tenant", BAD_IDS, ids=lambda each: repr(each)[:40])
async def test_a_claim_of_an_id_that_can_not_be_is_refused(stack: Stack, tenant: object) -> None:
    for port in stack.ports.edges.values():
        for path in ("/api/x", "/ws/x"):
            reply = await ask(port, path, token=with_claims(stack.idp, tenant_id=tenant))
            assert reply.status == 403, reply.text
            assert reply.body["error"] == "the tenant is unknown or suspended"
            assert reply.body["request_id"]


@pytest.mark.parametrize("tenant", ["-", "-/cell-a", "a,b", " a", ".a", "a" * 129, "ü"])
async def test_nor_can_it_be_stored(stack: Stack, tenant: str) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="tenants_id_valid"):
        await execute(stack, f"INSERT INTO tenants (id, cell_id) VALUES ('{tenant}', 'cell-shared-std-local')")


async def test_unknown_and_suspended_answers_are_the_same_to_the_byte(stack: Stack) -> None:
    await execute(stack, "UPDATE tenants SET state = 'suspended' WHERE id = 'acme'")
    await until(lambda: is_answered(stack, "acme", 403), "acme is suspended")
    for port in stack.ports.edges.values():
        answers = await asyncio.gather(*(answers_at(stack, port, request) for request in REQUESTS))
        for suspended, unknown, reserved in answers:
            assert suspended.startswith("HTTP/1.1 403 ")
            assert suspended == unknown == reserved
        traced, unknown, _ = await answers_at(stack, port, "TRACE /api/x HTTP/1.1")
        assert traced == unknown


async def test_a_suspended_tenants_bound_tokens_tell_nothing_either(stack: Stack) -> None:
    for port in stack.ports.edges.values():
        for cell in ("cell-shared-std-local", "cell-dedicated-ent-us"):
            reply = await ask(port, "/api/x", token=stack.idp.mint("acme", cell=cell))
            assert (reply.status, reply.body["error"]) == (403, "the tenant is unknown or suspended")


async def test_a_moving_tenant_is_served(stack: Stack) -> None:
    await execute(stack, "UPDATE tenants SET state = 'suspended' WHERE id = 'globex'")
    await until(lambda: is_answered(stack, "globex", 403), "globex is suspended")
    await execute(stack, "UPDATE tenants SET state = 'moving' WHERE id = 'globex'")
    await until(lambda: is_answered(stack, "globex", 200, stack.placements["globex"]), "globex is served")


async def answers_at(stack: Stack, port: int, request: str) -> list[str]:
    """What a suspended, an unknown and the reserved tenant are answered."""
    head = (request, "host: edge", "connection: close")
    tokens = [stack.idp.mint(tenant) for tenant in ("acme", "nobody", "-")]
    came = await asyncio.gather(*(raw(port, *head, f"authorization: Bearer {token}") for token in tokens))
    return [_without_what_differs(each) for each in came]


def _without_what_differs(came: str) -> str:
    """An answer without its request id and the second in which it was given."""
    came = re.sub(r'"request_id":"[0-9a-f-]{36}"', '"request_id":""', came)
    return re.sub(r"(?m)^date: .*$", "date:", came)
