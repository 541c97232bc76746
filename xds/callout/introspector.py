"""Asks a token introspection endpoint about one token (RFC 7662, section 2.1).

Knows what can go wrong on the way, not what an answer means. The token is in the request's body and nowhere else.
"""

import asyncio
import time
from base64 import b64encode
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import quote_plus

import aiohttp

from xds.callout.introspection import Expected, judge
from xds.callout.verdicts import Undecided, Verdict

_LARGEST_ANSWER = 64 * 1024
_CONNECTIONS = 64
"""More lookups than this wait for one another, and not longer than one may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to ask, who we are there (nobody, if there is no `client_id`), and how long an answer may take."""

    url: str
    client_id: str = ""
    client_secret: str = ""
    timeout_seconds: float

    def __repr__(self) -> str:
        return f"Endpoint({self.url!r})"


class Introspector:
    """Asks while it is entered."""

    def __init__(self, endpoint: Endpoint, expected: Expected) -> None:
        self._endpoint = endpoint
        self._expected = expected
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, token: str) -> Verdict:
        """What the endpoint says of a token; whatever goes wrong is `Undecided`."""
        assert self._session is not None, "nobody asks before the start"
        form = {"token": token, "token_type_hint": "access_token"}
        try:
            async with (
                asyncio.timeout(self._endpoint.timeout_seconds),
                # Not redirected: the token would go where nobody configured it to.
                self._session.post(self._endpoint.url, data=form, allow_redirects=False) as response,
            ):
                if response.status != 200:
                    is_outage = response.status >= 500 or response.status == 429
                    return Undecided(f"the endpoint answered {response.status}", is_outage)
                body = await _read(response)
        except TimeoutError:
            return Undecided("the endpoint took too long", is_outage=True)
        except (aiohttp.ClientError, OSError) as error:
            return Undecided(f"the endpoint is not reached: {str(error) or type(error).__name__}", is_outage=True)
        return Undecided("the answer is too long") if body is None else judge(body, self._expected, time.time())

    async def __aenter__(self) -> Self:
        # No proxy, cookie or credentials from the environment.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept": "application/json", "Accept-Encoding": "identity", **_credentials(self._endpoint)},
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None, "it was entered"
        await self._session.close()


async def _read(response: aiohttp.ClientResponse) -> bytes | None:
    """The body; None if it is too long to be an answer."""
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            return None
    return body


def _credentials(endpoint: Endpoint) -> dict[str, str]:
    """HTTP Basic, each half encoded as in a form (RFC 6749, section 2.3.1)."""
    if not endpoint.client_id:
        return {}
    both = f"{quote_plus(endpoint.client_id)}:{quote_plus(endpoint.client_secret)}"
    return {"Authorization": f"Basic {b64encode(both.encode()).decode()}"}
