"""The edge image's three scripts, run without a container: the same files, the same shell, a real Envoy."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from shutil import which
from time import monotonic

import aiohttp
import pytest
import pytest_asyncio

from tests.e2e.watching import until
from tests.support.plans import planned
from xds.demo.envoy import packaged_binary
from xds.demo.ports import LOOPBACK, free_port
from xds.demo.processes import Child
from xds.demo.stack import Stack

IMAGE = Path(__file__).parents[2] / "build/docker/alphaswarm-edge"
PROGRAM = Path(sys.executable).with_name("alphaswarm-xds")
SERVER_NAME = "xds.demo.example"


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image has: the bootstraps, and Envoy by its name."""
    folder = tmp_path_factory.mktemp("image")
    subprocess.run(["sh", str(IMAGE / "template.sh"), str(folder / "templates"), str(PROGRAM)], check=True, timeout=60)
    (folder / "bin").mkdir()
    (folder / "bin/envoy").symlink_to(packaged_binary())
    return folder


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, str]:
    """Settings that name three files that are there."""
    folder = tmp_path / "tls"
    folder.mkdir()
    files = {f"XDS_TLS_{each}_FILE": folder / f"{each.lower()}.pem" for each in ("CA", "CERT", "KEY")}
    for file in files.values():
        file.write_text("")
    return {name: str(file) for name, file in files.items()}


def environment(image: Path, run: Path, settings: Mapping[str, str]) -> dict[str, str]:
    path = f"{image / 'bin'}:{os.environ['PATH']}"
    return {"PATH": path, "TEMPLATE_FOLDER": str(image / "templates"), "RUN_FOLDER": str(run), **settings}


def start(image: Path, run: Path, settings: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run the entrypoint as far as Envoy's own check of its config."""
    command = ["sh", str(IMAGE / "entrypoint.sh"), "--mode", "validate"]
    return subprocess.run(
        command, env=environment(image, run, settings), capture_output=True, text=True, timeout=30, check=False
    )


def test_envoy_accepts_a_bootstrap_in_plain_text(image: Path, tmp_path: Path) -> None:
    ended = start(image, tmp_path, {"XDS_SERVER": "xds.internal:18000", "XDS_ALLOW_PLAINTEXT": "yes"})

    assert ended.returncode == 0, ended.stderr
    assert "@" not in (tmp_path / "plain.json").read_text().replace('"@type"', "")


def test_a_bootstrap_in_tls_has_every_value_in_its_place(image: Path, tmp_path: Path, tls: dict[str, str]) -> None:
    values = {"NODE_ID": "pod-7", "NODE_GROUP": "edge-blue", "NODE_REGION": "eu", "NODE_ZONE": "eu-1a"}
    sizes = {"MAX_CONNECTIONS": "7", "MAX_HEAP_BYTES": "123456789", "ADMIN_PORT": "9909", "METRICS_PORT": "9910"}
    start(image, tmp_path, {"XDS_SERVER": "xds.internal:18001", **values, **sizes, **tls})

    ours = " ".join((tmp_path / "tls.json").read_text().split())
    assert '"id": "pod-7", "cluster": "edge-blue", "locality": { "region": "eu", "zone": "eu-1a" }' in ours
    assert '"address": "xds.internal", "port_value": 18001' in ours
    assert ours.count('"address": "127.0.0.1", "port_value": 9909') == 2
    assert '"address": "0.0.0.0", "port_value": 9910' in ours
    assert '"max_heap_size_bytes": 123456789' in ours
    assert '"max_active_downstream_connections": 7' in ours
    assert '"sni": "xds.internal"' in ours
    assert f'"path": "{tmp_path}/alphaswarm-xds-client.json"' in ours
    secrets = (tmp_path / "alphaswarm-xds-client.json").read_text() + (tmp_path / "alphaswarm-xds-ca.json").read_text()
    for file in (*tls.values(), str(Path(tls["XDS_TLS_CA_FILE"]).parent)):
        assert f'"{file}"' in secrets


@pytest.mark.parametrize(
    ("settings", "node_id"),
    [
        ({"NODE_ID": "chosen", "POD_NAME": "pod-1"}, "chosen"),
        ({"POD_NAME": "pod-1"}, "pod-1"),
        ({}, os.uname().nodename),
    ],
)
def test_a_node_is_called_as_told_or_as_its_pod_or_as_its_host(
    image: Path, tmp_path: Path, settings: dict[str, str], node_id: str
) -> None:
    start(image, tmp_path, {"XDS_SERVER": "xds:18000", "XDS_ALLOW_PLAINTEXT": "yes", **settings})

    assert f'"id": "{node_id}"' in (tmp_path / "plain.json").read_text()


def test_each_missing_setting_is_a_line(image: Path, tmp_path: Path) -> None:
    ended = start(image, tmp_path, {})

    assert ended.returncode == 2
    assert [line.split(": ")[1] for line in ended.stderr.splitlines()] == [
        "XDS_SERVER",
        "XDS_TLS_CA_FILE",
        "XDS_TLS_CERT_FILE",
        "XDS_TLS_KEY_FILE",
    ]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("XDS_SERVER", "xds.internal"),
        ("XDS_SERVER", "xds.internal:"),
        ("XDS_SERVER", ":18000"),
        ("XDS_SERVER", "xds.internal:port"),
        ("XDS_SERVER", "https://xds.internal:18000"),
        ("XDS_SERVER", 'a",:18000'),
        ("XDS_ALLOW_PLAINTEXT", "true"),
        ("NODE_ID", 'a","b":"c'),
        ("NODE_ID", "a|b"),
        ("NODE_GROUP", "a\nb"),
        ("NODE_ZONE", "a&b"),
        ("NODE_REGION", "ü"),
        ("MAX_CONNECTIONS", "many"),
        ("MAX_HEAP_BYTES", "2GiB"),
        ("ADMIN_PORT", "-1"),
        ("METRICS_PORT", "x"),
        ("RUN_FOLDER", "/proc/alphaswarm"),
        ("XDS_TLS_CA_FILE", "/nowhere/ca.pem"),
        ("XDS_TLS_CERT_FILE", "cert.pem"),
        ("XDS_TLS_KEY_FILE", "/tmp/a|b"),
        ("XDS_SERVER_NAME", "10.0.0.1"),
        ("XDS_SERVER_NAME", "a b"),
    ],
)
def test_a_wrong_value_is_refused_by_name_and_is_no_config(
    image: Path, tmp_path: Path, tls: dict[str, str], name: str, value: str
) -> None:
    run = tmp_path / "run"
    ended = start(image, run, {"XDS_SERVER": "xds.internal:18000", **tls, name: value})

    assert ended.returncode == 2
    assert ended.stderr.startswith(f"alphaswarm-edge: {name}: ")
    assert not run.is_dir() or not list(run.iterdir())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    async with Stack(
        await planned(cells=("cell-shared-std-local",), tenants=2, edges=("edge-a",), tls=True)
    ) as running:
        yield running


