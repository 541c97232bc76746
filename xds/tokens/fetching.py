"""How a JWKS is got from where its issuer keeps it: a URL or a file. Decides nothing about what is in it."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from xds.errors import KeysUnavailable
from xds.tokens.keyset import LARGEST_JWKS_BYTES

SECONDS = 10.0
"""How long one fetch may take."""

_MAX_AGE = re.compile(r"(?:^|,)\s*max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came, and for how many seconds it is good by its Cache-Control; None if that does not say."""

    text: bytes
    max_age: float | None = None


def new_session() -> aiohttp.ClientSession:
    """What fetches share. No proxy, cookie or credentials from the environment."""
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    return aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())


async def fetch(session: aiohttp.ClientSession, source: str | Path) -> Fetched:
    """Get it from a URL or a file; raises `KeysUnavailable`."""
    if isinstance(source, Path):
        return Fetched(await asyncio.to_thread(read_file, source))
    try:
        # Not redirected: an https:// URL that was checked must not become another.
        async with session.get(source, allow_redirects=False, headers={"Accept": "application/json"}) as response:
            if response.status != 200:
                raise KeysUnavailable(f"{source}: expected status 200, got {response.status}")
            found = _MAX_AGE.search(response.headers.get("Cache-Control", ""))
            return Fetched(await _limited(response, source), float(found[1]) if found else None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise KeysUnavailable(f"{source}: {str(error) or f'no answer in {SECONDS:g} s'}") from error


def read_file(path: Path) -> bytes:
    """The file's bytes, up to one more than a JWKS may have; raises `KeysUnavailable`."""
    try:
        with path.open("rb") as stream:
            return stream.read(LARGEST_JWKS_BYTES + 1)
    except OSError as error:
        raise KeysUnavailable(f"cannot read {path}: {error.strerror}") from error


async def _limited(response: aiohttp.ClientResponse, source: str) -> bytes:
    text = b""
    async for chunk in response.content.iter_chunked(16 * 1024):
        text += chunk
        if len(text) > LARGEST_JWKS_BYTES:
            raise KeysUnavailable(f"{source}: larger than {LARGEST_JWKS_BYTES} bytes")
    return text
