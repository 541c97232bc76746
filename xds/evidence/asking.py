"""Asks by HTTP GET, with a deadline and a largest answer; and finds the machines behind a name.

Knows nothing about what is asked.
"""

import asyncio
import os
import socket
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from xds.errors import EvidenceUnavailable

SECONDS = 5.0
"""How long one answer may take."""

LARGEST = 16 * 1024 * 1024


class Asking:
    """A client of its own; no proxy, cookie or credentials of the environment's. To be entered."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._session: aiohttp.ClientSession | None = None

    async def get(self, url: str, query: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Status and text; raises `EvidenceUnavailable` without an answer."""
        assert self._session is not None, "it is entered before it is used"
        try:
            async with self._session.get(url, params=query, allow_redirects=False) as response:
                text = await response.content.read(LARGEST + 1)
                while not response.content.at_eof() and len(text) <= LARGEST:
                    text += await response.content.read(LARGEST)
                if len(text) > LARGEST:
                    raise EvidenceUnavailable(f"{url}: the answer is larger than {LARGEST} bytes")
                return response.status, text.decode(errors="replace")
        except TimeoutError:
            raise EvidenceUnavailable(f"{url}: no answer in {self._seconds:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise EvidenceUnavailable(f"{url}: no answer: {_reason(error)}") from error

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=self._seconds)
        self._session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()


async def machines(urls: Sequence[str]) -> tuple[str, ...]:
    """The URLs, each once for every address of its host name; https:// ones stay, since a certificate has the name.

    Raises `EvidenceUnavailable` for a name that has no address.
    """
    found = await asyncio.gather(*map(_machines, urls))
    return tuple(dict.fromkeys(url for each in found for url in each))


async def _machines(url: str) -> list[str]:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        return [url]
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(SECONDS):
            answers = await loop.getaddrinfo(parts.hostname, parts.port or 80, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise EvidenceUnavailable(f"{url}: its name is not found in {SECONDS:g} s") from None
    except OSError as error:
        raise EvidenceUnavailable(f"{url}: its name is not found: {(error.strerror or str(error)).lower()}") from error
    addresses = _of_one_family({str(address[0]) for *_, address in answers})
    if len(addresses) == 1:
        return [url]
    port = f":{parts.port}" if parts.port else ""
    hosts = (f"[{each}]" if ":" in each else each for each in addresses)
    return [urlunsplit(parts._replace(netloc=f"{host}{port}")) for host in hosts]


def _of_one_family(addresses: set[str]) -> list[str]:
    """The IPv4 addresses if there are any: a machine that has both kinds would else be two."""
    return sorted(address for address in addresses if ":" not in address) or sorted(addresses)


def _reason(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number).lower() if isinstance(number, int) and number > 0 else str(error) or type(error).__name__
