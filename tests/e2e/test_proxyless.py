"""A program calls a cell by `xds:///…`, with gRPC's own xDS client, which nobody here wrote, and no Envoy.

The client reads its bootstrap when its process first makes a channel, so it has a process of its own, this module,
which answers one line with another.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.e2e.watching import execute, statusz, until
from tests.support.plans import planned
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[2]
CELL, OVER_HTTP1 = "cell-shared-std-local", "cell-shared-std-eu"
NODE_GROUP = "alphaswarm-grpc"
PLAIN_TEXT = {"type": "insecure"}
QUICK = 2.0
"""Seconds. A client that is told nothing waits for 15."""


# The client's process


def answer_calls() -> None:
    """For each target on a line of standard input, call it and print what came of it; a channel a target is kept."""
    stubs: dict[str, Any] = {}
    for line in sys.stdin:
        request = json.loads(line)
        target = request["target"]
        if target not in stubs:
            stubs[target] = health_pb2_grpc.HealthStub(grpc.insecure_channel(target))
        began = monotonic()
        outcome = _call(stubs[target], request["timeout"])
        print(json.dumps({**outcome, "seconds": monotonic() - began}), flush=True)  # noqa: T201 -- its answer


def _call(stub: Any, timeout: float) -> dict[str, str]:
    try:
        _, call = stub.Check.with_call(health_pb2.HealthCheckRequest(), timeout=timeout)
    except grpc.RpcError as error:
        failed: Any = error  # a call too, which grpc's types would not say
        return {"code": failed.code().name, "details": failed.details() or "", "backend": ""}
    return {"code": "OK", "details": "", "backend": dict(call.trailing_metadata())["backend"]}


# The test's side of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a call: its code, and who answered it or why nobody did."""

    code: str
    details: str
    backend: str
    seconds: float


@dataclass(slots=True)
class Client:
    """A running client, and what its calls came to."""

    process: asyncio.subprocess.Process
    codes: Counter[str] = field(default_factory=Counter)

    async def call(self, cell: str, *, timeout: float = 5) -> Outcome:
        """Call a cell's API."""
        assert self.process.stdin
        assert self.process.stdout
        request = {"target": f"xds:///{cell}-api", "timeout": timeout}
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        async with asyncio.timeout(timeout + 20):
            outcome = Outcome(**json.loads(await self.process.stdout.readline()))
        self.codes[outcome.code] += 1
        return outcome

    async def is_answered(self, cell: str, backend: str) -> bool:
        """Whether that backend answers."""
        return (await self.call(cell)).backend == backend

    async def is_refused(self, cell: str) -> bool:
        """Whether the call fails, and at once."""
        outcome = await self.call(cell)
        return outcome.code == "UNAVAILABLE" and outcome.seconds < QUICK


@asynccontextmanager
async def grpc_client(
    stack: Stack, node_id: str, credentials: Mapping[str, object] = PLAIN_TEXT
) -> AsyncIterator[Client]:
    bootstrap = stack.folder / f"{node_id}.json"
    server = {
        "server_uri": stack.control_plane.server,
        "channel_creds": [credentials],
        "server_features": ["xds_v3"],
    }
    bootstrap.write_text(json.dumps({"xds_servers": [server], "node": {"id": node_id, "cluster": NODE_GROUP}}))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "ignore", "-c", "from tests.e2e.test_proxyless import answer_calls; answer_calls()"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "GRPC_XDS_BOOTSTRAP": str(bootstrap), "GRPC_VERBOSITY": "NONE"},
        cwd=ROOT,
    )
    try:
        yield Client(process)
    finally:
        assert process.stdin
        process.stdin.close()
        await process.wait()


