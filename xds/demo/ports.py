"""Ports of this machine that nothing listens on."""

import errno
import random
import socket

from xds.errors import LocalFailure

LOOPBACK = "127.0.0.1"
# Below Linux's range for outgoing connections (32768 and up): a port chosen from inside that range can be
# taken by any connection between now and the moment our child binds it.
_CHOICE = range(20_000, 32_000)
_ATTEMPTS = 200
_given: dict[int, int] = {}
"""What holds each port that was given: a socket's file descriptor, which is never closed."""


def free_port() -> int:
    """A port on the loopback address that nothing listens on; never one that this or another such process was given."""
    choose = random.SystemRandom()
    for _ in range(_ATTEMPTS):
        port = choose.choice(_CHOICE)
        if _reserve(port) and is_free(port):
            return port
    raise LocalFailure(f"no free port among {_ATTEMPTS} tried from {_CHOICE.start} to {_CHOICE.stop - 1}")


def require_free(port: int, purpose: str) -> int:
    """`port` itself; raises `LocalFailure` if it cannot be listened on."""
    fault = _fault(port)
    if fault is not None:
        reason = "is taken" if fault.errno == errno.EADDRINUSE else f"cannot be used ({fault.strerror})"
        raise LocalFailure(f"{purpose}: port {port} on {LOOPBACK} {reason}; free it or choose another")
    _reserve(port)
    return port


def is_free(port: int) -> bool:
    """Whether a server could listen on `port` of the loopback address now."""
    return _fault(port) is None


def _reserve(port: int) -> bool:
    """Take `port` for as long as this process lives; false if it is taken.

    By a name among the abstract sockets, which is gone with the process as a file is not, and is seen in this network
    namespace only, like the port.
    """
    if port in _given:
        return False
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        claim.bind(f"\0alphaswarm-xds-port-{port}")
    except OSError:
        claim.close()
        return False
    _given[port] = claim.detach()
    return True


def _fault(port: int) -> OSError | None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is no obstacle
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            return error
        return None
