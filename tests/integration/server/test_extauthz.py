"""Real Check calls: what Envoy would be told, byte for byte what it reads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

from tests.integration.server.ads import SECONDS, ControlPlane, connection, control_plane
from xds.callout import Admitted, Refused, Undecided, Verdict
from xds.names import TenantId
from xds.proto import external_auth_pb2 as pb
from xds.server import Authorization
from xds.server.extauthz import NAME

ACME = Admitted(TenantId("acme"))
HEADER = "Bearer s3ss10n"


class Asked:
    """Says what it is told to say, and keeps what it was asked."""

    def __init__(self, verdict: Verdict | Exception = ACME) -> None:
        self.verdict = verdict
        self.headers: list[str] = []
        self.hangs = False
        self.gone = asyncio.Event()

    async def resolve(self, authorization: str) -> Verdict:
        self.headers.append(authorization)
        if self.hangs:
            try:
                await asyncio.Event().wait()
            finally:
                self.gone.set()
        if isinstance(self.verdict, Exception):
            raise self.verdict
        return self.verdict


@asynccontextmanager
async def serving(asked: Asked) -> AsyncIterator[tuple[ControlPlane, Any]]:
    """A control plane that is asked, and the method to ask it by."""
    async with control_plane(authorization=Authorization(asked.resolve)) as plane, connection(plane) as channel:
        yield plane, channel.unary_unary(f"/{NAME}/Check")


def request(**headers: str) -> bytes:
    http = pb.AttributeContext.HttpRequest(headers=headers)
    context = pb.AttributeContext(request=pb.AttributeContext.Request(http=http))
    return pb.CheckRequest(attributes=context).SerializeToString()


async def check(verdict: Verdict) -> pb.CheckResponse:
    async with serving(Asked(verdict)) as (_, call):
        return pb.CheckResponse.FromString(await call(request(authorization=HEADER), timeout=SECONDS))


async def test_a_tenant_is_one_header_that_overwrites_and_nothing_else() -> None:
    response = await check(ACME)

    assert response.status.code == 0
    assert response.WhichOneof("http_response") == "ok_response"
    (header,) = response.ok_response.headers
    assert (header.header.key, header.header.value) == ("x-alphaswarm-tenant", "acme")
    assert header.append_action == header.OVERWRITE_IF_EXISTS_OR_ADD
    # As envoy/service/auth/v3/external_auth.proto has it: status (1), ok_response (3) with headers (2).
    inner = b"\x0a\x13x-alphaswarm-tenant\x12\x04acme"
    option = b"\x0a" + bytes([len(inner)]) + inner + b"\x18\x02"
    headers = b"\x12" + bytes([len(option)]) + option
    assert response.SerializeToString() == b"\x0a\x00\x1a" + bytes([len(headers)]) + headers


@pytest.mark.parametrize(
    ("verdict", "code", "status", "challenge"),
    [
        (Refused("no"), 16, 401, {"www-authenticate": 'Bearer error="invalid_token"'}),
        (Refused("no", 403), 7, 403, {}),
        (Undecided("the endpoint took too long"), 14, 503, {}),
    ],
)
async def test_a_refusal_has_its_status_and_no_tenant(
    verdict: Verdict, code: int, status: int, challenge: dict[str, str]
) -> None:
    response = await check(verdict)

    assert response.WhichOneof("http_response") == "denied_response"
    denied = response.denied_response
    assert (response.status.code, denied.status.code) == (code, status)
    assert {each.header.key: each.header.value for each in denied.headers} == challenge


async def test_why_nobody_could_say_is_not_the_clients_business() -> None:
    response = await check(Undecided("https://idp.internal is not reached"))

    assert response.denied_response.body == "the token cannot be checked now"
    assert (await check(Refused("no"))).denied_response.body == "no"


async def test_the_header_is_handed_on_as_it_is_and_a_missing_one_is_empty() -> None:
    asked = Asked()
    async with serving(asked) as (_, call):
        await call(request(authorization=HEADER), timeout=SECONDS)
        await call(request(cookie="a=b"), timeout=SECONDS)
        await call(b"", timeout=SECONDS)
    assert asked.headers == [HEADER, "", ""]


async def test_bytes_that_are_no_question_are_refused_by_grpc(grpc_complaints: pytest.LogCaptureFixture) -> None:
    asked = Asked()
    async with serving(asked) as (_, call):
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await call(b"\xff", timeout=SECONDS)
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert asked.headers == []
    assert grpc_complaints.text == ""


async def test_a_fault_of_ours_is_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(Asked(RuntimeError("ours"))) as (_, call):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await call(request(authorization=HEADER), timeout=SECONDS)
    assert failure.value.code() is grpc.StatusCode.UNKNOWN
    assert HEADER not in caplog.text


async def test_a_client_that_gives_up_ends_the_work_for_it() -> None:
    asked = Asked()
    asked.hangs = True
    async with serving(asked) as (_, call):
        with pytest.raises(grpc.aio.AioRpcError) as late:
            await call(request(authorization=HEADER), timeout=0.2)
        assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        async with asyncio.timeout(SECONDS):
            await asked.gone.wait()


async def test_without_a_callout_there_is_no_such_service(plane: ControlPlane) -> None:
    async with connection(plane) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await channel.unary_unary(f"/{NAME}/Check")(request(authorization=HEADER), timeout=SECONDS)
    assert refusal.value.code() is grpc.StatusCode.UNIMPLEMENTED
