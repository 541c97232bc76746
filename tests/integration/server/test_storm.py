"""A fleet that comes all at once, and far more of it than can be served at once."""

import asyncio
import random
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field

import grpc
from structlog.testing import capture_logs

from tests.integration.server.ads import VARIANTS, Client, connection, control_plane
from xds.server import ServerOptions

RATE, BURST, LONGEST = 40, 40, 3.0
ROOM = BURST + round(RATE * LONGEST)
"""How many that come in the same instant are served; whoever is beyond would wait for too long."""

STREAMS = 260
CONNECTIONS = 8
SLACK = 4.0
"""Seconds that a busy machine may add to any of it."""

EXISTENCE_SECONDS = 15.0
"""How long a client waits for a first answer before it goes on without."""


@dataclass(slots=True)
class Visit:
    """What became of one client: how long each refusal took to come, and then its first answer."""

    refused: list[float] = field(default_factory=list)
    answered: float = 0.0


async def visit(channel: grpc.aio.Channel, number: int) -> Visit:
    """Come, and if refused come again, as Envoy does; the stream stays open."""
    done = Visit()
    clock = asyncio.get_running_loop().time
    while True:
        began = clock()
        envoy = Client(channel, VARIANTS[number % 2], node_id=f"edge-{number}")
        with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):  # it is refused before it has spoken
            await envoy.open()
        if await envoy.read_bytes() is not grpc.aio.EOF:
            done.answered = clock() - began
            return done
        # INTERNAL is grpcio's own word for a request that it could not write, since the stream was over by then.
        assert (await envoy.ending())[0] in {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL}
        done.refused.append(clock() - began)
        await asyncio.sleep(random.uniform(0.25, 0.75))


async def test_rule_48_a_storm_is_served_in_its_order_and_whoever_is_too_late_for_that_may_come_again() -> None:
    options = ServerOptions(streams_per_second=RATE, stream_burst=BURST, admission_seconds=LONGEST)
    clock = asyncio.get_running_loop().time
    with capture_logs() as lines:
        async with control_plane(server=options) as plane, AsyncExitStack() as stack:
            channels = [await stack.enter_async_context(connection(plane)) for _ in range(CONNECTIONS)]
            for channel in channels:
                await channel.channel_ready()
            began = clock()
            async with asyncio.TaskGroup() as tasks:
                coming = [tasks.create_task(visit(channels[each % CONNECTIONS], each)) for each in range(STREAMS)]
            took = clock() - began
            assert len(plane.fleet.nodes()) == STREAMS
    visits = [task.result() for task in coming]

    # What ends early is what was refused: whatever grpcio made of it, the server said so.
    refused = [line["text"] for line in lines if line["event"] == "stream.refused"]
    assert len(refused) == sum(len(each.refused) for each in visits)
    assert set(refused) == {"more streams wait than can be served in time"}

    # Who is refused is so at once, and sooner than the last that wait are served: to wait is never worse.
    first_refusals = [each.refused[0] for each in visits if each.refused]
    assert max(first_refusals) < LONGEST
    arriving = max(first_refusals)
    assert ROOM <= STREAMS - len(first_refusals) <= ROOM + RATE * arriving

    # Nobody waits for longer than was promised, and all of them are served as fast as the bucket allows.
    assert LONGEST - 2 / RATE < max(each.answered for each in visits) < LONGEST + SLACK < EXISTENCE_SECONDS
    assert (STREAMS - BURST) / RATE < took < EXISTENCE_SECONDS

    # Streams are numbered as they come. Those of one instant are opened in the order in which their clients speak,
    # which isn't ours; nobody is overtaken by half a burst.
    opened = [line["stream_id"] for line in lines if line["event"] == "stream.opened"]
    assert max(abs(at - place) for at, place in enumerate(map(sorted(opened).index, opened))) < BURST / 2
