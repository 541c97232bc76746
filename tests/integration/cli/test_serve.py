"""`alphaswarm-xds serve` as a process: it refuses to serve what it can't protect, and stops gently."""

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Timer
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import asyncpg
import grpc
import pytest
from envoy_data_plane.envoy.config.core.v3 import Node
from envoy_data_plane.envoy.service.discovery.v3 import DiscoveryRequest

from tests.integration.cli.conftest import Run
from tests.support.signing import secret_lines, write_key
from xds.app import serve
from xds.demo.authority import Authority, put
from xds.demo.idp import IdentityProvider
from xds.demo.ports import free_port
from xds.errors import SettingsError
from xds.names import TypeUrl
from xds.proto.typed.alphaswarm.xds.control.v1 import Publishing
from xds.server.clientstatus import NAME as CSDS
from xds.server.control import NAME as CONTROL
from xds.settings import Address, Settings
from xds.translate.naming import TOKEN_CHECK

BASE = {"PATH": os.environ["PATH"], "XDS_LISTEN": "127.0.0.1:0", "HTTP_LISTEN": "127.0.0.1:0", "LOG_FORMAT": "json"}
ADS = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources"
NOWHERE = "postgresql://xds:s3cret@127.0.0.1:1/none"


@pytest.fixture
def auth(tmp_path: Path) -> dict[str, str]:
    idp = IdentityProvider()
    file = tmp_path / "jwks.json"
    file.write_text(idp.jwks())
    return {"AUTH_ISSUER": idp.issuer, "AUTH_AUDIENCE": idp.audience, "AUTH_JWKS_FILE": str(file)}


@contextmanager
def serving(**environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "xds", "serve"], env={**BASE, **environment}, stderr=subprocess.PIPE, text=True
    )
    end = Timer(60, process.kill)  # whoever waits for a line that never comes reads the end instead
    end.start()
    try:
        yield process
    finally:
        end.cancel()
        process.kill()
        process.communicate(timeout=20)


def refusal(**environment: str) -> tuple[int, str]:
    with serving(**environment) as process:
        _, error = process.communicate(timeout=30)
        return process.returncode, error


def refused_at(http: str, path: str) -> tuple[int, Any]:
    with pytest.raises(HTTPError) as refused:
        urlopen(f"http://{http}{path}", timeout=20)
    with refused.value as answer:
        return answer.code, json.load(answer)


def told_why(number: signal.Signals, **environment: str) -> tuple[str, list[str]]:
    """What /readyz says of a process that may not serve, and its last lines once the signal has ended it."""
    xds = free_port()
    with serving(DATABASE_URL=NOWHERE, **environment, XDS_LISTEN=f"127.0.0.1:{xds}") as process:
        assert process.stderr is not None
        at = until_event(process.stderr, "server.refused")["http"]
        answers = {path: refused_at(at, path) for path in ("/readyz", "/healthz", "/manage/cells", "/metrics")}
        told = answers["/readyz"][1]
        assert [status for status, _ in answers.values()] == [503, 404, 404, 404]
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", xds), timeout=20)
        process.send_signal(number)
        rest = process.communicate(timeout=20)[1]
        assert process.returncode == 2, rest
        assert told["status"] == "unavailable"
        return told["reason"], rest.splitlines()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_auth_required_with_no_issuer_says_at_readyz_what_is_missing_and_ends_with_one_clear_line_a_setting(
    number: signal.Signals,
) -> None:
    reason, lines = told_why(number)
    assert [line.split(": ")[1] for line in lines] == ["AUTH_ISSUER", "AUTH_AUDIENCE", "AUTH_JWKS_URL"]
    assert all("AUTH_MODE=required" in line for line in lines)
    assert reason == "; ".join(line.removeprefix("alphaswarm-xds: ") for line in lines)


