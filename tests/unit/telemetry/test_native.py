"""What gRPC's core writes on the standard error becomes log lines; whatever else is written there stays as it is."""

import os

import pytest
from structlog.testing import capture_logs

from xds.telemetry import native_lines

PLACE = "I1123 19:47:43.988141    8101 ssl_transport_security.cc:2563] "
FAILED = f"{PLACE}Handshake failed with error SSL_ERROR_SSL: error:1000007d:SSL routines:OPENSSL_internal:"


@pytest.mark.parametrize(
    ("text", "reason", "detail"),
    [
        (
            f"{FAILED}CERTIFICATE_VERIFY_FAILED: unable to get local issuer certificate",
            "CERTIFICATE_VERIFY_FAILED",
            "unable to get local issuer certificate",
        ),
        (f"{FAILED}NO_SHARED_CIPHER", "NO_SHARED_CIPHER", ""),
        (f"{PLACE}Handshake failed with error SSL_ERROR_SYSCALL: gone", "gone", ""),
    ],
)
def test_a_handshake_that_failed_is_a_warning_with_its_reason(
    capfd: pytest.CaptureFixture[str], text: str, reason: str, detail: str
) -> None:
    with capture_logs() as lines, native_lines():
        os.write(2, f"{text}\n".encode())

    assert lines == [{"event": "handshake.refused", "log_level": "warning", "reason": reason, "detail": detail}]
    assert capfd.readouterr().err == ""


def test_what_else_the_core_says_is_a_debug_line(capfd: pytest.CaptureFixture[str]) -> None:
    trace = "=== Source Location Trace: === \nsrc/core/xds/xds_client/xds_client.cc:572\n\n"
    with capture_logs() as lines, native_lines():
        os.write(2, b"W1123 19:51:59.127361    9694 log.cc:102] Log level INFO is not suitable for production.\n")
        os.write(2, trace.encode())

    (line,) = lines
    assert (line["event"], line["log_level"], line["library"]) == ("library.logged", "debug", "grpc")
    assert (line["message"], line["place"]) == ("Log level INFO is not suitable for production.", "log.cc:102")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("data", [b"Traceback (most recent call last):\n", b"no end", b"\xff\n", b"I1123 not quite\n"])
def test_whatever_else_is_written_is_passed_on(capfdbinary: pytest.CaptureFixture[bytes], data: bytes) -> None:
    with capture_logs() as lines, native_lines():
        os.write(2, data)

    assert lines == []
    assert capfdbinary.readouterr().err == data


def test_our_own_lines_go_straight_to_the_real_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    with capture_logs() as lines, native_lines() as stream:
        print(f"{FAILED}NO_SHARED_CIPHER", file=stream)

    assert lines == []
    assert capfd.readouterr().err == f"{FAILED}NO_SHARED_CIPHER\n"


def test_afterwards_all_is_as_before(capfd: pytest.CaptureFixture[str]) -> None:
    with native_lines():
        pass
    with capture_logs() as lines:
        os.write(2, f"{FAILED}NO_SHARED_CIPHER\n".encode())

    assert lines == []
    assert "NO_SHARED_CIPHER" in capfd.readouterr().err
