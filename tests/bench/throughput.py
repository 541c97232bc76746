"""Requests per second through pushed config against a static route, in one run: `python -m tests.bench.throughput`.

Needs `wrk`. The upstream of both is one more Envoy that answers by itself, since a Python cell would be the limit.
The two ways take turns, and the Envoy under test has a core of its own; take the ratio, not the figures.
"""

import argparse
import asyncio
import os
import re
import shutil
import statistics
from dataclasses import dataclass
from typing import Any

import asyncpg
import psutil

from xds.demo.envoy import EnvoyProcess
from xds.demo.plan import Plan
from xds.demo.ports import free_port
from xds.demo.stack import Stack

HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


def static_envoy(port: int, admin: int, route: dict[str, Any], clusters: list[dict[str, Any]]) -> dict[str, Any]:
    """The bootstrap of an Envoy with one listener and one route, and nothing else."""
    manager = {
        "@type": HCM,
        "stat_prefix": "static",
        "http_filters": [{"name": "router", "typed_config": {"@type": ROUTER}}],
        "route_config": {
            "name": "static",
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, **route}]}],
        },
    }
    return {
        "admin": {"address": _address(admin)},
        "static_resources": {
            "listeners": [
                {
                    "name": "static",
                    "address": _address(port),
                    "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}],
                }
            ],
            "clusters": clusters,
        },
    }


def cluster(name: str, port: int) -> dict[str, Any]:
    """A static cluster of one endpoint."""
    endpoint = {"endpoint": {"address": _address(port)}}
    return {
        "name": name,
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests a second, and the Envoy's CPU time for each, in microseconds."""

    per_second: float
    cpu: float


async def load(envoy: EnvoyProcess, port: int, token: str, seconds: int) -> Rate:
    """Load one Envoy."""
    process = psutil.Process(envoy.child.pid)
    before = process.cpu_times()
    per_second, count = await wrk(port, token, seconds)
    after = process.cpu_times()
    used = after.user + after.system - before.user - before.system
    return Rate(per_second, used / count * 1e6)


async def wrk(port: int, token: str, seconds: int) -> tuple[float, int]:
    """Requests a second of 32 kept connections, and their number; fails if one was not answered with 2xx."""
    process = await asyncio.create_subprocess_exec(
        *("taskset", "-c", "1", "wrk", "-t1", "-c32", f"-d{seconds}s", "-H", f"Authorization: Bearer {token}"),
        f"http://127.0.0.1:{port}/api/x",
        stdout=asyncio.subprocess.PIPE,
    )
    output = (await process.communicate())[0].decode()
    if "Non-2xx" in output or "Socket errors" in output:
        raise SystemExit(f"requests failed:\n{output}")
    rate, count = re.search(r"Requests/sec:\s+([\d.]+)", output), re.search(r"(\d+) requests in", output)
    if rate is None or count is None:
        raise SystemExit(f"wrk said nothing that is known:\n{output}")
    return float(rate[1]), int(count[1])


async def measure(tenants: int, rounds: int, seconds: int) -> None:
    """Measure and print."""
    async with Stack(Plan(tenants=tenants)) as stack:
        upstream_port, static_port = free_port(), free_port()
        answer = {"direct_response": {"status": 200, "body": {"inline_string": "ok"}}}
        upstream = static_envoy(upstream_port, admin := free_port(), answer, [])
        async with EnvoyProcess("upstream", upstream, admin_port=admin, folder=stack.folder) as up:
            through = static_envoy(
                static_port, admin := free_port(), {"route": {"cluster": "up"}}, [cluster("up", upstream_port)]
            )
            async with EnvoyProcess("static", through, admin_port=admin, folder=stack.folder) as static:
                connection = await asyncpg.connect(stack.postgres.dsn)
                await connection.execute("UPDATE endpoints SET port = $1", upstream_port)
                await connection.close()
                pushed = stack.envoys["edge-a"]
                token = stack.idp.mint("acme", cell=stack.placements["acme"])
                await asyncio.sleep(1)
                os.sched_setaffinity(up.child.pid, {1})
                for under_test in (pushed, static):
                    for thread in psutil.Process(under_test.child.pid).threads():
                        os.sched_setaffinity(thread.id, {0})
                pushed_port = stack.ports.edges["edge-a"]
                await load(pushed, pushed_port, token, 2)
                await load(static, static_port, token, 2)
                rates = [
                    (await load(pushed, pushed_port, token, seconds), await load(static, static_port, token, seconds))
                    for _ in range(rounds)
                ]
    report(tenants, seconds, rates)


def report(tenants: int, seconds: int, rates: list[tuple[Rate, Rate]]) -> None:
    """Print medians and ratios."""
    ratios = [pushed.per_second / static.per_second for pushed, static in rates]
    cpu = [static.cpu / pushed.cpu for pushed, static in rates]
    per_second = [statistics.median(pair[way].per_second for pair in rates) for way in (0, 1)]
    cpus = [statistics.median(pair[way].cpu for pair in rates) for way in (0, 1)]
    print(
        f"tenants: {tenants}, rounds: {len(rates)} of {seconds} s; requests/s: pushed {per_second[0]:.0f},"
        f" static {per_second[1]:.0f}; pushed ÷ static: median {statistics.median(ratios):.3f}"
        f" ({min(ratios):.3f} to {max(ratios):.3f}); Envoy CPU a request: pushed {cpus[0]:.1f} µs,"
        f" static {cpus[1]:.1f} µs; static ÷ pushed: median {statistics.median(cpu):.3f}"
    )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("throughput: wrk is not installed (Debian: apt-get install wrk)")
    asyncio.run(measure(arguments.tenants, arguments.rounds, arguments.seconds))


if __name__ == "__main__":
    main()
