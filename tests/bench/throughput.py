"""Requests per second by pushed config, static routes and callouts, in one run: `python -m tests.bench.throughput`.

Needs `wrk`. The upstream of all is one more Envoy that answers by itself, since a Python cell would be the limit. The
ways take turns, forwards and backwards, so that none always follows the same other, and the Envoy under test has a core
of its own; take the ratios, not the figures. The first three are listeners of one Envoy, so that nothing else
differs.

- `pushed`: the edge as it is, with a token that is in the cache.
- `static-hardened`: the listener that the edge has, and its cell's route table, but no token is looked at and no scope.
- `static`: a listener with one route and nothing else: no limit, no header removed, no path made plain.
- `callout`: the way that is not taken, at its best: a session token in the table, asked about on each request, by a
  control plane that has the other core (and shares it with `wrk` and the upstream, as all that is not under test).
"""

import argparse
import asyncio
import json
import os
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg
import psutil

from xds.demo.envoy import EnvoyProcess
from xds.demo.plan import Plan
from xds.demo.ports import free_port
from xds.demo.stack import Stack
from xds.opaque import digest
from xds.translate.authentication import JWT_FILTER
from xds.translate.operators import OPERATORS_FILTER

HCM = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
Report: TypeAlias = Mapping[str, Mapping[str, Mapping[str, Any]]]

OF_TOKENS = (JWT_FILTER, OPERATORS_FILTER)
"""The filters that a listener has for tokens."""

SESSION = "t1r3d-0f-b3ing-asked"
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
    """Requests a second, and the CPU time for each, in microseconds."""

    per_second: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a cell: the Envoy that leads there, where it listens, with which token, and who else works for it."""

    envoy: EnvoyProcess
    port: int
    token: str
    asked: int | None = None

    def pin(self) -> None:
        """Give the Envoy the first core, and whoever it asks the other."""
        for pid, core in ((self.envoy.child.pid, 0), (self.asked, 1)):
            for thread in psutil.Process(pid).threads() if pid else ():
                os.sched_setaffinity(thread.id, {core})

    async def load(self, seconds: int) -> Rate:
        """Load it."""
        before = self._cpu_seconds()
        per_second, count = await wrk(self.port, self.token, seconds)
        return Rate(per_second, (self._cpu_seconds() - before) / count * 1e6)

    def _cpu_seconds(self) -> float:
        times = [psutil.Process(pid).cpu_times() for pid in (self.envoy.child.pid, self.asked) if pid]
        return float(sum(each.user + each.system for each in times))


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


@asynccontextmanager
async def ways(tenants: int) -> AsyncIterator[dict[str, Way]]:
    """The ways, by name, all to one upstream. The first two systems differ in how tenants are resolved only."""
    with tempfile.TemporaryDirectory() as folder:
        tokens = Path(folder, "tokens.json")
        entry = {"sha256": digest(SESSION).hex(), "tenant": "acme", "expires": time.time() + 24 * 3600}
        await asyncio.to_thread(tokens.write_text, json.dumps([entry]))
        asking = {"TENANT_RESOLUTION": "callout", "CALLOUT_TOKENS_FILE": str(tokens), "CALLOUT_TIMEOUT_MS": "5000"}
        edges = ("edge-a",)
        async with (
            Stack(Plan(tenants=tenants, edges=edges)) as pushed,
            Stack(Plan(tenants=tenants, edges=edges, environment=asking)) as callout,
            _answering(pushed.folder) as upstream_port,
        ):
            for stack in (pushed, callout):
                connection = await asyncpg.connect(stack.postgres.dsn)
                await connection.execute("UPDATE endpoints SET port = $1", upstream_port)
                await connection.close()
            await asyncio.sleep(1)
            edge, token = pushed.envoys["edge-a"], pushed.idp.mint("acme", cell=pushed.placements["acme"])
            ports = await _compared(pushed, upstream_port)
            yield {
                "pushed": Way(edge, pushed.ports.edges["edge-a"], token),
                **{name: Way(edge, port, token) for name, port in ports.items()},
                "callout": Way(
                    callout.envoys["edge-a"],
                    callout.ports.edges["edge-a"],
                    SESSION,
                    callout.control_plane.child.pid,
                ),
            }


@asynccontextmanager
async def _answering(folder: Path) -> AsyncIterator[int]:
    """Where the upstream listens that all ways lead to."""
    port, admin = free_port(), free_port()
    answer = {"direct_response": {"status": 200, "body": {"inline_string": "ok"}}}
    config = static_envoy(port, admin, answer, [])
    async with EnvoyProcess("upstream", config, admin_port=admin, folder=folder) as up:
        os.sched_setaffinity(up.child.pid, {1})
        yield port


async def _compared(pushed: Stack, upstream_port: int) -> Mapping[str, int]:
    """Have the pushed way's Envoy restart with the listeners that it is compared with; where they listen."""
    ports = {"static-hardened": free_port(), "static": free_port()}
    bare = static_envoy(ports["static"], 0, {"route": {"cluster": "up"}}, [])["static_resources"]["listeners"][0]
    hardened, upstream = await _hardened(pushed, ports["static-hardened"], upstream_port)
    edge = pushed.envoys["edge-a"]
    file = pushed.folder / f"{edge.name}.json"
    bootstrap = json.loads(await asyncio.to_thread(file.read_text))
    statics = bootstrap["static_resources"]
    statics.setdefault("listeners", []).extend([{**hardened, "name": "static-hardened"}, bare])
    statics["clusters"] += [upstream, cluster("up", upstream_port)]
    await asyncio.to_thread(file.write_text, json.dumps(bootstrap))
    await edge.restart()
    return ports


