"""A client of one Envoy: one connection that is kept, one request after the other.

Knows nothing about which answer is the right one.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp

from xds.demo.ports import LOOPBACK
from xds.errors import LocalFailure

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_SOCKET = aiohttp.ClientWSTimeout(ws_close=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: `body` is the text as JSON, empty if it is no JSON object."""

    status: int
    text: str
    body: Mapping[str, object]

    @property
    def cell(self) -> str:
        """The cell that answered, by its own account; empty if none did."""
        return str(self.body.get("cell", "")) if self.status == 200 else ""

    def saw(self, header: str) -> str | list[str] | None:
        """The value of a header as the cell saw it, a list if it came more than once."""
        headers = self.body.get("headers")
        return headers.get(header) if isinstance(headers, dict) else None


async def once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Have a session send a request once; by itself it sends it again, unseen, if nobody answers on its connection."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise aiohttp.ClientConnectionError(str(error)) from error


class EdgeClient:
    """Sends requests to the Envoy that listens on `port`."""

    def __init__(self, port: int) -> None:
        self.url = f"http://{LOOPBACK}:{port}"
        self._session: aiohttp.ClientSession | None = None

    async def get(self, path: str, *, token: str = "", headers: Mapping[str, str] | None = None) -> Answer:
        """GET `path` with a bearer token, if one is given; raises `LocalFailure` when nobody answers."""
        try:
            async with self._opened().get(path, headers=_with_token(token, headers)) as response:
                text = await response.text()
                return Answer(status=response.status, text=text, body=_object(text))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._silent(error) from error

    async def echo(self, path: str, message: str, *, token: str = "") -> tuple[Answer, str]:
        """Open a websocket and send `message`: the cell's account of the request, and what it echoed."""
        try:
            async with self._opened().ws_connect(path, headers=_with_token(token, None), timeout=_SOCKET) as socket:
                account = await socket.receive_str(timeout=_TIMEOUT.total)
                await socket.send_str(message)
                echoed = await socket.receive_str(timeout=_TIMEOUT.total)
                return Answer(status=200, text=account, body=_object(account)), echoed
        except aiohttp.WSServerHandshakeError as error:
            return Answer(status=error.status, text="no websocket", body={}), ""
        except (aiohttp.ClientError, TimeoutError, TypeError) as error:  # TypeError: it closed instead
            raise self._silent(error) from error

    async def is_answering(self) -> bool:
        """Whether anybody answers at all."""
        try:
            await self.get("/healthz")
        except LocalFailure:
            return False
        finally:
            await self.close()
        return True

    async def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(self.url, timeout=_TIMEOUT, middlewares=(once,))
        return self._session

    def _silent(self, error: Exception) -> LocalFailure:
        return LocalFailure(f"{self.url}: no answer: {str(error) or type(error).__name__}")


def _with_token(token: str, headers: Mapping[str, str] | None) -> dict[str, str]:
    return {**({"authorization": f"Bearer {token}"} if token else {}), **(headers or {})}


def _object(text: str) -> Mapping[str, object]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
