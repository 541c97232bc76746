"""Instructions that Envoy executes for a request: `python -m tests.bench.instructions`.

Needs `valgrind`. The ways of `throughput`, but for the callout, as three listeners of one Envoy. What else a machine
does changes nothing in the count. Neither the kernel's part is in it nor the time that is lost on memory.

Then what it takes to refuse a tenant that is unknown and one that is suspended, with `HIDE_SUSPENDED=yes`: who measures
how long a refusal takes learns the difference of the two, and no more.
"""

import argparse
import json
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from envoy_data_plane.envoy.config.listener.v3 import Listener

from tests.bench.throughput import OF_TOKENS, cluster, static_envoy
from tests.golden.cases import FILES, shown_table
from tests.support.edge import GROUP, SHARED, cell, edge_options, endpoint, tenant, topology
from xds.demo.envoy import packaged_binary
from xds.demo.idp import AUDIENCE, IdentityProvider
from xds.demo.ports import LOOPBACK, free_port
from xds.names import PUBLIC_TENANT, TypeUrl
from xds.translate import CellBound, Translation, translate
from xds.translate.authentication import JWT_FILTER
from xds.translate.naming import PUBLIC_ROUTES, SUSPENDED_ROUTES, cell_cluster

START_SECONDS = 600.0
WARM_UP = 100
OK = {"direct_response": {"status": 200, "body": {"inline_string": "ok"}}}