async def _hardened(pushed: Stack, port: int, upstream_port: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The listener that the pushed Envoy has, but for tokens and scopes; and its cluster, under a new name."""
    edge, cell = pushed.envoys["edge-a"], pushed.placements["acme"]
    listener = await _held(edge, "dynamic_listeners", "edge", ("active_state", "listener"))
    table = await _held(edge, "dynamic_route_configs", cell, ("route_config",))
    upstream = await _held(edge, "dynamic_active_clusters", f"{cell}-api", ("cluster",))
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    del manager["scoped_routes"]
    manager["route_config"] = json.loads(json.dumps(table).replace(f'"{cell}-api"', '"hardened"'))
    manager["http_filters"] = [each for each in manager["http_filters"] if each["name"] not in OF_TOKENS]
    listener["address"] = _address(port)
    del upstream["eds_cluster_config"]
    return listener, upstream | {**cluster("hardened", upstream_port), "type": "STATIC"}


async def _held(envoy: EnvoyProcess, resource: str, name: str, path: Sequence[str]) -> Any:
    """What an Envoy holds under that name."""
    found: Any = await envoy.config_dump(resource, name_regex=f"^{name}$")
    held = found[0]
    for key in path:
        held = held[key]
    return {key: value for key, value in held.items() if key != "@type"}


async def measure(tenants: int, rounds: int, seconds: int) -> Report:
    """What each way did, round by round."""
    async with ways(tenants) as under_test:
        for way in under_test.values():
            way.pin()
            await way.load(2)
        rates = []
        for turn in range(rounds):
            order = reversed(under_test) if turn % 2 else under_test
            taken = {name: await under_test[name].load(seconds) for name in order}
            rates.append({name: taken[name] for name in under_test})
    return report(rates)


def report(rates: Sequence[Mapping[str, Rate]]) -> Report:
    """The medians of each way, and how `pushed` compares with the others, each round by itself."""
    others = [name for name in rates[0] if name != "pushed"]
    return {
        "ways": {
            name: {
                "requests_per_second": round(statistics.median(each[name].per_second for each in rates)),
                "cpu_microseconds": round(statistics.median(each[name].cpu for each in rates), 1),
            }
            for name in rates[0]
        },
        "pushed_to": {
            other: {
                "requests_per_second": _spread([each["pushed"].per_second / each[other].per_second for each in rates]),
                "requests_per_cpu": _spread([each[other].cpu / each["pushed"].cpu for each in rates]),
            }
            for other in others
        },
    }


def _spread(ratios: Sequence[float]) -> Mapping[str, float]:
    return {name: round(of(ratios), 3) for name, of in (("median", statistics.median), ("least", min), ("most", max))}


def say(found: Report) -> None:
    """Print it for people."""
    for name, way in found["ways"].items():
        print(f"{name}: {way['requests_per_second']} requests/s, {way['cpu_microseconds']} µs of CPU a request")
    for other, ratios in found["pushed_to"].items():
        for what, spread in ratios.items():
            words = what.replace("_", " ").replace("requests per cpu", "requests per CPU second")
            print(f"pushed ÷ {other}, {words}: {spread['median']} ({spread['least']} to {spread['most']})")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("throughput: wrk is not installed (Debian: apt-get install wrk)")
    found = asyncio.run(measure(arguments.tenants, arguments.rounds, arguments.seconds))
    if arguments.json:
        print(json.dumps({**vars(arguments), **found}))
    else:
        print(f"tenants: {arguments.tenants}, rounds: {arguments.rounds} of {arguments.seconds} s")
        say(found)


if __name__ == "__main__":
    main()
