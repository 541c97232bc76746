"""What a setting can be besides text and numbers: addresses, lists, modes; and how each is read.

Knows no variable's name, and reads no environment. What cannot be read is a ValueError that says what was expected.
"""

import ipaddress
import re
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from xds.identities import NodeRule

_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?")  # a name, IPv4 or IPv6: no URL, no space
_PORT = re.compile(r"[0-9]{1,5}")


class CbaMode(StrEnum):
    """What becomes of a token that is bound to another cell: refused, only counted, or not looked at."""

    ENFORCE = "enforce"
    MONITOR = "monitor"
    OFF = "off"


class HttpAuth(StrEnum):
    """From whom an operator's token is asked on the HTTP side: all, all but this machine, or nobody."""

    TOKEN = "token"  # noqa: S105 -- a mode
    LOOPBACK = "loopback"
    OFF = "off"


class Address(NamedTuple):
    """A host and a port, written `host:port`; port 0 lets the system choose."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Read `host:port` or `[v6]:port`; raises ValueError."""
        host, _, port = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not _HOST.fullmatch(host) or not _PORT.fullmatch(port) or int(port) > 65535:
            raise ValueError(f"expected host:port with a port of 0 to 65535, got {text!r}")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class TlsFiles(NamedTuple):
    """The files of the xDS channel: the server's certificate and key, and the CA of its clients."""

    certificate: Path
    key: Path
    client_ca: Path


def read_address(value: object) -> object:
    """An address of `host:port`; a value that is no text is taken as it is, here and below."""
    return Address.parse(value) if isinstance(value, str) else value


def read_listeners(value: object) -> object:
    """Addresses by node group, of `group=host:port` separated by commas."""
    if not isinstance(value, str):
        return value
    listeners: dict[str, Address] = {}
    for item in filter(None, (item.strip() for item in value.split(","))):
        group, equals, address = item.partition("=")
        if not equals or not group or group in listeners:
            raise ValueError(f"expected group=host:port, each group once, separated by commas, got {item!r}")
        listeners[group] = Address.parse(address)
    return listeners


def read_items(value: object) -> object:
    """A list of texts separated by commas."""
    return tuple(filter(None, (item.strip() for item in value.split(",")))) if isinstance(value, str) else value


def read_node_rules(value: object) -> object:
    """Rules of which certificate may be which node, separated by commas."""
    items = read_items(value)
    return tuple(map(NodeRule.parse, items)) if isinstance(value, str) and isinstance(items, tuple) else items


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
