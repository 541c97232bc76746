"""COMMIT → first request answered by the new cell, on every Envoy: `python -m tests.bench.moves`."""

import argparse
import asyncio
import statistics

from rich.console import Console
from rich.progress import track

from xds.demo.following import follow
from xds.demo.plan import Plan
from xds.demo.stack import Stack


async def measure(moves: int, tenants: int) -> list[tuple[float, int]]:
    """For each move the slowest Envoy's milliseconds after COMMIT had returned, and the requests that failed."""
    outcomes = []
    async with Stack(Plan(tenants=tenants)) as stack:
        names = list(stack.placements)
        for index in track(range(moves), "moving tenants", console=Console(stderr=True)):
            tenant = names[index % len(names)]
            cell = next(cell for cell in stack.plan.cells if cell != stack.placements[tenant])
            following = await follow(stack, tenant, cell)
            if following.after_commit_ms.keys() != stack.clients.keys():
                raise SystemExit(f"{tenant} was not followed to {cell} by every Envoy within 10 s")
            outcomes.append((max(following.after_commit_ms.values()), following.failed))
    return outcomes


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=100)
    parser.add_argument("--tenants", type=int, default=1000)
    arguments = parser.parse_args()
    outcomes = asyncio.run(measure(arguments.moves, arguments.tenants))
    times = sorted(milliseconds for milliseconds, _ in outcomes)
    print(
        f"moves: {len(times)}, tenants: {arguments.tenants}, Envoys: 2; COMMIT returned → answered by the new cell"
        f" on both: p50 {statistics.median(times):.1f} ms, p99 {times[int(len(times) * 0.99) - 1]:.1f} ms,"
        f" max {times[-1]:.1f} ms; failed requests: {sum(failed for _, failed in outcomes)}"
    )


if __name__ == "__main__":
    main()
