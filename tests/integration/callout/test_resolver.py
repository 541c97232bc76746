"""Whose a token is, how often its issuer is asked for that, and what a fault of the issuer comes to."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from tests.support.introspection import IntrospectionServer
from xds.callout import Admitted, Endpoint, Expected, Introspector, Refused, Resolver, TokenFile, Undecided
from xds.callout.verdicts import INVALID, NO_TOKEN
from xds.demo.idp import IdentityProvider
from xds.names import TenantId
from xds.opaque import digest
from xds.telemetry import Metrics

TOKEN = "s3ss10n"
BEARER = f"Bearer {TOKEN}"
ACME = Admitted(TenantId("acme"))
SECONDS = 10.0


@asynccontextmanager
async def resolver(
    idp: IntrospectionServer, *, file: TokenFile | None = None, cache_seconds: float = 30.0, timeout: float = 5.0
) -> AsyncIterator[tuple[Resolver, Metrics]]:
    endpoint = Endpoint(url=idp.url, timeout_seconds=timeout)
    introspector = Introspector(endpoint, Expected(audiences=("api",), tenant_claim=("tenant_id",)))
    metrics = Metrics()
    async with Resolver(metrics, file=file, introspector=introspector, cache_seconds=cache_seconds) as entered:
        yield entered, metrics


def count(metrics: Metrics, name: str, **labels: str) -> float:
    return metrics._registry.get_sample_value(f"alphaswarm_xds_{name}", labels) or 0.0


def token_file(folder: Path, *, expires: float, tenant: str = "acme") -> TokenFile:
    path = folder / "tokens.json"
    path.write_text(json.dumps([{"sha256": digest(TOKEN).hex(), "tenant": tenant, "expires": expires}]))
    return TokenFile(path)


async def until_asked(idp: IntrospectionServer, times: int) -> None:
    async with asyncio.timeout(SECONDS):
        while len(idp.asked) < times:  # noqa: ASYNC110 -- plain lists tell nobody
            await asyncio.sleep(0.005)


async def until_it_is(resolving: Resolver, verdict: Admitted) -> None:
    async with asyncio.timeout(SECONDS):
        while await resolving.resolve(BEARER) != verdict:  # noqa: ASYNC110 -- as any client would ask again
            await asyncio.sleep(0.05)


async def test_a_token_in_the_file_is_not_asked_about(idp: IntrospectionServer, tmp_path: Path) -> None:
    idp.add(TOKEN, "globex")
    async with resolver(idp, file=token_file(tmp_path, expires=time.time() + 60)) as (resolving, metrics):
        verdict = await resolving.resolve(BEARER)
    assert isinstance(verdict, Admitted)
    assert verdict.tenant == "acme"
    assert idp.asked == []
    assert count(metrics, "callout_lookups_total", source="table") == 1


async def test_a_token_that_has_ended_by_the_file_is_refused_unasked(idp: IntrospectionServer, tmp_path: Path) -> None:
    idp.add(TOKEN, "acme")
    async with resolver(idp, file=token_file(tmp_path, expires=time.time() - 1)) as (resolving, _):
        assert await resolving.resolve(BEARER) == INVALID
    assert idp.asked == []


async def test_a_token_that_is_not_in_the_file_is_asked_about(idp: IntrospectionServer, tmp_path: Path) -> None:
    idp.add("another", "globex")
    async with resolver(idp, file=token_file(tmp_path, expires=2e9)) as (resolving, _):
        assert await resolving.resolve("Bearer another") == Admitted(TenantId("globex"))


async def test_with_a_file_alone_it_is_refused(tmp_path: Path) -> None:
    async with Resolver(Metrics(), file=token_file(tmp_path, expires=2e9)) as resolving:
        assert await resolving.resolve("Bearer another") == INVALID


async def test_the_file_is_watched(idp: IntrospectionServer, tmp_path: Path) -> None:
    async with resolver(idp, file=token_file(tmp_path, expires=2e9)) as (resolving, _), asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(resolving.watch())
        token_file(tmp_path, expires=2e9, tenant="hooli")
        await until_it_is(resolving, Admitted(TenantId("hooli"), 2e9))
        watching.cancel()


async def test_an_answer_is_remembered(idp: IntrospectionServer) -> None:
    idp.add(TOKEN, "acme")
    async with resolver(idp) as (resolving, metrics):
        for _ in range(3):
            assert await resolving.resolve(BEARER) == ACME
    assert idp.asked == [TOKEN]
    assert count(metrics, "callout_lookups_total", source="introspection") == 1
    assert count(metrics, "callout_lookups_total", source="cache") == 2
    assert count(metrics, "callout_seconds_count", outcome="admitted") == 3


async def test_a_refusal_is_remembered_too(idp: IntrospectionServer) -> None:
    async with resolver(idp) as (resolving, metrics):
        for _ in range(3):
            assert await resolving.resolve(BEARER) == INVALID
    assert idp.asked == [TOKEN]
    assert count(metrics, "callout_seconds_count", outcome="refused") == 3


async def test_an_answer_is_remembered_no_longer_than_it_is_set(idp: IntrospectionServer) -> None:
    idp.add(TOKEN, "acme")
    async with resolver(idp, cache_seconds=0.1) as (resolving, _):
        assert await resolving.resolve(BEARER) == ACME
        idp.tokens.clear()
        await asyncio.sleep(0.15)
        assert await resolving.resolve(BEARER) == INVALID


async def test_an_answer_is_remembered_no_longer_than_the_token_lasts(idp: IntrospectionServer) -> None:
    idp.add(TOKEN, "acme", exp=time.time() + 0.3)
    async with resolver(idp) as (resolving, _):
        assert isinstance(await resolving.resolve(BEARER), Admitted)
        await asyncio.sleep(0.4)
        assert await resolving.resolve(BEARER) == INVALID
    assert len(idp.asked) == 2


async def test_with_no_time_to_remember_each_request_is_asked_about(idp: IntrospectionServer) -> None:
    idp.add(TOKEN, "acme")
    async with resolver(idp, cache_seconds=0) as (resolving, _):
        for _ in range(3):
            assert await resolving.resolve(BEARER) == ACME
    assert len(idp.asked) == 3


async def test_equal_tokens_at_once_are_one_question_and_others_their_own(idp: IntrospectionServer) -> None:
    idp.add(TOKEN, "acme")
    idp.add("other", "globex")
    idp.gate.clear()
    async with resolver(idp) as (resolving, metrics), asyncio.TaskGroup() as tasks:
        equal = [tasks.create_task(resolving.resolve(BEARER)) for _ in range(50)]
        other = tasks.create_task(resolving.resolve("Bearer other"))
        await until_asked(idp, 2)
        idp.gate.set()
        assert {await each for each in equal} == {ACME}
        assert await other == Admitted(TenantId("globex"))
    assert sorted(idp.asked) == ["other", TOKEN]
    assert count(metrics, "callout_lookups_total", source="joined") == 49


async def test_if_the_client_that_has_it_asked_goes_the_next_one_asks(idp: IntrospectionServer) -> None:
    idp.add(TOKEN, "acme")
    idp.gate.clear()
    async with resolver(idp) as (resolving, _), asyncio.TaskGroup() as tasks:
        first = tasks.create_task(resolving.resolve(BEARER))
        await until_asked(idp, 1)
        second = tasks.create_task(resolving.resolve(BEARER))
        await asyncio.sleep(0)
        first.cancel()
        await until_asked(idp, 2)
        idp.gate.set()
        assert await second == ACME
    assert first.cancelled()


async def test_what_nobody_could_say_is_not_remembered(idp: IntrospectionServer) -> None:
    idp.add(TOKEN, "acme")
    idp.status = 500
    async with resolver(idp) as (resolving, metrics):
        assert isinstance(await resolving.resolve(BEARER), Undecided)
        idp.is_well()
        assert await resolving.resolve(BEARER) == ACME
    assert count(metrics, "callout_seconds_count", outcome="undecided") == 1


async def test_a_remembered_answer_outlives_an_outage(idp: IntrospectionServer) -> None:
    idp.add(TOKEN, "acme")
    async with resolver(idp) as (resolving, _):
        assert await resolving.resolve(BEARER) == ACME
        idp.status = 500
        assert await resolving.resolve(BEARER) == ACME


async def test_who_fails_again_and_again_is_left_alone_for_a_while(idp: IntrospectionServer) -> None:
    idp.add(TOKEN, "acme")
    idp.status = 503
    async with resolver(idp) as (resolving, metrics):
        with capture_logs() as logs:
            for _ in range(20):
                assert isinstance(await resolving.resolve(BEARER), Undecided)
            assert len(idp.asked) == 5
            assert count(metrics, "callout_suspended") == 1
            idp.is_well()
            await until_it_is(resolving, ACME)
        assert count(metrics, "callout_suspended") == 0
    assert [line["event"] for line in logs] == ["callout.undecided", "callout.suspended", "callout.resumed"]
    assert TOKEN not in str(logs)


async def test_what_anybodys_token_can_bring_about_suspends_nothing(idp: IntrospectionServer) -> None:
    idp.add(TOKEN, "acme")
    async with resolver(idp) as (resolving, _):
        idp.status = 400
        for number in range(20):
            assert isinstance(await resolving.resolve(f"Bearer odd{number}"), Undecided)
        idp.is_well()
        assert await resolving.resolve(BEARER) == ACME


async def test_clients_that_go_suspend_nothing(idp: IntrospectionServer) -> None:
    idp.add(TOKEN, "acme")
    idp.gate.clear()
    async with resolver(idp) as (resolving, _):
        async with asyncio.TaskGroup() as tasks:
            gone = [tasks.create_task(resolving.resolve(f"Bearer gone{number}")) for number in range(20)]
            await until_asked(idp, 20)
            for each in gone:
                each.cancel()
        idp.gate.set()
        assert await resolving.resolve(BEARER) == ACME


HEADERS = {
    "none": "",
    "a JWT": f"Bearer {IdentityProvider().mint('acme')}",
    "two": "Bearer s3ss10n,Bearer s3ss10n",
    "Basic": "Basic s3ss10n",
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
async def test_what_is_no_opaque_token_is_refused_unasked(idp: IntrospectionServer, header: str) -> None:
    idp.add(header.removeprefix("Bearer "), "acme")
    async with resolver(idp) as (resolving, _):
        assert await resolving.resolve(header) == NO_TOKEN
    assert idp.asked == []


async def test_no_token_is_kept(idp: IntrospectionServer) -> None:
    idp.add(TOKEN, "acme")
    async with resolver(idp) as (resolving, _):
        await resolving.resolve(BEARER)
        await resolving.resolve("Bearer unkn0wn")
        kept = [*resolving._admitted._held.items(), *resolving._refused._held.items()]
    assert len(kept) == 2
    assert TOKEN not in repr(kept)
    assert "unkn0wn" not in repr(kept)


def test_a_refusal_says_nothing_of_why() -> None:
    assert Refused("the token is unknown, expired or revoked") == INVALID
