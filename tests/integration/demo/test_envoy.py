"""A real Envoy with a bootstrap of our own, several at once, and the tokens that it checks."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from xds.demo.client import EdgeClient
from xds.demo.envoy import EnvoyProcess, Json, packaged_binary, version
from xds.demo.idp import AUDIENCE, ISSUER, IdentityProvider
from xds.demo.ports import LOOPBACK, free_port
from xds.errors import LocalFailure

HTTP = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
JWT = "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
STDOUT = "type.googleapis.com/envoy.config.bootstrap.v3.Bootstrap"


def address(port: int) -> dict[str, Json]:
    return {"socket_address": {"address": LOOPBACK, "port_value": port}}


def bootstrap(admin_port: int, port: int, *, jwks: str = "") -> dict[str, Json]:
    """One listener that answers 200 by itself, after checking the token if there is a JWKS."""
    provider: dict[str, Json] = {
        "issuer": ISSUER,
        "audiences": [AUDIENCE],
        "local_jwks": {"inline_string": jwks},
        "require_expiration": True,
    }
    rules: Json = [{"match": {"prefix": "/"}, "requires": {"provider_name": "demo"}}]
    check: Json = {"@type": JWT, "providers": {"demo": provider}, "rules": rules}
    filters: list[Json] = [{"name": "jwt", "typed_config": check}] if jwks else []
    filters.append({"name": "router", "typed_config": {"@type": ROUTER}})
    route: Json = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "hello"}}}
    manager: Json = {
        "@type": HTTP,
        "stat_prefix": "edge",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": filters,
    }
    chain: Json = {"filters": [{"name": "http", "typed_config": manager}]}
    listener: Json = {"name": "edge", "address": address(port), "filter_chains": [chain]}
    return {"admin": {"address": address(admin_port)}, "static_resources": {"listeners": [listener]}}


@pytest.fixture
async def envoy(tmp_path: Path) -> AsyncIterator[EnvoyProcess]:
    admin, port = free_port(), free_port()
    async with EnvoyProcess("edge", bootstrap(admin, port), admin_port=admin, folder=tmp_path) as process:
        yield process


async def test_says_its_version(tmp_path: Path) -> None:
    assert await version(packaged_binary(), logs=tmp_path) == "1.40.0"


async def test_several_run_side_by_side(tmp_path: Path) -> None:
    ports = [(free_port(), free_port()) for _ in range(3)]
    envoys = [
        EnvoyProcess(f"edge-{number}", bootstrap(*pair), admin_port=pair[0], folder=tmp_path)
        for number, pair in enumerate(ports)
    ]
    try:
        for process in envoys:
            await process.start()
        for _, port in ports:
            async with EdgeClient(port) as client:
                assert (await client.get("/")).text == "hello"
    finally:
        await asyncio.gather(*(process.stop() for process in envoys))
    assert not any(psutil.pid_exists(process.child.pid) for process in envoys)


async def test_checks_the_demos_tokens(tmp_path: Path) -> None:
    idp, admin, port = IdentityProvider(), free_port(), free_port()
    given = bootstrap(admin, port, jwks=idp.jwks())
    async with EnvoyProcess("edge", given, admin_port=admin, folder=tmp_path), EdgeClient(port) as client:
        tokens = [
            (idp.mint("acme"), 200),
            ("", 401),
            ("not.a.token", 401),
            (idp.mint("acme", forged=True), 401),
            (idp.mint("acme", expires_in=-3600), 401),
            (idp.mint("acme", issuer="https://elsewhere.example"), 401),
            (idp.mint("acme", audience="elsewhere"), 403),
        ]
        answers = [(await client.get("/", token=token)).status for token, _ in tokens]
    assert answers == [status for _, status in tokens]


async def test_its_stats_and_config_can_be_asked_for(envoy: EnvoyProcess) -> None:
    assert (await envoy.stats("listener_manager."))["listener_manager.total_listeners_active"] == 1
    assert set(await envoy.stats("server.live")) == {"server.live"}
    (held,) = await envoy.config_dump("static_listeners", name_regex="^edge$", mask="listener.name")
    assert isinstance(held, dict)
    assert held["listener"]["name"] == "edge"
    assert await envoy.config_dump("static_listeners", name_regex="^other$") == []


async def test_comes_back_after_a_restart_and_a_crash(envoy: EnvoyProcess) -> None:
    first = envoy.child.pid
    await envoy.restart()
    second = envoy.child.pid
    assert await envoy.is_ready()
    envoy.child.kill()
    assert not await envoy.is_ready()
    await envoy.start()
    assert len({first, second, envoy.child.pid}) == 3


async def test_can_be_paused_and_resumed(envoy: EnvoyProcess) -> None:
    process = psutil.Process(envoy.child.pid)
    envoy.pause()
    assert await becomes(process, psutil.STATUS_STOPPED)
    envoy.resume()
    await envoy.ready(timeout=10)


async def becomes(process: psutil.Process, status: str) -> bool:
    for _ in range(200):
        if process.status() == status:
            return True
        await asyncio.sleep(0.01)
    return False


async def test_a_paused_one_stops_in_time(envoy: EnvoyProcess) -> None:
    envoy.pause()
    await asyncio.wait_for(envoy.stop(), timeout=8)
    assert envoy.child.status in (0, -signal.SIGTERM)


async def test_a_taken_port_is_one_line_that_says_so(envoy: EnvoyProcess, tmp_path: Path) -> None:
    taken = int(envoy.admin.rpartition(":")[2])
    second = EnvoyProcess("second", bootstrap(taken, free_port()), admin_port=taken, folder=tmp_path)
    assert not await second.is_ready()  # though somebody answers at its admin port
    with pytest.raises(LocalFailure, match=r"^Envoy second: .* ended with exit status 1: .*[Aa]ddress already in use"):
        await second.start()
    assert not second.child.is_running


async def test_a_bootstrap_that_it_rejects_is_one_line(tmp_path: Path) -> None:
    wrong = EnvoyProcess("wrong", {"no_such_field": 1}, admin_port=free_port(), folder=tmp_path)
    with pytest.raises(LocalFailure, match=r"^Envoy wrong: .*no_such_field") as failure:
        await wrong.start()
    assert "\n" not in str(failure.value)


async def test_another_binary_that_cannot_run_is_one_line(tmp_path: Path) -> None:
    binary = tmp_path / "envoy"
    binary.write_bytes(b"\x7fNOT-ELF")
    binary.chmod(0o755)
    with pytest.raises(LocalFailure, match=f"^Envoy: cannot run {binary}: Exec format error$"):
        await version(binary, logs=tmp_path)


async def test_a_silent_admin_interface_is_one_line(tmp_path: Path) -> None:
    admin = free_port()
    process = EnvoyProcess("edge", {}, admin_port=admin, folder=tmp_path)
    with pytest.raises(LocalFailure, match=f"^Envoy edge: its admin interface at http://127.0.0.1:{admin} is silent"):
        await process.stats()
