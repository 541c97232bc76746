"""The control plane freezes, or the network between it and its Envoys loses everything without a word.

Nobody is told that the stream is dead: Envoy finds out by its keepalive. The bootstrap's is 30 s and 10 s, which is
shortened here; not below the 5 s more often than which the server suffers no pings.
"""

import json
import signal
from collections import Counter
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any, cast

import pytest
import pytest_asyncio

from tests.e2e.blackhole import BlackHole, black_hole
from tests.e2e.conftest import Variant
from tests.e2e.load import load
from tests.e2e.watching import execute, is_answered, say, statusz, until
from xds.demo.envoy import EnvoyProcess
from xds.demo.plan import Plan
from xds.demo.stack import Stack
from xds.names import TypeUrl

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEEPALIVE = {"interval": "6s", "timeout": "1s"}
PATIENCE = 40.0
"""Seconds. Envoy pings after 6 s to 6.9 s, waits 1 s, and makes the next attempt up to 5 s later."""

HOME, OTHER = "cell-shared-std-local", "cell-shared-std-eu"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["delta", "sotw"])
async def stack(request: pytest.FixtureRequest) -> AsyncIterator[Stack]:
    plan = Plan(
        cells=(HOME, OTHER), tenants=6, variant=cast(Variant, request.param), environment={"LOG_LEVEL": "debug"}
    )
    async with Stack(plan) as running:
        yield running


async def test_a_frozen_control_plane_fails_no_request_and_is_followed_once_it_goes_on(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    await rewire(stack, stack.ports.xds)
    await until(lambda: is_answered(stack, "acme", 200, HOME), "the Envoys serve")
    async with load(list(stack.ports.edges.values()), {"acme": stack.idp.mint("acme")}) as seen:
        mark = len(log(stack))
        stack.control_plane.child.send(signal.SIGSTOP)
        began = monotonic()
        try:
            await execute(stack, *changes("frozen", OTHER))
            await until(lambda: have_noticed(stack), "the Envoys notice", timeout=PATIENCE)
            noticed = monotonic()
            assert await is_answered(stack, "acme", 200, HOME)
        finally:
            stack.control_plane.child.send(signal.SIGCONT)
        await until(lambda: is_answered(stack, "frozen", 200, OTHER), "what was missed is caught up", timeout=PATIENCE)
        assert await is_answered(stack, "acme", 200, OTHER)
        say(capsys, f"frozen: noticed after {noticed - began:.1f} s, followed {monotonic() - noticed:.1f} s later")
        await until(lambda: has_streams(stack, 2), "no dead stream is left", timeout=PATIENCE)
    assert seen.failed == []
    assert_only_what_differs_was_sent(stack, mark)
    await execute(stack, *changes_undone("frozen"))


async def test_a_network_that_swallows_everything_fails_no_request_and_only_what_differs_is_sent_again(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    async with black_hole(stack.ports.xds) as hole:
        await rewire(stack, hole.port)
        await until(lambda: is_answered(stack, "acme", 200, HOME), "the Envoys serve")
        async with load(list(stack.ports.edges.values()), {"acme": stack.idp.mint("acme")}) as seen:
            made, began = hole.made, monotonic()
            hole.swallow()
            await execute(stack, *changes("unheard", OTHER))
            await until(lambda: have_noticed(stack), "the Envoys notice", timeout=PATIENCE)
            noticed = monotonic()
            await until(lambda: has_made(hole, made + 2), "they try again, in vain", timeout=PATIENCE)
            assert await is_answered(stack, "acme", 200, HOME)
            mark = len(log(stack))
            healed = monotonic()
            hole.heal()
            await until(lambda: is_answered(stack, "unheard", 200, OTHER), "the change arrives", timeout=PATIENCE)
            assert await is_answered(stack, "acme", 200, OTHER)
            followed = monotonic() - healed
            say(capsys, f"swallowed: noticed after {noticed - began:.1f} s, followed {followed:.1f} s after it healed")
        assert seen.failed == []
        assert_only_what_differs_was_sent(stack, mark)
        await execute(stack, *changes_undone("unheard"))


def changes(newcomer: str, cell: str) -> tuple[str, str]:
    """A tenant moves there, and another comes: two scopes."""
    return (
        f"UPDATE tenants SET cell_id = '{cell}' WHERE id = 'acme'",
        f"INSERT INTO tenants (id, cell_id) VALUES ('{newcomer}', '{cell}')",
    )


def changes_undone(newcomer: str) -> tuple[str, str]:
    return (
        f"UPDATE tenants SET cell_id = '{HOME}' WHERE id = 'acme'",
        f"DELETE FROM tenants WHERE id = '{newcomer}'",
    )


async def rewire(stack: Stack, port: int) -> None:
    """Restart the Envoys so that they find their control plane at that port, and miss it sooner."""
    for envoy in stack.envoys.values():
        edit(envoy, port)
        await envoy.restart()
    await until(lambda: has_streams(stack, 2), "only the restarted Envoys are there", timeout=PATIENCE)


def edit(envoy: EnvoyProcess, port: int) -> None:
    bootstrap: Any = json.loads(envoy._file.read_text())
    (cluster,) = bootstrap["static_resources"]["clusters"]
    (options,) = cluster["typed_extension_protocol_options"].values()
    options["explicit_http_config"]["http2_protocol_options"]["connection_keepalive"] = KEEPALIVE
    (locality,) = cluster["load_assignment"]["endpoints"]
    locality["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["port_value"] = port
    envoy._file.write_text(json.dumps(bootstrap))


async def have_noticed(stack: Stack) -> bool:
    """Whether every Envoy has given up a connection because a ping was not answered."""
    name = "cluster.alphaswarm-xds.http2.keepalive_timeout"
    return all([(await envoy.stats(name)).get(name, 0) > 0 for envoy in stack.envoys.values()])


async def has_streams(stack: Stack, count: int) -> bool:
    return len((await statusz(stack))["nodes"]) == count


async def has_made(hole: BlackHole, count: int) -> bool:
    return hole.made >= count


def log(stack: Stack) -> list[str]:
    return stack.control_plane.child.log.read_text().splitlines()


def assert_only_what_differs_was_sent(stack: Stack, mark: int) -> None:
    """On the streams opened since that line of the log: the two scopes in delta; in state of the world no cluster and
    no listener, whose sets the Envoy holds already.
    """
    events = [json.loads(line) for line in log(stack)[mark:] if line.startswith("{")]
    sent: dict[int, Counter[str]] = {
        each["stream_id"]: Counter() for each in events if each["event"] == "stream.opened"
    }
    for each in events:
        if each["event"] == "session.responded" and each["stream_id"] in sent:
            sent[each["stream_id"]][TypeUrl(each["type_url"]).label] += each["resources"]
    assert len(sent) >= len(stack.envoys)
    if stack.plan.variant == "delta":
        assert all(each in ({}, {"srds": 2}) for each in sent.values()), sent
        assert list(sent.values()).count(Counter(srds=2)) >= len(stack.envoys), sent
    else:
        assert not any(each["cds"] or each["lds"] for each in sent.values()), sent
        assert sum(each["srds"] > 0 for each in sent.values()) >= len(stack.envoys), sent
