"""The real Envoy accepts every golden case, and reads in it what the golden files show.

envoy-data-plane both writes the messages and renders the golden files, so it can't be its own witness: here
protobuf's own implementation, inside Envoy, reads the bytes.
"""

import asyncio
import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from envoy_data_plane.envoy.config.bootstrap.v3 import Bootstrap
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.listener.v3 import Listener

from tests.golden.cases import CASES, shown, translated
from tests.integration.translate.static import as_pushed, in_place
from tests.support.edge import AUDIENCE, ISSUER, cell, edge_options, endpoint, tenant, topology
from xds.bootstrap import BootstrapOptions, bootstrap
from xds.demo.envoy import packaged_binary
from xds.demo.idp import IdentityProvider
from xds.demo.ports import free_port
from xds.names import CellId, NodeGroup, NodeId
from xds.translate import translate

DEADLINE = 20.0


def validate(file: Path) -> str:
    """What Envoy has against a bootstrap; empty if nothing."""
    command = [str(packaged_binary()), "--mode", "validate", "--log-level", "error", "-c", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    return "" if done.returncode == 0 else done.stderr + done.stdout


@contextmanager
def running(file: Path) -> Iterator[None]:
    """An Envoy with that bootstrap; its end is waited for."""
    options = ("--disable-hot-restart", "--concurrency", "1", "--log-level", "off")
    command = [str(packaged_binary()), *options, "-c", str(file)]
    with subprocess.Popen(command) as envoy:
        try:
            yield
        finally:
            envoy.terminate()


def ask(admin_port: int, path: str) -> str:
    """The admin interface's answer, as soon as it answers."""
    end = time.monotonic() + DEADLINE
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{admin_port}{path}", timeout=1) as answer:
                text: str = answer.read().decode()
                return text
        except OSError:
            assert time.monotonic() < end, f"the admin interface did not answer {path}"
            time.sleep(0.02)


def held(admin_port: int, resource: str, part: str) -> dict[str, Any]:
    """What Envoy holds of one kind, by name."""
    configs = json.loads(ask(admin_port, f"/config_dump?resource={resource}"))["configs"]
    found = {each[part]["name"]: each[part] for each in configs}
    return {name: {key: value for key, value in each.items() if key != "@type"} for name, each in found.items()}


@pytest.mark.parametrize("case", CASES)
def test_envoy_accepts_a_golden_case_as_it_is_pushed(case: str, tmp_path: Path) -> None:
    file = tmp_path / "bootstrap.pb"
    file.write_bytes(as_pushed(translated(case), admin_port=free_port()))

    assert validate(file) == ""


@pytest.mark.parametrize("case", CASES)
def test_envoy_accepts_a_golden_cases_scopes_routes_and_assignments(case: str, tmp_path: Path) -> None:
    file = tmp_path / "bootstrap.pb"
    file.write_bytes(in_place(translated(case), admin_port=free_port(), listen=free_port()))

    assert validate(file) == ""


def test_envoy_would_say_what_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "bootstrap.pb"
    options = edge_options(jwks='{"keys":[]}')
    file.write_bytes(in_place(translate(topology(), options), admin_port=free_port(), listen=free_port()))

    assert "Jwks doesn't have any valid public key" in validate(file)


@pytest.mark.parametrize("case", CASES)
def test_envoy_reads_every_message_as_the_golden_files_show_it(case: str, tmp_path: Path) -> None:
    file, admin_port = tmp_path / "bootstrap.pb", free_port()
    given = in_place(translated(case), admin_port=admin_port, listen=free_port())
    file.write_bytes(given)
    static = Bootstrap.parse(given).static_resources
    assert static is not None

    with running(file):
        clusters = held(admin_port, "static_clusters", "cluster")
        listeners = held(admin_port, "static_listeners", "listener")

    assert clusters == {each.name: shown(bytes(each), Cluster) for each in static.clusters}
    assert listeners == {each.name: shown(bytes(each), Listener) for each in static.listeners}


@pytest.mark.parametrize("variant", ["delta", "sotw"])
def test_envoy_accepts_the_bootstrap(variant: Any, tmp_path: Path) -> None:
    file = tmp_path / "bootstrap.json"
    options = BootstrapOptions(
        node_id=NodeId("edge-1"), node_group=NodeGroup("alphaswarm-edge"), server=("127.0.0.1", 18000), variant=variant
    )
    file.write_text(json.dumps(bootstrap(options)))

    assert validate(file) == ""


async def test_a_cells_tenant_has_requests_and_websockets_answered_by_its_cell(tmp_path: Path) -> None:
    idp = IdentityProvider(issuer=ISSUER, audience=AUDIENCE)
    api, admin_port, edge = free_port(), free_port(), free_port()
    here = cell(endpoints=(endpoint(f"127.0.0.1:{api}"),))
    translation = translate(topology(here, tenant("acme")), edge_options(jwks=idp.jwks()))
    file = tmp_path / "bootstrap.pb"
    file.write_bytes(in_place(translation, admin_port=admin_port, listen=edge))
    tokens = {"acme": idp.mint("acme"), "elsewhere": idp.mint("acme", cell="cell-other"), "nobody": idp.mint("nobody")}

    runner = web.AppRunner(_cell_api())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", api).start()
        with running(file):
            await _until_ready(admin_port)
            async with aiohttp.ClientSession(f"http://127.0.0.1:{edge}") as session:
                answers = {name: await _answers(session, token) for name, token in tokens.items()}
                answers["no token"] = await _answers(session, "")
    finally:
        await runner.cleanup()

    assert answers == {
        "acme": [(200, here.id), (200, here.id)],
        "elsewhere": [(401, ""), (401, "")],
        "nobody": [(403, ""), (403, "")],
        "no token": [(401, ""), (401, "")],
    }


async def _answers(session: aiohttp.ClientSession, token: str) -> list[tuple[int, CellId]]:
    """What becomes of a request and of a websocket: its status, and the cell that was told to serve it."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    spoofed = {"x-alphaswarm-cell": "cell-spoofed", "x-alphaswarm-tenant": "acme"}
    async with session.get("/api/x", headers={**headers, **spoofed}) as response:
        is_ours = response.status != 200
        request = (response.status, CellId("" if is_ours else await response.text()))
    try:
        async with session.ws_connect("/ws/x", headers=headers) as socket:
            return [request, (200, CellId(await socket.receive_str(timeout=DEADLINE)))]
    except aiohttp.WSServerHandshakeError as refused:
        return [request, (refused.status, CellId(""))]


async def _until_ready(admin_port: int) -> None:
    for _ in range(round(DEADLINE / 0.02)):
        if "LIVE" in await asyncio.to_thread(ask, admin_port, "/server_info"):
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"in {DEADLINE} s Envoy was not ready")


def _cell_api() -> web.Application:
    async def answer(request: web.Request) -> web.StreamResponse:
        cell_id = request.headers.get("x-alphaswarm-cell", "")
        if request.headers.get("upgrade", "") != "websocket":
            return web.Response(text=cell_id)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(cell_id)
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app
