"""The whole system with certificates on the xDS channel: real Envoys, and clients that are not to be let in."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import grpc
import pytest
import pytest_asyncio

from tests.e2e.test_proxyless import grpc_client
from tests.e2e.watching import is_answered, statusz, traffic, until
from tests.integration.server.ads import Client
from tests.integration.server.mtls import secure
from tests.support.plans import planned
from xds.demo.authority import Authority, Pair, put
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

ELSEWHERE = "cell-dedicated-ent-us"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    async with Stack(await planned(tls=True)) as running:
        yield running


def authority(stack: Stack) -> Authority:
    """Whom everybody in the system trusts."""
    assert stack.channel is not None
    return stack.channel.authority


async def since(stack: Stack) -> dict[str, str]:
    """Since when each node's stream is open."""
    return {node["node_id"]: node["connected_at"] for node in (await statusz(stack))["nodes"]}


async def until_logged(stack: Stack, event: str, **keys: str) -> dict[str, Any]:
    """The first line of the control plane's log that says this."""
    found: list[dict[str, Any]] = []

    async def is_there() -> bool:
        text = stack.control_plane.child.log.read_text()
        lines = (json.loads(line) for line in text.splitlines() if line.startswith("{"))
        found.extend(line for line in lines if line["event"] == event and keys.items() <= line.items())
        return bool(found)

    await until(is_there, f"{event} with {keys} is in the log")
    return found[0]


async def test_requests_and_moves_are_as_ever_and_tls_1_3_is_spoken(stack: Stack) -> None:
    assert await is_answered(stack, "acme", 200, stack.placements["acme"])
    await stack.move("acme", ELSEWHERE)
    await until(lambda: is_answered(stack, "acme", 200, ELSEWHERE), "the move is followed")

    for envoy in stack.envoys.values():
        spoken = await envoy.stats("cluster.alphaswarm-xds.ssl.versions")
        assert list(spoken) == ["cluster.alphaswarm-xds.ssl.versions.TLSv1.3"]


async def test_certificates_are_exchanged_under_open_streams_and_everybody_takes_them_up(stack: Stack) -> None:
    old, new = authority(stack), Authority("next CA")
    before = await since(stack)
    assert sorted(before) == ["edge-a-1", "edge-b-1"]
    async with traffic(stack, "globex") as seen:
        assert stack.channel is not None
        stack.channel.renew(new)
        code, _ = await ending(stack, new.issue("edge-c-1"), "edge-a-1", trusted=new)
        assert code is grpc.StatusCode.PERMISSION_DENIED, "the handshake was with the new certificates"
        await until_logged(stack, "certificates.reloaded")
        code, _ = await ending(stack, old.issue("edge-a-1"), "edge-a-1", trusted=new)
        assert code is grpc.StatusCode.UNAVAILABLE, "the old CA is trusted no more"

        await stack.move("globex", ELSEWHERE)
        await until(lambda: is_answered(stack, "globex", 200, ELSEWHERE), "the streams that are open go on")
        assert await since(stack) == before

        # Only an Envoy that took up its new certificate and CA comes back, and none was restarted.
        await stack.control_plane.restart()
        await until(lambda: has_both_nodes(stack), "both Envoys are back with new certificates", timeout=40)
    assert seen.failed == []


async def has_both_nodes(stack: Stack) -> bool:
    return sorted(await since(stack)) == ["edge-a-1", "edge-b-1"]


async def test_a_program_with_grpcs_own_client_is_served_over_tls_too(stack: Stack) -> None:
    parts = ("ca_certificate", "certificate", "private_key")
    files = {f"{part}_file": stack.folder / f"program-{part}" for part in parts}
    put(files["ca_certificate_file"], authority(stack).certificate)
    authority(stack).issue("program-1").write(files["certificate_file"], files["private_key_file"])
    config = {name: str(file) for name, file in files.items()}
    async with grpc_client(stack, "program-1", {"type": "tls", "config": config}) as program:
        await program.call(ELSEWHERE)

        async def is_served() -> bool:
            return "program-1" in await since(stack)

        await until(is_served, "its stream is open")


async def test_a_client_without_a_certificate_is_refused_with_a_line_that_says_so(stack: Stack) -> None:
    code, _ = await ending(stack, None, "edge-a-1")

    assert code is grpc.StatusCode.UNAVAILABLE
    await until_logged(stack, "handshake.refused", reason="PEER_DID_NOT_RETURN_A_CERTIFICATE", level="warning")


async def test_a_client_of_another_ca_is_refused_with_a_line_that_says_so(stack: Stack) -> None:
    code, _ = await ending(stack, Authority("a stranger's CA").issue("edge-a-1"), "edge-a-1")

    assert code is grpc.StatusCode.UNAVAILABLE
    await until_logged(stack, "handshake.refused", reason="CERTIFICATE_VERIFY_FAILED", level="warning")


async def test_a_client_with_another_nodes_certificate_is_refused_with_a_line_that_says_which(stack: Stack) -> None:
    code, text = await ending(stack, authority(stack).issue("edge-b-1"), "edge-a-1")

    assert code is grpc.StatusCode.PERMISSION_DENIED
    assert text == "a certificate for 'edge-b-1' may not be node 'edge-a-1' of group 'edge-a'"
    line = await until_logged(stack, "stream.refused", node_id="edge-a-1", node_group="edge-a", text=text)
    assert line["level"] == "warning"
    assert await has_both_nodes(stack), "whom it claimed to be is served as ever"


async def ending(
    stack: Stack, shown: Pair | None, node_id: str, *, trusted: Authority | None = None
) -> tuple[grpc.StatusCode, str]:
    """How the stream of a client that shows this certificate ends."""
    async with secure(stack.control_plane.server, trusted or authority(stack), shown) as channel:
        client = Client(channel, "delta", node_id=node_id)
        with suppress(grpc.aio.AioRpcError):  # there may be no connection to say it on
            await client.open(cluster=node_id.removesuffix("-1"))
        return await client.ending()