class Backend(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # grpc has no types
    """A cell's API: gRPC's health service, which says who it is."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def Check(self, _request: Any, context: Any) -> Any:  # noqa: N802 -- the method's name
        context.set_trailing_metadata((("backend", self._name),))
        return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def backends() -> AsyncIterator[Mapping[str, int]]:
    """Two of them: their ports by name."""
    servers = {name: grpc.aio.server() for name in ("first", "second")}
    ports: dict[str, int] = {}
    for name, server in servers.items():
        health_pb2_grpc.add_HealthServicer_to_server(Backend(name), server)
        ports[name] = server.add_insecure_port("127.0.0.1:0")
        await server.start()
    yield ports
    for server in servers.values():
        await server.stop(grace=None)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    async with Stack(await planned(cells=(CELL, OVER_HTTP1), tenants=2, edges=())) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def client(stack: Stack, backends: Mapping[str, int]) -> AsyncIterator[Client]:
    """A client that calls the cell, which is in service, and whose first backend answers."""
    await execute(stack, f"UPDATE cells SET state = 'active', protocol = 'http2' WHERE id = '{CELL}'")
    await place(stack, CELL, backends["first"])
    async with grpc_client(stack, "service-1") as running:
        await until(lambda: running.is_answered(CELL, "first"), "the cell is called")
        running.codes.clear()
        yield running
    # Whatever a test did to it: the client took every response that it was sent.
    await until(lambda: has_left(stack, "service-1"), "the client is gone")
    assert "session.nacked" not in stack.control_plane.child.log.read_text()


async def place(stack: Stack, cell: str, *ports: int, weights: tuple[int, ...] = (1, 1), at: str = "127.0.0.1") -> None:
    """Give a cell these endpoints and no other, in one transaction."""
    await execute(
        stack,
        f"DELETE FROM endpoints WHERE cell_id = '{cell}'",
        *(
            f"INSERT INTO endpoints (cell_id, address, port, weight) VALUES ('{cell}', '{at}', {port}, {weight})"
            for port, weight in zip(ports, weights, strict=False)
        ),
    )


async def node(stack: Stack, node_id: str) -> Mapping[str, Any] | None:
    nodes: list[Mapping[str, Any]] = (await statusz(stack))["nodes"]
    return next((each for each in nodes if each["node_id"] == node_id), None)


async def has_left(stack: Stack, node_id: str) -> bool:
    return await node(stack, node_id) is None


async def test_the_client_is_a_node_of_its_own_group(stack: Stack, client: Client) -> None:
    found = await node(stack, "service-1")

    assert found is not None
    assert (found["group"], found["variant"]) == (NODE_GROUP, "sotw")
    assert [(each["type"], each["subscribed"], each["nacked"]) for each in found["types"]] == [
        ("cds", 1, 0),
        ("eds", 1, 0),
        ("lds", 1, 0),
    ]


async def test_an_endpoint_is_exchanged_and_no_call_fails(
    stack: Stack, backends: Mapping[str, int], client: Client
) -> None:
    for name in ("second", "first"):
        await place(stack, CELL, backends[name])
        await until(lambda name=name: client.is_answered(CELL, name), f"the {name} is called")  # type: ignore[misc]
    assert client.codes.keys() == {"OK"}


async def test_a_host_name_is_followed_too(stack: Stack, backends: Mapping[str, int], client: Client) -> None:
    await place(stack, CELL, backends["second"], at="localhost")
    await until(lambda: client.is_answered(CELL, "second"), "the name is resolved")
    await place(stack, CELL, backends["first"])
    await until(lambda: client.is_answered(CELL, "first"), "the address is back")
    assert client.codes.keys() == {"OK"}


async def test_endpoints_are_called_by_their_weights(stack: Stack, backends: Mapping[str, int], client: Client) -> None:
    await place(stack, CELL, backends["first"], backends["second"], weights=(1, 1000))
    await until(lambda: client.is_answered(CELL, "second"), "the heavy one is called")
    answered = Counter([(await client.call(CELL)).backend for _ in range(200)])
    # Evenly shared it would be 100 each; of a share of 0.1 %, 20 and more have a chance of 1e-32.
    assert answered["second"] > 180
    assert client.codes.keys() == {"OK"}


async def test_a_cell_that_leaves_service_is_refused_at_once_and_called_again_on_its_return(
    stack: Stack, client: Client
) -> None:
    for state in ("draining", "retired", "cordoned", "provisioning", "active"):
        await execute(stack, f"UPDATE cells SET state = '{state}' WHERE id = '{CELL}'")
        if state in ("retired", "provisioning"):
            await until(lambda: client.is_refused(CELL), f"a {state} cell is not called")
            async with grpc_client(stack, "service-2") as newcomer:
                assert await newcomer.is_refused(CELL)
        else:
            await until(lambda: client.is_answered(CELL, "first"), f"a cell that is {state} is called")
    assert client.codes.keys() == {"OK", "UNAVAILABLE"}


async def test_a_cell_that_speaks_http1_or_has_no_endpoints_is_refused_at_once(stack: Stack, client: Client) -> None:
    assert await client.is_refused(OVER_HTTP1)
    await place(stack, CELL)

    async def is_held() -> bool:
        return f"guard: no endpoint would be left of {CELL}-api" in (await statusz(stack))["snapshot"]["held"]

    await until(is_held, "the guard holds it")
    assert await client.is_answered(CELL, "first")
    await stack.control_plane.run("snapshot", "publish", "--yes")
    await until(lambda: client.is_refused(CELL), "there is nobody to call")


async def test_the_server_restarts_and_nobody_notices(
    stack: Stack, backends: Mapping[str, int], client: Client
) -> None:
    await stack.control_plane.stop()
    assert await client.is_answered(CELL, "first")
    await place(stack, CELL, backends["second"])
    stack.control_plane.begin()
    await stack.control_plane.ready()
    await until(lambda: client.is_answered(CELL, "second"), "what was missed is caught up with")
    assert client.codes.keys() == {"OK"}


async def test_an_unknown_cell_is_unavailable_until_it_is_there(
    stack: Stack, backends: Mapping[str, int], client: Client
) -> None:
    # The client's own rule (gRFC A57): what it asks for and is not sent exists until 15 s have passed. What it was
    # once sent and then is not, is gone at once.
    outcome = await client.call("cell-new", timeout=30)
    assert outcome.code == "UNAVAILABLE"
    assert "does not exist" in outcome.details
    assert outcome.seconds < 20
    assert await client.is_refused("cell-new")
    await execute(stack, "INSERT INTO cells (id, state, protocol) VALUES ('cell-new', 'active', 'http2')")
    await place(stack, "cell-new", backends["first"])
    await until(lambda: client.is_answered("cell-new", "first"), "the new cell is called")
    await execute(stack, "DELETE FROM cells WHERE id = 'cell-new'")
    await until(lambda: client.is_refused("cell-new"), "the cell is gone")
    assert "does not exist" in (await client.call("cell-new")).details
