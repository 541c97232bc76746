"""How fast the Envoys follow when a tenant moves.

One client an Envoy sends the tenant's requests one after the other, as fast as they are answered. Measured
is the time from COMMIT to the first answer that came from the new cell: an upper bound for the time to the
first *request* sent there, by the length of that request and of one still answered by the old cell.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from xds.demo.stack import Stack
from xds.errors import LocalFailure

_PATH = "/api/whoami"
_LEAD_SECONDS = 0.1  # the clients are at it before the move is made
_PAUSE_SECONDS = 0.01  # after a request that nobody answered


@dataclass(slots=True)
class _Watch:
    """What one client saw."""

    requests: int = 0
    failed: int = 0
    arrived: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """One move, and when each Envoy followed; an Envoy that did not in time is missing."""

    tenant: str
    cell: str
    after_commit_ms: Mapping[str, float] = field(default_factory=dict)
    """By Envoy: from the moment COMMIT had returned to us. Can be less than 0: the database notifies the
    control plane at the same moment as it answers us."""
    after_sending_ms: Mapping[str, float] = field(default_factory=dict)
    """By Envoy: from the moment COMMIT was sent, so with the time that the database took to commit."""
    requests: int = 0
    failed: int = 0
    """How many of the requests were answered with anything but 200."""


async def follow(stack: Stack, tenant: str, cell: str, *, timeout: float = 10) -> Following:
    """Move `tenant` to `cell` while requests are under way, and see every Envoy follow."""
    token = stack.idp.mint(tenant)
    watches = {edge: _Watch() for edge in stack.clients}
    deadline = time.perf_counter() + timeout
    try:
        async with asyncio.TaskGroup() as group:
            for edge, watch in watches.items():
                group.create_task(_keep_asking(stack, edge, token, cell, watch, deadline))
            await asyncio.sleep(_LEAD_SECONDS)
            commit = await stack.move(tenant, cell)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    arrivals = {edge: watch.arrived for edge, watch in watches.items() if watch.arrived is not None}
    return Following(
        tenant=tenant,
        cell=cell,
        after_commit_ms={edge: (arrived - commit.returned) * 1000 for edge, arrived in arrivals.items()},
        after_sending_ms={edge: (arrived - commit.sent) * 1000 for edge, arrived in arrivals.items()},
        requests=sum(watch.requests for watch in watches.values()),
        failed=sum(watch.failed for watch in watches.values()),
    )


async def _keep_asking(stack: Stack, edge: str, token: str, cell: str, watch: _Watch, deadline: float) -> None:
    while watch.arrived is None and time.perf_counter() < deadline:
        watch.requests += 1
        try:
            answer = await stack.get(edge, _PATH, token=token)
        except LocalFailure:
            watch.failed += 1
            await asyncio.sleep(_PAUSE_SECONDS)
            continue
        now = time.perf_counter()
        watch.failed += answer.status != 200
        if answer.cell == cell:
            watch.arrived = now
