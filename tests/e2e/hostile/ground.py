"""Where hostile requests are sent: a running system whose every upstream writes down what reaches it.

Two Envoys, two cells with HTTP/1.1 and one with HTTP/2, the web client and the controller.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.e2e.hostile.tokens import Forger
from tests.e2e.hostile.upstreams import Arrival, Log, upstreams
from tests.e2e.hostile.wire import Protocol, Reply, Request, send
from tests.e2e.watching import execute, until
from tests.support.plans import planned
from xds.demo.stack import Stack
from xds.opaque import digest

HOME, OTHER, MODERN = "cell-shared-std-local", "cell-shared-std-eu", "cell-dedicated-ent-us"
"""Cells; the last one speaks HTTP/2."""

RETIRED = "cell-shared-std-gone"
CLIENT, CONTROLLER, LEGACY = "the web client", "the controller", "the legacy proxy"

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

OLDEN = "olden"
"""A tenant that the canary leaves to the legacy proxy, where there is one."""

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


def session_of(tenant: str) -> str:
    """The session token of a tenant that has requests served, where there is a callout."""
    return f"session-of-{tenant}"


@asynccontextmanager
async def ground(*, is_full: bool = False, **environment: str) -> AsyncIterator[Ground]:
    """One that runs while entered, with further settings of the control plane.

    `is_full`: with a callout and a legacy proxy.
    """
    async with AsyncExitStack() as exits:
        names = (HOME, OTHER, MODERN, RETIRED, CLIENT, CONTROLLER, LEGACY)
        ports, log = await exits.enter_async_context(upstreams(*names))
        folder = Path(exits.enter_context(TemporaryDirectory(prefix="axds-hostile-")))
        settings = {
            **(_callout_and_legacy(folder, ports) if is_full else {}),
            "CLIENT_UPSTREAM": f"127.0.0.1:{ports[CLIENT]}",
            "AUTH_WEBSOCKET_QUERY": QUERY,
            "AUTH_WEBSOCKET_COOKIE": COOKIE,
            "AUTH_WEBSOCKET_ORIGINS": f"{ORIGIN}, https://admin.example:8443",
            "CONTROLLER_UPSTREAM": f"127.0.0.1:{ports[CONTROLLER]}",
            **environment,
        }
        stack = await exits.enter_async_context(Stack(await planned(cells=(HOME,), tenants=1, environment=settings)))
        await execute(stack, *_registry(ports))
        held = Ground(stack=stack, log=log, forger=Forger(stack.idp))
        is_anonymous = environment.get("AUTH_MODE") == "off"
        for tenant in PLACEMENTS:
            cell = PLACEMENTS[environment["AUTH_ANONYMOUS_TENANT"] if is_anonymous else tenant]
            await until(lambda: _arrives(held, tenant, cell), f"{tenant} is served")  # noqa: B023 -- awaited here
        log.arrivals.clear()
        yield held


def _callout_and_legacy(folder: Path, ports: Mapping[str, int]) -> dict[str, str]:
    sessions = [{"sha256": digest(session_of(tenant)).hex(), "tenant": tenant, "expires": 2e9} for tenant in PLACEMENTS]
    (folder / "tokens.json").write_text(json.dumps(sessions))
    return {
        "TENANT_RESOLUTION": "callout",
        "CALLOUT_TOKENS_FILE": str(folder / "tokens.json"),
        "CALLOUT_TIMEOUT_MS": "5000",
        "LEGACY_UPSTREAM": f"127.0.0.1:{ports[LEGACY]}",
        "CANARY_TENANTS": f"{OLDEN}=0",
    }


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
        for tenant, cell in {**PLACEMENTS, OLDEN: HOME, SUSPENDED: HOME, HOMELESS: RETIRED}.items()
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