def listeners(translation: Translation, upstream: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A listener for each way, and the clusters."""
    shown = {name: shown_table(translation.shared[url], kind) for name, (url, kind) in FILES.items() if url in _SHARED}
    tables = {name: shown["routes"][name] for name in (PUBLIC_ROUTES, SHARED, SUSPENDED_ROUTES)}
    edge = shown_table(translation.listeners[GROUP], Listener)["edge"]
    pushed, hardened = json.loads(json.dumps(edge)), json.loads(json.dumps(edge))
    manager = _manager(pushed)
    scoped = {
        "scoped_route_configurations": [
            {"name": key, "route_configuration": tables[table], "key": {"fragments": [{"string_key": key}]}}
            for key, table in ((PUBLIC_TENANT, PUBLIC_ROUTES), ("acme", SHARED), ("gone", SUSPENDED_ROUTES))
        ]
    }
    key_builder = manager["scoped_routes"]["scope_key_builder"]
    scopes = {"scope_key_builder": key_builder, "scoped_route_configurations_list": scoped}
    manager["scoped_routes"] = {"name": "tenants", **scopes}
    check = shown["extensions"][JWT_FILTER]
    manager["http_filters"] = [check if each["name"] == JWT_FILTER else each for each in manager["http_filters"]]
    manager = _manager(hardened)
    del manager["scoped_routes"]
    manager["route_config"] = tables[SHARED]
    manager["http_filters"] = [each for each in manager["http_filters"] if each["name"] not in OF_TOKENS]
    bare = static_envoy(0, 0, {"route": {"cluster": "up"}}, [])["static_resources"]["listeners"][0]
    name = cell_cluster(SHARED)
    held = shown["clusters"][name] | {**cluster(name, upstream), "type": "STATIC"}
    del held["eds_cluster_config"]
    return {"pushed": pushed, "static-hardened": hardened, "static": bare}, [held, cluster("up", upstream)]


_SHARED = (TypeUrl.CLUSTER, TypeUrl.EXTENSION, TypeUrl.ROUTE)


def _manager(listener: Mapping[str, Any]) -> dict[str, Any]:
    manager: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return manager


def _translation(idp: IdentityProvider, upstream: int, cell_bound: CellBound) -> Translation:
    options = edge_options(issuer=idp.issuer, jwks=idp.jwks(), cell_bound=cell_bound)
    (issuer,) = options.auth.issuers
    auth = replace(options.auth, issuers=(replace(issuer, audiences=(AUDIENCE,)),))
    here = cell(endpoints=(endpoint(f"{LOOPBACK}:{upstream}"),))
    hiding = replace(options.tenants, hides_suspended=True)
    return translate(topology(here, tenant("acme")), replace(options, auth=auth, tenants=hiding))


@contextmanager
def _envoy(folder: Path, name: str, config: Mapping[str, Any], *before: str) -> Iterator[int]:
    file = folder / f"{name}.json"
    file.write_text(json.dumps(config))
    options = ("--concurrency", "1", "--disable-hot-restart", "--log-level", "error")
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen([*before, packaged_binary(), "-c", file, *options], stderr=log)
        try:
            yield process.pid
        finally:
            process.kill()
            process.wait()


@dataclass(frozen=True, slots=True)
class Way:
    """Where a request goes, with which token, and the status of its answer."""

    port: int
    token: str
    status: int = 200


def _ask(way: Way, times: int) -> None:
    head = f"GET /api/x HTTP/1.1\r\nHost: {LOOPBACK}:{way.port}\r\nAuthorization: Bearer {way.token}\r\n\r\n"
    with socket.create_connection((LOOPBACK, way.port), timeout=60) as connection:
        for _ in range(times):
            connection.sendall(head.encode())
            answer = b""
            while not answer.endswith((b"\r\n\r\nok", b"}\n")):
                received = connection.recv(65536)
                if not received or not (answer + received).startswith(b"HTTP/1.1 %d" % way.status):
                    raise SystemExit(f"instructions: another answer than {way.status}: {(answer + received)[:200]!r}")
                answer += received


def _await(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            socket.create_connection((LOOPBACK, port)).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    raise SystemExit(f"instructions: Envoy did not listen within {START_SECONDS:.0f} s")


def _counted(folder: Path, pid: int) -> int:
    """The instructions since the last time."""
    before = set(folder.glob("counted.*"))
    subprocess.run(["callgrind_control", "--dump", str(pid)], check=True, capture_output=True)
    (dump,) = set(folder.glob("counted.*")) - before
    total = re.search(r"^totals: (\d+)", dump.read_text(errors="replace"), re.MULTILINE)
    assert total is not None, "callgrind's format: every dump has a line of totals"
    return int(total[1])


def measure(requests: int, rounds: int, cell_bound: CellBound) -> dict[str, list[float]]:
    """The instructions a request by each way, round by round."""
    idp, upstream = IdentityProvider(), free_port()
    held, clusters = listeners(_translation(idp, upstream, cell_bound), upstream)
    ports = {name: free_port() for name in held}
    for name, listener in held.items():
        listener |= {"name": name, "address": {"socket_address": {"address": LOOPBACK, "port_value": ports[name]}}}
    config = static_envoy(0, free_port(), {}, clusters)
    config["static_resources"]["listeners"] = list(held.values())
    token = idp.mint("acme", cell=SHARED)
    ways = {name: Way(port, token) for name, port in ports.items()}
    for name, refused in (("unknown", "none"), ("suspended", "gone")):
        ways[name] = Way(ports["pushed"], idp.mint(refused, cell=SHARED), 403)
    found: dict[str, list[float]] = {name: [] for name in ways}
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        counting = ("valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/counted")
        with (
            _envoy(folder, "upstream", static_envoy(upstream, free_port(), OK, [])),
            _envoy(folder, "counted", config, *counting) as pid,
        ):
            for port in (upstream, *ports.values()):
                _await(port)
            for _ in range(rounds):
                for name, way in ways.items():
                    _ask(way, WARM_UP)
                    _counted(folder, pid)
                    _ask(way, requests)
                    found[name].append(_counted(folder, pid) / requests)
    return found


def say(found: Mapping[str, Sequence[float]]) -> None:
    """Print the least of each way: what is more is a timer's."""
    least = {name: min(counts) for name, counts in found.items()}
    for name, count in least.items():
        print(f"{name}: {count / 1000:.1f} thousand instructions a request, {count / least['pushed']:.3f} of pushed's")


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--cba-mode", type=CellBound, default=CellBound.ENFORCE, help="enforce, monitor or off")
    arguments = parser.parse_args()
    if shutil.which("callgrind_control") is None:
        raise SystemExit("instructions: valgrind is not installed (Debian: apt-get install valgrind)")
    say(measure(arguments.requests, arguments.rounds, arguments.cba_mode))


if __name__ == "__main__":
    main()
