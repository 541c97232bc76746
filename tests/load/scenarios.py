"""The scenarios: what each has the system made of, what it does under traffic, and what it passes by.

Knows nothing about what the system runs on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from time import perf_counter

from tests.bench.light import Seen
from tests.bench.storm import EXISTENCE_SECONDS, Fleet, fleet
from tests.bench.storm import Wishes as Storm
from tests.load.play import Play, Wishes
from tests.load.results import Sample, Spread
from tests.load.system import LEGACY, ROLLOUTS_AT_ONCE, SESSION, Needs
from xds.errors import LocalFailure
from xds.names import CellId, TenantId
from xds.translate.canary import CanaryOptions

JOIN_SECONDS = 10.0
CAUGHT_UP_SECONDS = 10.0
WEIGHT_SECONDS = 30.0
"""For a weight to arrive: Envoys come back after 5 s at most, and then a structure is rolled out."""
LEFT_SECONDS = 1.0
"""After a drain, for what is still under way."""
_WEIGHT = "UPDATE endpoints SET weight = weight % 100 + 1 WHERE cell_id = $1"
_SETTLE = 0.5
"""Of the seconds that a step lasts: what the load goes on for before and after something happens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One scenario; `needs` may depend on what was wished for."""

    name: str
    title: str
    passes: str
    play: Callable[[Play], Awaitable[None]]
    needs: Callable[[Wishes], Needs] = lambda wishes: Needs(envoys=wishes.envoys)


async def _ways(play: Play) -> None:
    """One tenant's requests, to one cell, through Envoys that find it in three ways."""
    first = next(iter(play.system.targets))
    pushed = {first: play.system.targets[first]}
    tokens = await play.system.tokens(["acme"])
    ways = (
        ("static route", {"static": play.system.static}, tokens),
        ("pushed", pushed, tokens),
        ("callout a request", pushed, {"acme": SESSION}),
    )
    medians = {}
    for name, targets, shown in ways:
        async with play.traffic(shown, targets=targets):
            with play.step(name):
                await play.wait()
        medians[name] = Spread.of(sample.took for sample in play.outcome.of(play.outcome.steps[-1])).p50
    play.check_requests()
    static, pushed_p50, callout = medians.values()
    play.check(
        "pushed costs at most 1 ms more than a static route (p50)",
        f"{pushed_p50:.2f} and {static:.2f} ms",
        ok=pushed_p50 <= static + 1,
    )
    play.check(
        "pushed is faster than a callout (p50)", f"{pushed_p50:.2f} and {callout:.2f} ms", ok=pushed_p50 < callout
    )


async def _moves(play: Play) -> None:
    """Tenants move, at rates that grow tenfold."""
    async with play.traffic():
        for per_second in (1, 10, 100):
            with play.step(f"{per_second} moves a second"):
                done = await play.moves(per_second, play.wishes.seconds)
            play.check(f"{per_second} moves a second are made", f"{done:.1f}", ok=done >= 0.9 * per_second)
    play.check_requests()
    play.check_pushes(p99=500)


async def _drain(play: Play) -> None:
    """A cell is drained by the operator's command, and everybody brought back."""
    left, other = play.system.cells[:2]
    async with play.traffic():
        with play.step("before"):
            await play.wait(_SETTLE)
        with play.step("drained"):
            play.note("cells drain")
            await play.system.command(
                "cells", "drain", left, "--to", other, "--batch", "25", "--pause", "0.3s", "--yes"
            )
            play.note("drained")
            await asyncio.sleep(LEFT_SECONDS)
            done = play.now()
            await play.wait(_SETTLE)
        with play.step("undrained"):
            play.note("cells undrain")
            back = play.now()
            await play.system.command("cells", "undrain", left)
            await play.wait(_SETTLE)
            ended = play.now()
    play.check_requests()
    settled = [sample for sample in play.outcome.samples if done <= sample.due < back]
    there = [sample for sample in settled if sample.cell == left]
    play.check(
        "the cell answers nobody a second after it is drained",
        f"{len(there)} of {len(settled)} requests",
        ok=bool(settled) and not there,
    )
    last = [sample for sample in play.outcome.samples if sample.due >= ended - 0.5 * (ended - back)]
    came = sum(sample.cell == left for sample in last)
    play.check("it answers again once it is undrained", f"{came} of {len(last)} requests", ok=came > 0)


async def _outages(play: Play) -> None:
    """A replica, all replicas and the database are killed and come back; in between, a move must be caught up with."""
    async with play.traffic():
        with play.step("a replica killed"):
            await play.system.kill_replicas(1)
            play.note("one replica killed")
            await _caught_up(play, "a replica killed")
            await play.wait(_SETTLE)
            await play.system.start_replicas()
        with play.step("all replicas killed"):
            await play.system.kill_replicas(2)
            play.note("all replicas killed")
            await play.wait(_SETTLE)
            await play.system.start_replicas()
            play.note("replicas are back")
            await _caught_up(play, "all replicas killed")
            await play.wait(_SETTLE)
        with play.step("database killed"):
            await play.system.kill_database()
            play.note("database killed")
            await play.wait(_SETTLE)
            await play.system.start_database()
            play.note("database is back")
            await _caught_up(play, "database killed")
            await play.wait(_SETTLE)
    play.check_requests()
    play.check_pushes(p99=CAUGHT_UP_SECONDS * 1000)