@pytest.mark.asyncio(loop_scope="module")
async def test_the_entrypoints_envoy_serves_and_drains(stack: Stack, image: Path) -> None:
    assert stack.channel is not None
    folder = stack.folder / "tls"
    # In the image the server has a name, and the demo's has an address only.
    stack.channel.authority.issue(SERVER_NAME).write(folder / "control-plane.pem", folder / "control-plane.key")
    await stack.envoys["edge-a"].stop()
    settings = {
        "XDS_SERVER": f"{LOOPBACK}:{stack.ports.xds}",
        "XDS_SERVER_NAME": SERVER_NAME,
        "XDS_TLS_CA_FILE": str(folder / "ca.pem"),
        "XDS_TLS_CERT_FILE": str(folder / "edge-a-1.pem"),
        "XDS_TLS_KEY_FILE": str(folder / "edge-a-1.key"),
        "POD_NAME": "edge-a-1",
        "NODE_GROUP": "edge-a",
        "ADMIN_PORT": str(free_port()),
        "METRICS_PORT": str(free_port()),
        "DRAIN_LEAST_SECONDS": "1",
        "DRAIN_SECONDS": "10",
    }
    ours = environment(image, stack.folder / "run", settings)
    envoy = Child(
        "edge image",
        [which("sh") or "sh", IMAGE / "entrypoint.sh", "--concurrency", "1"],
        log=stack.folder / "image.log",
        environment=ours,
    )
    assert not await asks("ready", ours)
    envoy.start()
    try:
        await until(lambda: asks("ready", ours), "the Envoy has its config")
        assert await asks("live", ours)
        async with aiohttp.ClientSession() as client:
            assert await connection(stack, client) == "kept"
            await check_metrics(f"http://{LOOPBACK}:{settings['METRICS_PORT']}", client)
            began = monotonic()
            async with asyncio.TaskGroup() as tasks:
                draining = tasks.create_task(asks("drain", ours))
                await until(lambda: is_told_to_leave(stack, client), "clients are told to leave")
                assert not draining.done()
            assert draining.result()
            assert 1 <= monotonic() - began < 8
    finally:
        await envoy.stop()


async def check_metrics(url: str, client: aiohttp.ClientSession) -> None:
    """Metrics and readiness are to be had, and nothing else of the admin interface."""
    async with client.get(f"{url}/stats/prometheus") as answer:
        told = await answer.text()
    assert {"envoy_http_downstream_rq_xx", "envoy_server_live"} <= set(re.findall(r"^(\w+)", told, re.MULTILINE))
    for path, status in {"/ready": 200, "/stats": 404, "/config_dump": 404, "/quitquitquit": 404}.items():
        async with client.get(url + path) as answer:
            assert answer.status == status, path
    async with client.post(f"{url}/stats/prometheus") as answer:
        assert answer.status == 404


async def asks(question: str, environment: Mapping[str, str]) -> bool:
    """Whether admin.sh says yes."""
    program = await asyncio.create_subprocess_exec(
        "bash", IMAGE / "admin.sh", question, env=environment, stderr=subprocess.DEVNULL
    )
    return await asyncio.wait_for(program.wait(), 20) == 0


async def connection(stack: Stack, client: aiohttp.ClientSession) -> str:
    """What becomes of the connection after a request that arrived: kept or closed."""
    url = f"http://{LOOPBACK}:{stack.ports.edges['edge-a']}/api/x"
    headers = {"Authorization": f"Bearer {stack.idp.mint('acme')}"}
    async with client.get(url, headers=headers) as answer:
        assert answer.status == 200
        return "closed" if answer.headers.get("connection") == "close" else "kept"


async def is_told_to_leave(stack: Stack, client: aiohttp.ClientSession) -> bool:
    return await connection(stack, client) == "closed"
