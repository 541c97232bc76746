"""Where hostile requests are sent: a running system whose every upstream writes down what reaches it.

Two Envoys, two cells with HTTP/1.1 and one with HTTP/2, the web client and the controller.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.e2e.hostile.tokens import Forger
from tests.e2e.hostile.upstreams import Arrival, Log, upstreams
from tests.e2e.hostile.wire import Protocol, Reply, Request, send
from tests.e2e.watching import execute, until
from tests.support.plans import planned
from xds.demo.stack import Stack

HOME, OTHER, MODERN = "cell-shared-std-local", "cell-shared-std-eu", "cell-dedicated-ent-us"
"""Cells; the last one speaks HTTP/2."""

RETIRED = "cell-shared-std-gone"
CLIENT, CONTROLLER = "the web client", "the controller"

QUERY, COOKIE = "access_token", "session"
"""Where a websocket's token may stand besides its header."""

ORIGIN = "https://app.example"
"""Whose pages may use the cookie."""

PLACEMENTS: Mapping[str, str] = {
    "acme": HOME,
    "globex": OTHER,
    "initech": MODERN,
    # What a claim that is no text may be turned into. Others (true, base64 of a list) are no ids.
    "42": OTHER,
}
"""Who may have requests served, and where."""

SUSPENDED, HOMELESS = "suspended-one", "homeless"
"""A tenant that is suspended, and one whose cell is not in service."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Ground:
    """The running system."""

    stack: Stack
    log: Log
    forger: Forger

    async def send(
        self, request: Request, *protocols: Protocol
    ) -> tuple[dict[tuple[str, Protocol], Reply], list[Arrival]]:
        """Send a request to each Envoy over each of the protocols, all at once.

        Gives what came back, by Envoy and protocol, and what arrived anywhere meanwhile.
        """
        before = len(self.log.arrivals)
        ways = [(edge, protocol) for edge in self.stack.ports.edges for protocol in protocols]
        async with asyncio.TaskGroup() as group:
            sent = {
                (edge, protocol): group.create_task(send(self.stack.ports.edges[edge], protocol, request))
                for edge, protocol in ways
            }
        return {way: task.result() for way, task in sent.items()}, self.log.arrivals[before:]


@asynccontextmanager
async def ground(**environment: str) -> AsyncIterator[Ground]:
    """One that runs while entered, with further settings of the control plane."""
    async with upstreams(HOME, OTHER, MODERN, RETIRED, CLIENT, CONTROLLER) as (ports, log):
        settings = {
            "CLIENT_UPSTREAM": f"127.0.0.1:{ports[CLIENT]}",
            "AUTH_WEBSOCKET_QUERY": QUERY,
            "AUTH_WEBSOCKET_COOKIE": COOKIE,
            "AUTH_WEBSOCKET_ORIGINS": f"{ORIGIN}, https://admin.example:8443",
            "CONTROLLER_UPSTREAM": f"127.0.0.1:{ports[CONTROLLER]}",
            **environment,
        }
        async with Stack(await planned(cells=(HOME,), tenants=1, environment=settings)) as stack:
            await execute(stack, *_registry(ports))
            held = Ground(stack=stack, log=log, forger=Forger(stack.idp))
            is_anonymous = environment.get("AUTH_MODE") == "off"
            for tenant in PLACEMENTS:
                cell = PLACEMENTS[environment["AUTH_ANONYMOUS_TENANT"] if is_anonymous else tenant]
                await until(lambda: _arrives(held, tenant, cell), f"{tenant} is served")  # noqa: B023 -- awaited here
            log.arrivals.clear()
            yield held


def _registry(ports: Mapping[str, int]) -> list[str]:
    cells = {HOME: "http1", OTHER: "http1", MODERN: "http2", RETIRED: "http1"}
    stored = [
        f"INSERT INTO cells (id, state, protocol) VALUES ('{cell}', 'active', '{protocol}')"
        f" ON CONFLICT (id) DO UPDATE SET protocol = '{protocol}'"
        for cell, protocol in cells.items()
    ]
    reached = [
        f"INSERT INTO endpoints (cell_id, address, port) VALUES ('{cell}', '127.0.0.1', {ports[cell]})"
        for cell in cells
    ]
    placed = [
        f"INSERT INTO tenants (id, cell_id) VALUES ('{tenant}', '{cell}') ON CONFLICT (id) DO NOTHING"
        for tenant, cell in {**PLACEMENTS, SUSPENDED: HOME, HOMELESS: RETIRED}.items()
    ]
    return [
        "DELETE FROM endpoints",
        *stored,
        *reached,
        *placed,
        f"UPDATE tenants SET state = 'suspended' WHERE id = '{SUSPENDED}'",
        f"UPDATE cells SET state = 'retired' WHERE id = '{RETIRED}'",
    ]


async def _arrives(held: Ground, tenant: str, cell: str) -> bool:
    request = Request(headers=(("authorization", f"Bearer {held.forger.token(tenant_id=tenant)}"),))
    replies, arrivals = await held.send(request, Protocol.HTTP1)
    return [arrival.upstream for arrival in arrivals] == [cell] * len(replies)