async def _caught_up(play: Play, after: str) -> None:
    """Move a tenant, and tell how long the Envoys took."""
    await play.move()
    took = max((push.took or 0 for push in play.outcome.pushes[-len(play.reached) :]), default=0)
    play.outcome.facts[f"{after}: a move was followed within"] = f"{took:.0f} ms"


async def _joining(play: Play) -> None:
    """Envoys join one after the other, and each has its share of requests from the moment that it is ready."""
    first, *others = play.system.edges
    rate = play.wishes.rate / (1 + len(others))
    slowest = 0.0
    async with AsyncExitStack() as traffic:
        play.reached = [first]
        await traffic.enter_async_context(play.traffic(targets={first: play.system.targets[first]}, rate=rate))
        with play.step("1 Envoy"):
            await play.wait(_SETTLE)
        for number, edge in enumerate(others, 2):
            with play.step(f"{number} Envoys"):
                began = perf_counter()
                await play.system.join(edge)
                slowest = max(slowest, perf_counter() - began)
                play.note(f"{edge} is ready")
                target = {edge: play.system.targets[edge]}
                await traffic.enter_async_context(play.traffic(targets=target, rate=rate))
                play.reached.append(edge)
                await play.move()
                await play.wait(_SETTLE)
    play.check_requests()
    play.check(f"each Envoy is ready within {JOIN_SECONDS:g} s", f"{slowest:.1f} s", ok=slowest <= JOIN_SECONDS)
    play.check_pushes(p99=500)


async def _fleet(play: Play) -> None:
    """Light clients of ADS come all at once and stay, beside real Envoys; tenants move before, and while they stay."""
    server, group = play.system.lights()
    count = play.wishes.clients
    storm = Storm(streams=count, cells=0, processes=2, pushes=0, per_second=0, burst=0)
    async with play.traffic(), fleet(server, storm, group=group) as clients:
        await clients.ask()  # they are there
        with play.step("Envoys alone"):
            await play.moves(5, play.wishes.seconds * _SETTLE)
        with play.step(f"{count:,} clients come"):
            await clients.say("come")
            play.note(f"{count:,} clients come")
            seen, deadline = await clients.ask(), perf_counter() + 2 * EXISTENCE_SECONDS
            while len(seen.wholes) < count and perf_counter() < deadline:
                await asyncio.sleep(0.2)
                seen.add(await clients.ask())
        with play.step(f"beside {count:,} clients"):
            await play.wait(0.1)  # their last acknowledgements
            await play.moves(5, play.wishes.seconds)
        with play.step("one change for all"):
            seen.add(await clients.ask())
            seen.arrivals.clear()
            spread = await _change_for_all(play, clients, seen, count)
    play.check_requests()
    firsts, slowest = len(seen.firsts), max(seen.firsts, default=0.0)
    play.check(
        f"each client has a first answer within {EXISTENCE_SECONDS} s",
        f"{firsts:,} of {count:,}, the last after {slowest:.1f} s",
        ok=firsts == count and slowest < EXISTENCE_SECONDS,
    )
    play.check(
        f"a change of an endpoint reaches each client within {CAUGHT_UP_SECONDS:g} s",
        f"{spread.count:,} of {count:,}, p50 {spread.p50:.0f} ms, the last after {spread.most:.0f} ms",
        ok=spread.count == count and spread.most <= CAUGHT_UP_SECONDS * 1000,
    )
    play.check("no client loses its stream", f"{len(seen.lost)} did {seen.lost[:1] or ''}".strip(), ok=not seen.lost)
    play.check_pushes(p99=2000)


async def _change_for_all(play: Play, clients: Fleet, seen: Seen, count: int) -> Spread:
    """Change the weight of one endpoint, which all clients hold: how long after COMMIT each was told."""
    connection = await play.system.connect()
    try:
        await connection.execute(_WEIGHT, play.system.cells[0])
    finally:
        committed = perf_counter()
        await connection.close(timeout=5)
    play.note("the weight of an endpoint is changed")
    while len(seen.arrivals) < count and perf_counter() < committed + CAUGHT_UP_SECONDS:
        await asyncio.sleep(0.2)
        seen.add(await clients.ask())
    return Spread.of((at - committed) * 1000 for at in seen.arrivals)


