"""Traffic of many tenants through real Envoys while everything behind them changes: no request may fail.

XDS_TRAFFIC_SECONDS says for how long; by default 15 s in each variant, before a release 60 s and more.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest
from aiohttp import web

from tests.e2e.load import load
from tests.e2e.watching import execute, extra_cell, has_no_cluster, is_answered, say, until
from xds.demo.client import EdgeClient
from xds.demo.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECONDS = float(os.environ.get("XDS_TRAFFIC_SECONDS", "15"))
CONNECTIONS = 4
"""To each of the two Envoys."""

TENANTS = ("acme", "globex", "initech", "umbrella")
HOME, OTHER = "cell-shared-std-local", "cell-shared-std-eu"
PATIENCE = 30.0
"""Seconds. The machine is busy with the traffic itself."""


async def test_no_request_fails_while_cells_endpoints_clusters_and_tenants_change(
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    async with extra_cell("new") as new, extra_cell("one") as one, extra_cell("two") as two:
        changes = Changes(stack, {"new": new, "one": one, "two": two})
        await changes.tenants_move(HOME)
        async with load(list(stack.ports.edges.values()), mint(stack, *TENANTS), connections=CONNECTIONS) as seen:
            began = monotonic()
            while monotonic() - began < SECONDS or min(changes.done.values()) < 3:
                await changes.a_cell_comes_and_is_deleted()
                await changes.a_cell_comes_and_is_retired()
                await changes.endpoints_are_exchanged()
                await changes.a_cluster_is_of_another_type()
            seconds = monotonic() - began
        await changes.tenants_move(HOME)
    done = ", ".join(f"{times} x {what}" for what, times in sorted(changes.done.items()))
    say(capsys, f"{stack.plan.variant}: {seen} in {seconds:.1f} s; {done}")
    assert seen.failed == []
    assert seen.cells.keys() == {HOME, OTHER, "new", "one", "two"}


async def test_a_cell_that_is_left_and_retired_in_one_transaction_loses_no_request(stack: Stack) -> None:
    states, homes = ("retired", "active"), (HOME, OTHER)
    async with load(list(stack.ports.edges.values()), mint(stack, *TENANTS), connections=CONNECTIONS) as seen:
        for _ in range(5):
            for state, home in zip(states, homes, strict=True):
                await execute(stack, *_moved(home), f"UPDATE cells SET state = '{state}' WHERE id = '{OTHER}'")
                for tenant in TENANTS:
                    await until(
                        lambda: is_answered(stack, tenant, 200, home),  # noqa: B023 -- awaited here
                        f"{tenant} is in {home}",
                        timeout=PATIENCE,
                    )
        await execute(stack, *_moved(HOME))
        await until(lambda: is_answered(stack, "acme", 200, HOME), "the tenants are home", timeout=PATIENCE)
    assert seen.failed == []


async def test_a_cluster_removed_under_traffic_loses_no_request_not_even_one_under_way(stack: Stack) -> None:
    async with load(list(stack.ports.edges.values()), mint(stack, *TENANTS), connections=CONNECTIONS) as seen:
        statuses = [await statuses_of_a_removal(stack, f"cell-shared-std-gone{number}") for number in range(5)]
    assert statuses == [[200, 200]] * 5
    assert seen.failed == []
    assert {HOME, "slow"} <= seen.cells.keys()


async def statuses_of_a_removal(stack: Stack, cell: str) -> list[int]:
    """Have a cell come and go; what becomes of requests that it was still to answer when its cluster was gone."""
    held, let_go = asyncio.Semaphore(0), asyncio.Event()
    async with slow_cell(held, let_go) as port:
        await execute(
            stack,
            f"INSERT INTO cells (id, state) VALUES ('{cell}', 'active')",
            f"INSERT INTO endpoints (cell_id, address, port) VALUES ('{cell}', '127.0.0.1', {port})",
            *_moved(cell),
        )
        await until(lambda: is_answered(stack, "acme", 200, "slow"), "acme is in the new cell", timeout=PATIENCE)
        async with asyncio.TaskGroup() as group:
            under_way = [group.create_task(status_of(stack, edge, "acme", "/api/slow")) for edge in stack.ports.edges]
            for _ in under_way:
                await held.acquire()
            await execute(stack, *_moved(HOME), f"DELETE FROM cells WHERE id = '{cell}'")
            await until(lambda: has_no_cluster(stack, f"{cell}-api"), "the cluster is removed", timeout=PATIENCE)
            let_go.set()
    return [task.result() for task in under_way]


class Changes:
    """Every kind of change, each followed by all Envoys before it counts as done."""

    def __init__(self, stack: Stack, ports: dict[str, int]) -> None:
        self._stack = stack
        self._ports = {**ports, OTHER: stack.ports.cells[OTHER]}
        self._number = 0
        self.done: Counter[str] = Counter()

    async def tenants_move(self, cell: str) -> None:
        await execute(self._stack, *_moved(cell))
        await self._all_answered_by(cell)
        self.done["tenants move"] += 1

    async def a_cell_comes_and_is_deleted(self) -> None:
        async with self._new_cell() as cell:
            await execute(self._stack, *_moved(HOME), f"DELETE FROM cells WHERE id = '{cell}'")
            await self._all_answered_by(HOME)
        self.done["a cell is deleted"] += 1

    async def a_cell_comes_and_is_retired(self) -> None:
        async with self._new_cell() as cell:
            await self.tenants_move(OTHER)
            await execute(self._stack, f"UPDATE cells SET state = 'retired' WHERE id = '{cell}'")
        await execute(self._stack, f"DELETE FROM cells WHERE id = '{cell}'")
        self.done["a cell is retired"] += 1

    async def endpoints_are_exchanged(self) -> None:
        await self.tenants_move(OTHER)
        for name in ("one", "two", OTHER):
            await self._place("127.0.0.1", name)
        self.done["endpoints are exchanged"] += 1

    async def a_cluster_is_of_another_type(self) -> None:
        """Envoys are told IP addresses by EDS; a host name stands in the cluster, and they resolve it."""
        await self.tenants_move(OTHER)
        await self._place("localhost", "one")
        await self._place("127.0.0.1", OTHER)
        self.done["a cluster changes"] += 1

    @asynccontextmanager
    async def _new_cell(self) -> AsyncIterator[str]:
        """A cell that comes with all tenants in one transaction."""
        self._number += 1
        cell = f"cell-shared-std-n{self._number}"
        await execute(
            self._stack,
            f"INSERT INTO cells (id, state) VALUES ('{cell}', 'active')",
            f"INSERT INTO endpoints (cell_id, address, port) VALUES ('{cell}', '127.0.0.1', {self._ports['new']})",
            *_moved(cell),
        )
        await self._all_answered_by("new")
        self.done["a cell comes"] += 1
        yield cell
        gone = f"{cell}-api"
        await until(lambda: has_no_cluster(self._stack, gone), f"{gone} is removed", timeout=PATIENCE)
        self.done["a cluster is removed"] += 1

    async def _place(self, address: str, name: str) -> None:
        """Exchange the other cell's endpoints for that one."""
        await execute(
            self._stack,
            f"DELETE FROM endpoints WHERE cell_id = '{OTHER}'",
            f"INSERT INTO endpoints (cell_id, address, port) VALUES ('{OTHER}', '{address}', {self._ports[name]})",
        )
        await self._all_answered_by(name)

    async def _all_answered_by(self, name: str) -> None:
        for tenant in TENANTS:
            await until(
                lambda: is_answered(self._stack, tenant, 200, name),  # noqa: B023 -- awaited here
                f"{tenant} is answered by {name}",
                timeout=PATIENCE,
            )


def _moved(cell: str) -> list[str]:
    return [f"UPDATE tenants SET cell_id = '{cell}' WHERE id = '{tenant}'" for tenant in TENANTS]


def mint(stack: Stack, *tenants: str) -> dict[str, str]:
    return {tenant: stack.idp.mint(tenant) for tenant in tenants}


async def status_of(stack: Stack, edge: str, tenant: str, path: str) -> int:
    """What a request comes to, on a connection of its own."""
    async with EdgeClient(stack.ports.edges[edge]) as client:
        return (await client.get(path, token=stack.idp.mint(tenant))).status


@asynccontextmanager
async def slow_cell(held: asyncio.Semaphore, let_go: asyncio.Event) -> AsyncIterator[int]:
    """A cell's API that has requests for /api/slow wait, and counts them; gives its port."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/api/slow":
            held.release()
            await let_go.wait()
        return web.json_response(
            {"cell": "slow", "headers": {each.lower(): request.headers[each] for each in request.headers}}
        )

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
