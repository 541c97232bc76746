"""Who is an operator by gRPC: by certificate, by token, by being on this machine; and nobody else."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from tests.integration.server.mtls import Disk, disk, secure
from tests.support.controlled import IDP, OPERATOR, READER, Controlled, controlled
from xds.identities import Access
from xds.operations.operators import Role
from xds.proto.typed.alphaswarm.xds.control.v1 import DecideRequest, Decision
from xds.server import Certificates, Operators, Tls
from xds.server.clientstatus import NAME as CSDS
from xds.server.control import NAME
from xds.server.status import Ending
from xds.settingvalues import HttpAuth
from xds.tokens import TrustedIssuer, Verifier

ADA = "spiffe://alphaswarm/operator/ada"
EDGE = "spiffe://alphaswarm/edge/1"
DENIED, UNKNOWN = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED


@pytest.fixture
def files(tmp_path: Path) -> Disk:
    return disk(tmp_path)


@pytest.fixture
async def plane(database_url: str, tmp_path: Path, files: Disk) -> AsyncIterator[Controlled]:
    tls = Tls(Certificates(files.files), Access(operators=("spiffe://alphaswarm/operator/*",)))
    async with controlled(database_url, tmp_path, tls=tls) as made:
        yield made


async def freeze(plane: Controlled, files: Disk, san: str, token: str = "", method: str = "Freeze") -> str:
    """Who froze, or the code of the refusal."""
    metadata = (("authorization", f"Bearer {token}"),) if token else ()
    async with secure(plane.xds, files.authority, files.authority.issue("edge.lan", san)) as channel:
        call: Any = channel.unary_unary(f"/{NAME}/{method}")
        try:
            answer = await call(bytes(DecideRequest(etag="*")), metadata=metadata, timeout=10)
        except grpc.aio.AioRpcError as refused:
            return str(refused.code().name)
        policy = Decision.parse(answer).policy
        return policy.by if policy else "?"


async def test_a_certificate_or_a_token_will_do_and_neither_will_not(plane: Controlled, files: Disk) -> None:
    with capture_logs() as logs:
        assert await freeze(plane, files, EDGE) == "PERMISSION_DENIED"
    assert [line["text"] for line in logs if line["event"] == "call.refused"] == [
        f"a certificate for '{EDGE}', 'edge.lan' is no operator's"
    ]
    assert await freeze(plane, files, EDGE, READER) == "PERMISSION_DENIED"
    assert await freeze(plane, files, EDGE, "abc") == "UNAUTHENTICATED"
    assert plane.publisher.status.mode == "auto"
    assert await freeze(plane, files, ADA) == ADA
    assert await freeze(plane, files, EDGE, OPERATOR, "Resume") == "olga"


async def test_a_reader_may_use_reflection_and_client_status_too(plane: Controlled, files: Disk) -> None:
    async with secure(plane.xds, files.authority, files.authority.issue(EDGE)) as channel:
        call: Any = channel.unary_unary(f"/{CSDS}/FetchClientStatus")
        await call(b"", metadata=(("authorization", f"Bearer {READER}"),), timeout=10)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await call(b"", metadata=(("authorization", f"Bearer {IDP.mint('acme')}"),), timeout=10)
        assert refused.value.code() is DENIED


@dataclass
class Call:
    """What gRPC tells of a call, as far as it is asked here."""

    where: str = "ipv4:127.0.0.1:4711"
    metadata: tuple[tuple[str, str], ...] = ()
    proven: dict[str, list[bytes]] = field(default_factory=dict)

    def peer(self) -> str:
        return self.where

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return self.metadata

    def auth_context(self) -> dict[str, list[bytes]]:
        return self.proven


VERIFIER = Verifier([TrustedIssuer(issuer=IDP.issuer, audiences=(IDP.audience,), jwks=IDP.jwks())])


def plain(mode: HttpAuth = HttpAuth.LOOPBACK) -> Operators:
    return Operators(access=None, mode=mode, verifier=VERIFIER)


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("ipv4:127.0.0.1:4711", "from 127.0.0.1"),
        ("ipv4:127.9.9.9:1", "from 127.9.9.9"),
        ("ipv6:%5B::1%5D:4711", "from ::1"),
        ("ipv6:[::ffff:127.0.0.1]:1", "from ::ffff:127.0.0.1"),
        ("unix:", "from this machine"),
    ],
)
def test_in_plain_text_this_machine_needs_no_token(where: str, name: str) -> None:
    assert plain().admit(Call(where), Role.OPERATE) == name


@pytest.mark.parametrize("mode", HttpAuth)
@pytest.mark.parametrize(
    "where",
    [
        "ipv4:10.0.0.1:4711",
        "ipv4:128.0.0.1:1",
        "ipv6:%5Bfd00::2%5D:1",
        "ipv6:[fe80::1%25eth0]:1",
        "",
        "x:y",
        "vsock:1:2",
    ],
)
def test_in_plain_text_another_machine_is_refused_whatever_it_shows(where: str, mode: HttpAuth) -> None:
    refused = plain(mode).admit(Call(where, (("authorization", f"Bearer {OPERATOR}"),)), Role.READ)
    assert isinstance(refused, Ending)
    assert refused.code is DENIED


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "via"])
def test_what_a_proxy_on_this_machine_hands_on_is_not_this_machines(header: str) -> None:
    refused = plain().admit(Call(metadata=((header, "10.0.0.1"),)), Role.READ)
    assert isinstance(refused, Ending)


@pytest.mark.parametrize(
    "values", [["Basic abc"], ["Bearer "], [f"Bearer {OPERATOR}", f"Bearer {OPERATOR}"], ["Bearer abc"]]
)
def test_a_token_that_is_shown_must_hold_wherever_it_is_shown(values: list[str]) -> None:
    refused = plain().admit(Call(metadata=tuple(("authorization", value) for value in values)), Role.READ)
    assert isinstance(refused, Ending)
    assert refused.code is UNKNOWN


def test_mode_token_asks_this_machine_too() -> None:
    refused = plain(HttpAuth.TOKEN).admit(Call(), Role.READ)
    assert isinstance(refused, Ending)
    assert refused.code is UNKNOWN
    shown = Call(metadata=(("authorization", f"Bearer {READER}"),))
    assert plain(HttpAuth.TOKEN).admit(shown, Role.READ) == "rita"
    refused = plain(HttpAuth.TOKEN).admit(shown, Role.OPERATE)
    assert isinstance(refused, Ending)
    assert refused.code is DENIED
