"""`fleet --server`, against a running server: the program in a process of its own, and a client that rejects."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from tests.integration.cli.conftest import Ran, run_program
from tests.integration.server.ads import Client
from tests.support.controlled import Controlled, plain_channel
from tests.support.postgres import PostgresServer, name_of, opened, shut


async def fleet(plane: Controlled, *arguments: str, token: str | None = None) -> Ran:
    shown = {"XDS_OPERATOR_TOKEN": plane.token if token is None else token}
    command = ["fleet", *arguments, "--server", plane.http]
    return await asyncio.to_thread(lambda: run_program(command, "postgresql://nowhere/", **shown))


@asynccontextmanager
async def envoy(plane: Controlled, node_id: str, *, rejects: str = "") -> AsyncIterator[None]:
    """A client that has answered its clusters, and of which the database knows."""
    async with plain_channel(plane.xds) as channel:
        stream = Client(channel, "delta", node_id=node_id)
        await stream.open(cluster="alphaswarm-edge")
        response: Any = await stream.read()
        await (stream.nack(response, rejects) if rejects else stream.ack(response))
        await known(plane, lambda node: node["id"] == node_id and (node["error"] or node["settled"]))
        yield
        stream.cancel()


async def known(plane: Controlled, is_so: Callable[[dict[str, Any]], object]) -> None:
    """Wait until there is a node that is so."""
    async with asyncio.timeout(10):
        while not any(map(is_so, (await plane.get("/manage/fleet/nodes"))["data"])):  # noqa: ASYNC110 -- it tells nobody
            await asyncio.sleep(0.1)


async def test_status_tells_of_every_envoy(operated: Controlled) -> None:
    async with envoy(operated, "edge-1"), envoy(operated, "edge-2", rejects="bad cluster"):
        told = await fleet(operated, "status")
        assert told.status == 0
        lines = told.out.splitlines()
        assert lines[0] == "snapshot 1, publishing auto; ready"
        assert lines[2].split() == ["here", "0", "1", "publishes"]
        first, second = lines[5:]
        assert first.split()[:2] == ["edge-1", "alphaswarm-edge"]
        assert (first.split()[-1], second.split()[-4:]) == ("ok", ["rejects", "cds:", "bad", "cluster"])
        assert (await fleet(operated, "status", "--check")).status == 3
        document = json.loads((await fleet(operated, "status", "--json", "--group", "alphaswarm-edge")).out)
        assert [node["id"] for node in document["data"]] == ["edge-1", "edge-2"]
        assert (document["nodes"], document["rejecting"], document["behind"]) == (2, 1, 1)
        assert document["complete"] is True
        assert json.loads((await fleet(operated, "status", "--json", "--group", "other")).out)["data"] == []


async def test_node_tells_of_one_with_its_own_words(operated: Controlled) -> None:
    async with envoy(operated, "rack 7/edge?", rejects="bad cluster"):
        told = await fleet(operated, "node", "rack 7/edge?")
        assert told.status == 0
        assert "cds" in told.out
        assert "bad cluster" in told.out
        (node,) = json.loads((await fleet(operated, "node", "rack 7/edge?", "--json")).out)["data"]
        assert (node["types"][0]["error"], node["replica"]) == ("bad cluster", "here")
    missing = await fleet(operated, "node", "edge-9")
    assert (missing.status, missing.out) == (1, "")
    assert missing.err == f"alphaswarm-xds: {operated.http}: node edge-9: no replica knows it\n"


async def test_while_the_database_is_down_a_server_tells_of_its_own_and_says_so(
    operated: Controlled, postgres: PostgresServer, database_url: str
) -> None:
    connection = await asyncpg.connect(database_url)
    database = await name_of(connection)
    await connection.close()
    async with envoy(operated, "edge-1"):
        shut(postgres, database)
        told = await fleet(operated, "status")
        assert told.err == "the database can't be asked: this is what one replica knows\n"
        assert told.out.splitlines()[5].split()[:2] == ["edge-1", "alphaswarm-edge"]
        alone = await fleet(operated, "node", "edge-1", "--json")
        assert json.loads(alone.out)["complete"] is False
        missing = await fleet(operated, "node", "edge-9")
        assert missing.err == f"alphaswarm-xds: {operated.http}: node edge-9: is not connected here\n"
        opened(postgres, database)


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