@pytest.mark.parametrize("missing", ["AUTH_ISSUER", "AUTH_AUDIENCE"])
def test_auth_required_with_one_part_missing_says_so_in_one_line(auth: dict[str, str], missing: str) -> None:
    reason, lines = told_why(signal.SIGTERM, **{**auth, missing: ""})
    assert len(lines) == 1
    assert missing in lines[0]
    assert missing in reason


def test_where_it_can_not_be_said_it_ends_at_once() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        status, error = refusal(DATABASE_URL=NOWHERE, HTTP_LISTEN=f"127.0.0.1:{taken.getsockname()[1]}")
    assert status == 2
    assert len(error.splitlines()) == 3


async def test_it_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xds.app._TOLD_SECONDS", 0.1)
    async with asyncio.timeout(20):
        with pytest.raises(SettingsError):
            await serve(Settings(auth_mode="required", http_listen=Address("127.0.0.1", 0), auth_issuer=""))


def test_a_file_of_session_tokens_that_cannot_be_used_is_named_in_one_line(
    auth: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "tokens.json"
    file.write_text('[{"sha256": "hunter2"}]')
    callout = {"TENANT_RESOLUTION": "callout", "CALLOUT_TOKENS_FILE": str(file)}
    status, error = refusal(DATABASE_URL=NOWHERE, **auth, **callout)
    assert status == 2
    said = [line for line in error.splitlines() if not line.startswith("{")]
    assert len(said) == 1, error
    assert f"CALLOUT_TOKENS_FILE: cannot use {file}: entry 1: " in said[0]
    assert "hunter2" not in error


def test_a_signing_key_that_can_not_be_used_is_told_in_one_line(auth: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("s3cret")
    status, error = refusal(DATABASE_URL=NOWHERE, **auth, XDS_SIGNING_KEY_FILES=str(tmp_path / "key.pem"))
    assert status == 2
    assert len(error.strip().splitlines()) == 1
    assert error.startswith("alphaswarm-xds: XDS_SIGNING_KEY_FILES: ")
    assert "s3cret" not in error


def test_our_own_issuers_name_among_the_others_is_told_in_one_line(auth: dict[str, str], tmp_path: Path) -> None:
    key, issuers = write_key(tmp_path / "key.pem"), tmp_path / "issuers.json"
    issuers.write_text(json.dumps([{"issuer": "https://x", "audiences": ["a"], "jwks_file": auth["AUTH_JWKS_FILE"]}]))
    settings = {"AUTH_ISSUERS_FILE": str(issuers), "XDS_SIGNING_KEY_FILES": str(key), "TOKEN_ISSUER": "https://x"}
    status, error = refusal(DATABASE_URL=NOWHERE, **settings)
    assert status == 2
    said = "TOKEN_ISSUER: https://x is in AUTH_ISSUERS_FILE; whoever signs has a name of its own"
    assert error.splitlines() == [f"alphaswarm-xds: {said}"]


@pytest.mark.parametrize("variable", ["XDS_LISTEN", "HTTP_LISTEN"])
def test_a_taken_port_is_named_in_one_line(auth: dict[str, str], variable: str) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        status, error = refusal(DATABASE_URL=NOWHERE, **auth, **{variable: address})
    assert status == 1
    said = [line for line in error.splitlines() if not line.startswith("{")]
    assert len(said) == 1, error
    assert variable in said[0]
    assert address in said[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_gently_even_while_the_database_is_down(auth: dict[str, str], number: signal.Signals) -> None:
    with serving(DATABASE_URL=NOWHERE, **auth) as process:
        assert process.stderr is not None
        seen = []
        for line in process.stderr:
            seen.append(line)
            if '"server.started"' in line:
                break
        process.send_signal(number)
        rest = process.communicate(timeout=20)[1]
    log = "".join(seen) + rest
    assert process.returncode == 0, log
    assert "Traceback" not in log
    assert "s3cret" not in log
    assert json.loads(log.strip().splitlines()[-1])["event"] == "server.stopped"


# The xDS channel


@pytest.fixture
def channel(tmp_path: Path) -> dict[str, str]:
    """A server's certificate and its clients' CA, as settings; and a client's certificate beside them."""
    files = {f"XDS_TLS_{each}_FILE": tmp_path / f"{each}.pem" for each in ("CERT", "KEY", "CLIENT_CA")}
    authority = Authority()
    put(files["XDS_TLS_CLIENT_CA_FILE"], authority.certificate)
    authority.issue("localhost").write(files["XDS_TLS_CERT_FILE"], files["XDS_TLS_KEY_FILE"])
    authority.issue("edge-1").write(tmp_path / "edge.pem", tmp_path / "edge.key")
    Authority("another CA").issue("edge-1").write(tmp_path / "stranger.pem", tmp_path / "stranger.key")
    return {name: str(path) for name, path in files.items()}


def handshake(address: str, folder: Path, version: ssl.TLSVersion, shown: str) -> str:
    """The version that is agreed on with a client that knows no other, or why there is none."""
    context = ssl.create_default_context(cafile=str(folder / "CLIENT_CA.pem"))
    context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.set_alpn_protocols(["h2"])
    if shown:
        context.load_cert_chain(folder / f"{shown}.pem", folder / f"{shown}.key")
    host, _, port = address.rpartition(":")
    try:
        with (
            closing(socket.create_connection((host, int(port)), timeout=10)) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as protected,
        ):
            protected.recv(1)  # TLS 1.3: a client learns only now that its certificate is refused
            return protected.version() or ""
    except OSError as error:
        return str(error)


def until_event(stream: Iterable[str], event: str) -> dict[str, Any]:
    for line in stream:
        said: dict[str, Any] = json.loads(line)
        if said["event"] == event:
            return said
    raise AssertionError(f"{event} was never said")


@pytest.mark.parametrize(
    ("version", "shown", "reason"),
    [
        (ssl.TLSVersion.TLSv1_3, "edge", ""),
        (ssl.TLSVersion.TLSv1_2, "edge", "NO_SHARED_CIPHER"),
        (ssl.TLSVersion.TLSv1_3, "", "PEER_DID_NOT_RETURN_A_CERTIFICATE"),
        (ssl.TLSVersion.TLSv1_3, "stranger", "CERTIFICATE_VERIFY_FAILED"),
    ],
)
def test_nothing_but_tls_1_3_with_a_certificate_of_the_ca_is_spoken_and_a_refusal_is_logged(
    auth: dict[str, str], channel: dict[str, str], tmp_path: Path, version: ssl.TLSVersion, shown: str, reason: str
) -> None:
    with serving(DATABASE_URL=NOWHERE, **auth, **channel) as process:
        assert process.stderr is not None
        started = until_event(process.stderr, "server.started")
        assert started["plaintext"] is False
        met = handshake(started["xds"], tmp_path, version, shown)
        assert met.startswith("TLSv") is (not reason), met
        if reason:
            refused = until_event(process.stderr, "handshake.refused")
            assert (refused["level"], refused["reason"]) == ("warning", reason)


def test_a_certificate_that_is_no_use_is_one_line(auth: dict[str, str], channel: dict[str, str]) -> None:
    status, error = refusal(DATABASE_URL=NOWHERE, **auth, **{**channel, "XDS_TLS_KEY_FILE": "/no/such.key"})
    assert status == 2
    said = [line for line in error.splitlines() if not line.startswith("{")]
    assert said == ["alphaswarm-xds: XDS_TLS_KEY_FILE: cannot read /no/such.key: No such file or directory"]


def test_plain_text_is_refused_where_others_can_read_it(auth: dict[str, str]) -> None:
    status, error = refusal(DATABASE_URL=NOWHERE, **auth, XDS_LISTEN="0.0.0.0:0")
    assert status == 2
    (line,) = error.splitlines()
    assert line.startswith("alphaswarm-xds: XDS_LISTEN: refusing to serve plain text on 0.0.0.0:0: set XDS_TLS_CERT")
    assert line.endswith("or set XDS_ALLOW_PLAINTEXT=yes")


def test_plain_text_is_served_there_by_the_operators_word(auth: dict[str, str]) -> None:
    with serving(DATABASE_URL=NOWHERE, **auth, XDS_LISTEN="0.0.0.0:0", XDS_ALLOW_PLAINTEXT="yes") as process:
        assert process.stderr is not None
        assert until_event(process.stderr, "server.started")["plaintext"] is True


def test_what_should_not_stay_so_is_said_at_start(auth: dict[str, str], database_url: str) -> None:
    with serving(DATABASE_URL=database_url, **auth, HTTP_AUTH="off") as process:
        assert process.stderr is not None
        started = until_event(process.stderr, "server.started")
        assert "HTTP_AUTH=off" in until_event(process.stderr, "server.warned")["warning"]
        assert "HTTP_AUTH=off" in asked(started["http"], "/statusz")["warnings"][0]
        with urlopen(f"http://{started['http']}/metrics", timeout=20) as answer:
            assert b"alphaswarm_xds_operator_tokens_required 0.0" in answer.read()


def test_it_is_asked_over_both_faces(auth: dict[str, str], database_url: str) -> None:
    with serving(DATABASE_URL=database_url, **auth) as process:
        assert process.stderr is not None
        started = until_event(process.stderr, "server.started")
        with urlopen(f"http://{started['http']}/manage/publishing", timeout=20) as answer:
            told = json.load(answer)
        with grpc.insecure_channel(started["xds"]) as channel:
            asked = channel.unary_unary(f"/{CONTROL}/GetPublishing")(b"", timeout=20)
        assert Publishing.parse(asked).etag == told["etag"]


NEWER = """
ALTER TABLE cells ADD COLUMN added_later text;
INSERT INTO cells (id, state) VALUES ('cell-a', 'active');
UPDATE xds_alembic_version SET version_num = '0099_future';
"""


def test_it_serves_from_a_schema_that_a_newer_version_has_added_to(
    auth: dict[str, str], database_url: str, xds: Run
) -> None:
    async def add() -> None:
        connection = await asyncpg.connect(database_url)
        await connection.execute(NEWER)
        await connection.close()

    asyncio.run(add())
    with serving(DATABASE_URL=database_url, **auth) as process:
        assert process.stderr is not None
        http = until_event(process.stderr, "server.started")["http"]
        until_true(lambda: is_ready(http))
    assert "0099_future" in xds("cells", "list").err


def is_ready(http: str) -> bool:
    try:
        with urlopen(f"http://{http}/readyz", timeout=20) as answer:
            return bool(answer.status == 200)
    except HTTPError:
        return False


def asked(http: str, path: str, body: dict[str, object] | None = None) -> Any:
    headers = {"Content-Type": "application/json", "If-Match": "*"}
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(f"http://{http}{path}", data, headers), timeout=20) as answer:
        return json.load(answer)


def until_true(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_a_drain_outlives_the_server_that_was_asked_for_it(auth: dict[str, str], database_url: str, xds: Run) -> None:
    for cell in ("cell-a", "cell-b"):
        xds("cells", "add", cell, "--state", "active")
    for number in range(6):
        xds("tenants", "add", f"t{number}", "--cell", "cell-a")
    there = {"DATABASE_URL": database_url, **auth}
    with serving(**there, REPLICA="first") as first, serving(**there, REPLICA="second") as second:
        assert first.stderr is not None
        assert second.stderr is not None
        asked_one = until_event(first.stderr, "server.started")["http"]
        other = until_event(second.stderr, "server.started")["http"]
        until_true(lambda: len(asked(other, "/manage/fleet")["replicas"]) == 2)
        told = asked(other, "/manage/fleet")
        assert (told["complete"], sorted(each["name"] for each in told["replicas"])) == (True, ["first", "second"])

        order = {"to": "cell-b", "batch": 2, "pause_seconds": 1}
        assert asked(asked_one, "/manage/cells/cell-a/drain/start", order)["state"] == "running"
        until_true(lambda: asked(other, "/manage/cells/cell-a/drain")["moved"] > 0)
        first.kill()
        until_true(lambda: asked(other, "/manage/cells/cell-a/drain")["state"] == "ended")
        drained = asked(other, "/manage/cells/cell-a/drain")
        assert (drained["moved"], drained["left"]) == (6, 0)


def with_password(url: str) -> tuple[str, str]:
    """The database's URL with a password in it, and that; one that has none lets anybody in."""
    parts = urlsplit(url)
    if parts.password:
        return url, parts.password
    return url.replace(f"//{parts.username}@", f"//{parts.username}:p4ssword@"), "p4ssword"


def held_by_an_envoy(xds: str) -> Iterator[str]:
    """What one is given that asks for what may have a secret in it, and what it is then said to hold."""
    node = Node(id="edge-1", cluster="alphaswarm-edge")
    asking: SimpleQueue[bytes | None] = SimpleQueue()
    with grpc.insecure_channel(xds) as channel:
        answers = channel.stream_stream(ADS)(iter(asking.get, None))
        for type_url, names in ((TypeUrl.LISTENER, ()), (TypeUrl.CLUSTER, ()), (TypeUrl.EXTENSION, (TOKEN_CHECK,))):
            asking.put(bytes(DiscoveryRequest(node=node, type_url=type_url, resource_names=list(names))))
            yield next(answers).decode(errors="replace")
        csds = channel.unary_unary(f"/{CSDS}/FetchClientStatus")(b"", timeout=20)
        asking.put(None)
    assert b"edge-1" in csds
    yield csds.decode(errors="replace")


def in_snapshots(xds: Run) -> Iterator[str]:
    """What the commands show of the snapshot in force, to its last resource."""
    for each in xds("snapshot", "show", "--json").json["resources"]:
        shown = xds("snapshot", "show", "--type", each["type"], "--name", each["name"])
        assert shown.status == 0
        yield shown.out
    yield from (xds("snapshot", *command).out for command in (("list", "--json"), ("mode",), ("diff", "--json")))


def test_no_secret_is_in_what_envoys_are_said_to_hold_nor_in_any_snapshot(
    auth: dict[str, str], database_url: str, xds: Run, tmp_path: Path
) -> None:
    xds("cells", "add", "cell-a", "--state", "active")
    xds("tenants", "add", "acme", "--cell", "cell-a")
    url, password = with_password(database_url)
    key = write_key(tmp_path / "key.pem")
    callout = {
        "TENANT_RESOLUTION": "callout",
        "CALLOUT_INTROSPECTION_URL": "http://127.0.0.1:1/introspect",
        "CALLOUT_INTROSPECTION_CLIENT_ID": "edge",
        "CALLOUT_INTROSPECTION_CLIENT_SECRET": "hunter2",
    }
    told = []
    settings = {"XDS_SIGNING_KEY_FILES": str(key), "LOG_LEVEL": "debug", "SHUTDOWN_SECONDS": "0"}
    with serving(DATABASE_URL=url, **auth, **callout, **settings) as process:
        assert process.stderr is not None
        started = until_event(process.stderr, "server.started")
        until_true(lambda: bool(asked(started["http"], "/statusz")["ready"]))
        told += [*held_by_an_envoy(started["xds"]), *in_snapshots(xds)]
        process.terminate()
        told.append(process.communicate(timeout=20)[1])
    everything = "\n".join(told)
    assert json.loads(Path(auth["AUTH_JWKS_FILE"]).read_text())["keys"][0]["kid"] in everything, "public keys are there"
    assert "https://alphaswarm-xds" in everything
    secrets = [*secret_lines(key), "hunter2", password]
    assert [secret for secret in secrets if secret in everything] == []