async def _canary(play: Play) -> None:
    """Tenants go from the legacy proxy to their cells, 10, 50 and 100 % of them."""
    total = len(play.system.placements)
    turns = 1.5 * total / play.wishes.rate  # so that each tenant has its turn in a step
    at_cells: set[str] = set()
    async with play.traffic():
        with play.step("0 %"):
            await play.wait(_SETTLE)
        for weight in (10, 50, 100):
            with play.step(f"to {weight} %"):
                play.note(f"CANARY_WEIGHT={weight}")
                await play.system.restart(CANARY_WEIGHT=str(weight))
                began = play.now()
                await play.until_answered(*_last_taken_in(play, weight), timeout=WEIGHT_SECONDS)
                play.outcome.facts[f"{weight} % arrived, after the control plane was ready"] = (
                    f"{play.now() - began:.1f} s"
                )
            with play.step(f"{weight} %"):
                await asyncio.sleep(max(play.wishes.seconds, turns))
            at_cells = _check_split(play, weight, total, at_cells)
    play.check_requests()


def _last_taken_in(play: Play, weight: int) -> tuple[str, str]:
    """The last tenant that this weight takes in, and its cell: where it is answered, the weight has arrived."""
    for share in range(weight, 0, -1):
        options = CanaryOptions(legacy=("", 0), weight=share - 1)
        for tenant, cell in play.system.placements.items():
            name, home = TenantId(tenant), CellId(cell)
            if not options.is_at_its_cell(name, home) and replace(options, weight=share).is_at_its_cell(name, home):
                return tenant, cell
    raise LocalFailure(f"no tenant of {len(play.system.placements)} is at its cell with a weight of {weight}")


def _check_split(play: Play, weight: int, total: int, before: set[str]) -> set[str]:
    """Who is at his cell, of those who asked in the last step; each at one side only, and nobody goes back."""
    asked = play.outcome.of(play.outcome.steps[-1])
    sides = _sides(asked)
    at_cells = {tenant for tenant, seen in sides.items() if LEGACY not in seen}
    torn = {tenant for tenant, seen in sides.items() if len({side == LEGACY for side in seen}) > 1}
    share = 100 * len(at_cells) / max(1, len(sides))
    # Three standard deviations of so many draws: which tenants there are decides, not luck.
    tolerance = 300 * (weight / 100 * (1 - weight / 100) / total) ** 0.5
    play.check(
        f"{weight} %: {weight} ± {tolerance:.0f} % of {total} tenants are at their cells",
        f"{share:.1f} % of the {len(sides)} that asked",
        ok=len(sides) == total and abs(share - weight) <= tolerance,
    )
    play.check(f"{weight} %: each tenant is at one side only", f"{len(torn)} at both", ok=not torn)
    play.check(f"{weight} %: nobody goes back", f"{len(before - at_cells)} did", ok=before <= at_cells)
    return at_cells


def _sides(samples: list[Sample]) -> Mapping[str, set[str]]:
    """Who answered each tenant."""
    sides: dict[str, set[str]] = {}
    for sample in samples:
        sides.setdefault(sample.tenant, set()).add(sample.cell)
    return sides


SCENARIOS: Mapping[str, Scenario] = {
    each.name: each
    for each in (
        Scenario(
            name="ways",
            title="A static route, pushed routing, a callout a request",
            passes="no request fails; pushed within 1 ms of the static route, and faster than the callout (p50)",
            play=_ways,
            needs=lambda _: Needs(envoys=1, static=True, callout=True),
        ),
        Scenario(
            name="moves",
            title="Tenants move, 1, 10 and 100 a second",
            passes="no request fails; every Envoy follows, 99 % within 500 ms of COMMIT",
            play=_moves,
        ),
        Scenario(
            name="drain",
            title="A cell is drained, and undrained",
            passes="no request fails; a second after the drain the cell answers nobody; undrained it answers again",
            play=_drain,
        ),
        Scenario(
            name="outages",
            title="A replica, all replicas, the database are killed",
            passes="no request fails; moves are followed within 10 s, once what it takes is back",
            play=_outages,
            needs=lambda wishes: Needs(envoys=wishes.envoys, replicas=2, settings={"REGISTRY_POLL_SECONDS": "1"}),
        ),
        Scenario(
            name="joining",
            title="Envoys join, from 1 to N",
            passes="no request fails, from an Envoy's first second on; each is ready within 10 s",
            play=_joining,
            needs=lambda wishes: Needs(envoys=max(2, wishes.joining), joining=True),
        ),
        Scenario(
            name="fleet",
            title="Light ADS clients beside real Envoys",
            passes="no request fails; no client loses its stream, each has its first answer within 15 s and a change"
            " within 10 s; Envoys follow moves within 2 s (p99)",
            play=_fleet,
            needs=lambda wishes: Needs(
                envoys=wishes.envoys, settings={"XDS_STREAMS_PER_SECOND": "500", "XDS_STREAM_BURST": "500"}
            ),
        ),
        Scenario(
            name="canary",
            title="The canary: 10, 50, 100 % of the tenants",
            passes="no request fails; the share within three standard deviations; each tenant at one side, nobody back",
            play=_canary,
            needs=lambda wishes: Needs(
                envoys=wishes.envoys, legacy=True, settings={**ROLLOUTS_AT_ONCE, "CANARY_WEIGHT": "0"}
            ),
        ),
    )
}
"""By name, in the order in which they are played."""
