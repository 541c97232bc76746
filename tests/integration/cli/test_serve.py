"""`alphaswarm-xds serve` as a process: it refuses to serve what it can't protect, and stops gently."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from xds.demo.idp import IdentityProvider

BASE = {"PATH": os.environ["PATH"], "XDS_LISTEN": "127.0.0.1:0", "HTTP_LISTEN": "127.0.0.1:0", "LOG_FORMAT": "json"}
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
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=20)


def refusal(**environment: str) -> tuple[int, str]:
    with serving(**environment) as process:
        _, error = process.communicate(timeout=30)
        return process.returncode, error


def test_auth_required_with_no_issuer_exits_at_once_with_one_clear_line_a_setting() -> None:
    status, error = refusal(DATABASE_URL=NOWHERE)
    assert status == 2
    lines = error.strip().splitlines()
    assert [line.split(": ")[1] for line in lines] == ["AUTH_ISSUER", "AUTH_AUDIENCE", "AUTH_JWKS_FILE"]
    assert all("AUTH_MODE=required" in line for line in lines)


@pytest.mark.parametrize("missing", ["AUTH_ISSUER", "AUTH_AUDIENCE", "AUTH_JWKS_FILE"])
def test_auth_required_with_one_part_missing_exits_with_one_line(auth: dict[str, str], missing: str) -> None:
    status, error = refusal(DATABASE_URL=NOWHERE, **{**auth, missing: ""})
    assert status == 2
    assert len(error.strip().splitlines()) == 1
    assert missing in error


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
