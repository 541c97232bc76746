"""Which certificate may be which node, and who may ask after the others: over real connections."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from structlog.testing import capture_logs

from tests.integration.server.ads import SECONDS, VARIANTS, Client, ControlPlane, Variant
from tests.integration.server.mtls import Disk, disk, protected, secure, served
from tests.integration.server.test_fetch import FETCHED
from tests.support.edge import GROUP
from xds.identities import Access, NodeRule
from xds.names import TypeUrl
from xds.proto import discovery_pb2 as pb
from xds.server.clientstatus import NAME as CSDS

Lines = Sequence[Mapping[str, Any]]

FORBIDDEN = grpc.StatusCode.PERMISSION_DENIED
EDGE = "spiffe://alphaswarm/edge/1"
OPERATOR = "spiffe://alphaswarm/operator/ada"
ACCESS = Access(
    nodes=(NodeRule.parse(f"spiffe://alphaswarm/edge/*=edge-*@{GROUP}"), NodeRule.parse("*.internal=*@nowhere")),
    operators=("spiffe://alphaswarm/operator/*",),
)


@pytest.fixture
def files(tmp_path: Path) -> Disk:
    return disk(tmp_path)


@pytest.fixture
async def ruled(files: Disk) -> AsyncIterator[ControlPlane]:
    async with protected(files, ACCESS) as plane:
        yield plane


@pytest.fixture
def lines() -> Iterator[Lines]:
    with capture_logs() as captured:
        yield captured


def refusal_of(lines: Lines, event: str) -> Mapping[str, Any]:
    (line,) = [line for line in lines if line["event"] == event]
    return line


Ask = Callable[[grpc.aio.Channel], Awaitable[grpc.StatusCode]]


# Nodes


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("node_id", "group"), [("core-1", GROUP), ("edge-1", "nowhere"), ("edge-1", "unheard-of")])
async def test_a_node_that_its_certificate_may_not_be_is_refused_with_a_line_that_says_which(
    files: Disk, ruled: ControlPlane, lines: Lines, variant: Variant, node_id: str, group: str
) -> None:
    async with secure(ruled.address, files.authority, files.authority.issue(EDGE, "edge-1.lan")) as channel:
        envoy = Client(channel, variant, node_id=node_id)
        await envoy.open(cluster=group)
        code, text = await envoy.ending()
    assert code is FORBIDDEN
    assert text == f"a certificate for '{EDGE}', 'edge-1.lan' may not be node '{node_id}' of group '{group}'"
    line = refusal_of(lines, "stream.refused")
    assert (line["log_level"], line["text"]) == ("warning", text)
    assert (line["node_id"], line["node_group"]) == (node_id, group)
    assert line["peer"].startswith("ipv4:127.0.0.1:")
    assert ruled.metric("streams_ended_total", reason="refused") == 1


async def test_a_node_that_its_certificate_may_be_is_served(files: Disk, ruled: ControlPlane) -> None:
    async with secure(ruled.address, files.authority, files.authority.issue("x.lan", EDGE)) as channel:
        await served(channel, "edge-1")
        await served(channel, "edge-77")


async def test_a_certificate_that_names_nothing_that_counts_is_no_nodes(files: Disk) -> None:
    async with (
        protected(files) as plane,
        secure(plane.address, files.authority, files.authority.issue("10.0.0.1")) as channel,
    ):
        envoy = Client(channel, "delta", node_id="10.0.0.1")
        await envoy.open()
        assert (await envoy.ending())[0] is FORBIDDEN


@pytest.mark.parametrize(("node_id", "code"), [("edge-1", grpc.StatusCode.OK), ("core-1", FORBIDDEN)])
async def test_a_fetch_is_asked_the_same(
    files: Disk, ruled: ControlPlane, lines: Lines, node_id: str, code: grpc.StatusCode
) -> None:
    request = pb.DiscoveryRequest(node=pb.Node(id=node_id, cluster=GROUP)).SerializeToString()
    async with secure(ruled.address, files.authority, files.authority.issue(EDGE)) as channel:
        call: Any = channel.unary_unary(FETCHED[TypeUrl.CLUSTER])(request, timeout=SECONDS)
        assert await call.code() is code
    if code is FORBIDDEN:
        line = refusal_of(lines, "fetch.refused")
        assert line["log_level"] == "warning"
        assert f"'{EDGE}' may not be node 'core-1'" in line["text"]


# Operators


async def fetch_status(channel: grpc.aio.Channel) -> grpc.StatusCode:
    call: Any = channel.unary_unary(f"/{CSDS}/FetchClientStatus")(b"", timeout=SECONDS)
    return await call.code()


async def stream_status(channel: grpc.aio.Channel) -> grpc.StatusCode:
    call: Any = channel.stream_stream(f"/{CSDS}/StreamClientStatus")(iter([b""]), timeout=SECONDS)
    return await end_of(call)


async def reflect(channel: grpc.aio.Channel) -> grpc.StatusCode:
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    return await end_of(stub.ServerReflectionInfo(iter([request]), timeout=SECONDS))


async def end_of(call: Any) -> grpc.StatusCode:
    with suppress(grpc.aio.AioRpcError):
        assert [answer async for answer in call] != []
    return await call.code()


@pytest.mark.parametrize("ask", [fetch_status, stream_status, reflect])
@pytest.mark.parametrize(("san", "code"), [(OPERATOR, grpc.StatusCode.OK), (EDGE, FORBIDDEN)])
async def test_only_operators_may_ask_after_others(
    files: Disk,
    ruled: ControlPlane,
    lines: Lines,
    grpc_complaints: pytest.LogCaptureFixture,
    ask: Ask,
    san: str,
    code: grpc.StatusCode,
) -> None:
    async with secure(ruled.address, files.authority, files.authority.issue(san)) as channel:
        assert await ask(channel) is code
    refused = [line for line in lines if line["event"] == "call.refused"]
    assert [line["text"] for line in refused] == (
        [] if san == OPERATOR else [f"a certificate for '{EDGE}' is no operator's"]
    )
    assert grpc_complaints.records == []


async def test_an_operator_is_no_node(files: Disk, ruled: ControlPlane) -> None:
    async with secure(ruled.address, files.authority, files.authority.issue(OPERATOR)) as channel:
        envoy = Client(channel, "delta")
        await envoy.open()
        assert (await envoy.ending())[0] is FORBIDDEN


async def test_a_method_that_is_not_there_is_still_not_there(files: Disk, ruled: ControlPlane) -> None:
    async with secure(ruled.address, files.authority, files.authority.issue(EDGE)) as channel:
        call: Any = channel.unary_unary("/no.Such/Method")(b"", timeout=SECONDS)
        assert await call.code() is grpc.StatusCode.UNIMPLEMENTED
