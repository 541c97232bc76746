"""What becomes of a question to a real endpoint, whatever is the matter with it."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.support.introspection import IntrospectionServer
from xds.callout import Admitted, Endpoint, Expected, Introspector, Undecided
from xds.callout.verdicts import INVALID
from xds.demo.ports import free_port
from xds.names import TenantId

EXPECTED = Expected(audiences=("api",), tenant_claim=("tenant_id",))
TOKEN = "s3ss10n.t0ken"


@asynccontextmanager
async def introspector(
    url: str, *, client_id: str = "", client_secret: str = "", timeout: float = 5.0
) -> AsyncIterator[Introspector]:
    endpoint = Endpoint(url=url, client_id=client_id, client_secret=client_secret, timeout_seconds=timeout)
    async with Introspector(endpoint, EXPECTED) as entered:
        yield entered


async def test_an_active_token_is_its_tenants_and_an_unknown_one_is_refused(idp: IntrospectionServer) -> None:
    idp.add(TOKEN, "acme", aud="api", exp=2e9)
    async with introspector(idp.url) as asking:
        assert await asking.ask(TOKEN) == Admitted(TenantId("acme"), 2e9)
        assert await asking.ask("another") == INVALID
    assert idp.asked == [TOKEN, "another"]


async def test_any_character_of_a_token_arrives_as_it_is(idp: IntrospectionServer) -> None:
    async with introspector(idp.url) as asking:
        await asking.ask("a+b/c~d==")
    assert idp.asked == ["a+b/c~d=="]


async def test_we_say_who_we_are_as_oauth_has_it(idp: IntrospectionServer) -> None:
    async with introspector(idp.url, client_id="edge:1", client_secret="p w%") as asking:
        await asking.ask(TOKEN)
    (said,) = idp.callers
    assert base64.b64decode(said.removeprefix("Basic ")) == b"edge%3A1:p+w%25"


async def test_without_credentials_we_say_nothing(idp: IntrospectionServer) -> None:
    async with introspector(idp.url) as asking:
        await asking.ask(TOKEN)
    assert idp.callers == [""]


def _says(status: int, body: bytes | None = None) -> Callable[[IntrospectionServer], None]:
    def set_up(idp: IntrospectionServer) -> None:
        idp.status, idp.body = status, body

    return set_up


@pytest.mark.parametrize(
    ("fault", "is_outage"),
    [
        (_says(500), True),
        (_says(503), True),
        (_says(429), True),
        (_says(400), False),
        (_says(401), False),
        (_says(204), False),
        (_says(307), False),
        (_says(200, b"not json"), False),
        (_says(200, b'{"active":true,"x":"' + b"x" * 100_000 + b'"}'), False),
    ],
    ids=["500", "503", "429", "400", "401", "204", "redirect", "no JSON", "too long"],
)
async def test_an_answer_that_is_none_is_no_verdict(
    idp: IntrospectionServer, fault: Callable[[IntrospectionServer], None], is_outage: bool
) -> None:
    idp.add(TOKEN, "acme")
    fault(idp)
    async with introspector(idp.url) as asking:
        verdict = await asking.ask(TOKEN)
    assert isinstance(verdict, Undecided)
    assert verdict.is_outage is is_outage
    assert TOKEN not in repr(verdict)
    assert len(idp.asked) == 1  # and it was not followed elsewhere


async def test_who_takes_too_long_is_not_waited_for(idp: IntrospectionServer) -> None:
    idp.add(TOKEN, "acme")
    idp.gate.clear()
    loop = asyncio.get_running_loop()
    async with introspector(idp.url, timeout=0.1) as asking:
        began = loop.time()
        verdict = await asking.ask(TOKEN)
        assert loop.time() - began < 5
    assert verdict == Undecided("the endpoint took too long", is_outage=True)


async def test_who_is_not_there_is_not_reached() -> None:
    async with introspector(f"http://127.0.0.1:{free_port()}/") as asking:
        verdict = await asking.ask(TOKEN)
    assert isinstance(verdict, Undecided)
    assert verdict.is_outage
    assert "not reached" in verdict.reason


async def test_who_hangs_up_is_not_reached() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with introspector(f"http://127.0.0.1:{port}/") as asking:
            verdict = await asking.ask(TOKEN)
    assert isinstance(verdict, Undecided)
    assert verdict.is_outage


def test_its_secret_is_not_shown() -> None:
    endpoint = Endpoint(url="https://idp", client_id="edge", client_secret="hunter2", timeout_seconds=1)

    assert "hunter2" not in f"{endpoint} {endpoint!r}"
