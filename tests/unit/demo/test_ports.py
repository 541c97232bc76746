"""Ports that are free, and those that are not."""

import socket
import subprocess
import sys

import pytest

from xds.demo import ports
from xds.demo.ports import LOOPBACK, free_port, is_free, require_free
from xds.errors import LocalFailure


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server((LOOPBACK, free_port())) as server:
        assert not is_free(server.getsockname()[1])


def test_no_port_is_given_twice() -> None:
    assert len({free_port() for _ in range(50)}) == 50


def test_a_free_port_is_none_that_outgoing_connections_use() -> None:
    assert all(free_port() < 32768 for _ in range(20))


def test_a_taken_port_is_one_line_that_names_it() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(LocalFailure) as failure:
            require_free(port, "Envoy edge-a")
    expected = f"Envoy edge-a: port {port} on 127.0.0.1 is taken; free it or choose another"
    assert str(failure.value) == expected


def test_a_port_that_is_asked_for_is_not_given_away() -> None:
    port = free_port()
    assert require_free(port, "thing") == port


def test_a_port_that_another_process_was_given_is_not_given_away_before_that_one_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    code = "from xds.demo.ports import free_port; print(free_port(), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        port = int(other.stdout.readline())
        monkeypatch.setattr(ports, "_CHOICE", range(port, port + 1))
        with pytest.raises(LocalFailure, match="no free port"):
            free_port()
        other.stdin.close()
        other.wait(timeout=10)
    assert free_port() == port
