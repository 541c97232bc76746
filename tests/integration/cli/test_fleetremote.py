"""`fleet --server`, against a running server: the program in a process of its own, and a client that rejects."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.integration.cli.conftest import Ran, run_program
from tests.integration.server.ads import Client
from tests.support.controlled import Controlled, plain_channel


async def fleet(plane: Controlled, *arguments: str, token: str | None = None) -> Ran:
    shown = {"XDS_OPERATOR_TOKEN": plane.token if token is None else token}
    command = ["fleet", *arguments, "--server", plane.http]
    return await asyncio.to_thread(lambda: run_program(command, "postgresql://nowhere/", **shown))


@asynccontextmanager
async def envoy(plane: Controlled, node_id: str, *, rejects: str = "") -> AsyncIterator[None]:
    """A client that has answered its clusters."""
    async with plain_channel(plane.xds) as channel:
        stream = Client(channel, "delta", node_id=node_id)
        await stream.open(cluster="alphaswarm-edge")
        response: Any = await stream.read()
        await (stream.nack(response, rejects) if rejects else stream.ack(response))
        await plane.until(
            lambda: any(n.node_id == node_id and n.types[0].acked + n.types[0].nacked for n in plane.fleet.nodes())
        )
        yield
        stream.cancel()


async def test_status_tells_of_every_envoy(operated: Controlled) -> None:
    assert (await fleet(operated, "status", "--check")).out.splitlines() == [
        "snapshot 1, publishing auto; ready",
        "0 Envoys connected, 0 of them reject something",
    ]
    async with envoy(operated, "edge-1"), envoy(operated, "edge-2", rejects="bad cluster"):
        told = await fleet(operated, "status")
        assert told.status == 0
        assert told.out.splitlines()[1] == "2 Envoys connected, 1 of them reject something"
        first, second = told.out.splitlines()[3:]
        assert first.split()[:3] == ["edge-1", "alphaswarm-edge", "delta"]
        assert (first.split()[-1], second.split()[-2:]) == ("ok", ["rejects", "cds"])
        assert (await fleet(operated, "status", "--check")).status == 3
        document = json.loads((await fleet(operated, "status", "--json", "--group", "alphaswarm-edge")).out)
        assert [node["id"] for node in document["data"]] == ["edge-1", "edge-2"]
        assert (document["nodes"], document["rejecting"]) == (2, 1)
        assert json.loads((await fleet(operated, "status", "--json", "--group", "other")).out)["data"] == []


async def test_node_tells_of_one_with_its_own_words(operated: Controlled) -> None:
    async with envoy(operated, "rack 7/edge?", rejects="bad cluster"):
        told = await fleet(operated, "node", "rack 7/edge?")
        assert told.status == 0
        assert "cds" in told.out
        assert "bad cluster" in told.out
        (stream,) = json.loads((await fleet(operated, "node", "rack 7/edge?", "--json")).out)["data"]
        assert stream["types"][0]["error"] == "bad cluster"
    missing = await fleet(operated, "node", "edge-9")
    assert (missing.status, missing.out) == (1, "")
    assert missing.err == f"alphaswarm-xds: {operated.http}: node edge-9: is not connected to this replica\n"


async def test_without_a_token_that_is_good_it_says_what_the_server_says(operated: Controlled) -> None:
    refused = await fleet(operated, "status", token="")
    assert (refused.status, refused.out) == (1, "")
    assert "an operator's token is required" in refused.err
    assert (await fleet(operated, "status", token="abc")).err.endswith("the token is not a signed JWT\n")


@pytest.mark.parametrize(
    ("server", "status", "words"),
    [
        ("http://127.0.0.1:1", 1, "cannot be asked: [Errno 111] Connection refused"),
        ("127.0.0.1:8080", 2, "expected a URL like http://127.0.0.1:8080, got '127.0.0.1:8080'"),
        ("file:///etc/passwd", 2, "expected a URL like"),
    ],
)
def test_a_server_that_can_not_be_asked_is_one_line(server: str, status: int, words: str) -> None:
    ran = run_program(["fleet", "status", "--json", "--server", server], "postgresql://nowhere/")
    assert (ran.status, ran.out) == (status, "")
    assert words in ran.err
    assert "Traceback" not in ran.err
