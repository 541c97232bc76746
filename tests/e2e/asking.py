"""Requests of kinds that the demo's client does not send, and all of what comes back."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt

from xds.demo.idp import IdentityProvider
from xds.demo.ports import LOOPBACK

SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back, with its headers by lower-case name."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def body(self) -> dict[str, Any]:
        return dict(json.loads(self.text))


def with_claims(idp: IdentityProvider, **claims: object) -> str:
    """A token with these claims, of any kind; one that is `...` is left out. Acme's, unless they say otherwise."""
    held = {**jwt.decode(idp.mint("acme"), options={"verify_signature": False}), **claims}
    payload = {name: value for name, value in held.items() if value is not ...}
    return jwt.encode(payload, idp._keys[idp.key_id], algorithm="RS256", headers={"kid": idp.key_id})


async def ask(port: int, path: str, *, token: str = "", method: str = "GET", **headers: str) -> Reply:
    """Send one request on a connection of its own; underscores in the names of `headers` stand for dashes."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        sent["authorization"] = f"Bearer {token}"
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=SECONDS)) as session,
        session.request(method, f"http://{LOOPBACK}:{port}{path}", headers=sent, allow_redirects=False) as response,
    ):
        held = {name.lower(): value for name, value in response.headers.items()}
        return Reply(status=response.status, headers=held, text=await response.text())


async def raw(port: int, *lines: str) -> str:
    """Send an HTTP/1.1 head exactly as given: what comes back until the other side closes or falls silent."""
    return (await _converse(port, "".join(f"{line}\r\n" for line in (*lines, "")).encode())).decode(errors="replace")


async def by_http2(port: int, headers: Mapping[str, str]) -> bytes:
    """Send one HTTP/2 request of these headers: the data that comes back.

    The answer's headers are not read: what the edge says itself, and what a cell saw, is in the data.
    """
    block = b"".join(b"\0" + _literal(name) + _literal(value) for name, value in headers.items())
    # END_HEADERS; the stream stays open, as an extended CONNECT needs it.
    sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, b"") + _frame(1, 0x4, 1, block)
    if headers[":method"] != "CONNECT":
        sent += _frame(0, 0x1, 1, b"")
    return _data_of(await _converse(port, sent))


def _literal(text: str) -> bytes:
    """HPACK: a string as it is (RFC 7541, 5.2); shorter ones have their length in one byte."""
    held = text.encode()
    if len(held) < 127:
        return bytes((len(held),)) + held
    rest, size = len(held) - 127, b"\x7f"
    while rest >= 128:
        size, rest = size + bytes((rest % 128 | 128,)), rest // 128
    return size + bytes((rest,)) + held


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _data_of(came: bytes) -> bytes:
    data = b""
    while len(came) >= 9:
        size, kind = int.from_bytes(came[:3], "big"), came[3]
        data += came[9 : 9 + size] if kind == 0 else b""
        came = came[9 + size :]
    return data


async def _converse(port: int, sent: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    came = b""
    try:
        writer.write(sent)
        await writer.drain()
        # A second of silence after the last byte is the end: such a connection need not be closed by the edge.
        with suppress(TimeoutError):
            while part := await asyncio.wait_for(reader.read(65536), SECONDS if not came else 1.0):
                came += part
    finally:
        writer.close()
    return came
