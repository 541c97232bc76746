"""Asks running servers what they know of a tenant: `GET /resolve`, from the other side.

Fulfils `xds.operations.phasing.Witness`. Must not know what is made of the answers.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import aiohttp

from xds.errors import ReplicaUnavailable, RequestError
from xds.names import CellId, TenantId
from xds.operations.phasing import Witnessed

_TIMEOUT = aiohttp.ClientTimeout(total=10)


class Servers:
    """Several replicas, by their URLs; `token` is an operator's, if they want one."""

    def __init__(self, urls: Sequence[str], token: str = "") -> None:
        for url in urls:
            if not url.startswith(("http://", "https://")):
                raise RequestError(f"server: expected a URL such as http://xds.internal:8080, got {url!r}")
        self._urls = tuple(url.rstrip("/") for url in urls)
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    async def witness(self, tenant: TenantId) -> Sequence[Witnessed]:
        """What each replica says now; raises `ReplicaUnavailable` if one doesn't."""
        async with aiohttp.ClientSession(headers=self._headers, timeout=_TIMEOUT) as session:
            return await asyncio.gather(*(_ask(session, url, tenant) for url in self._urls))


async def _ask(session: aiohttp.ClientSession, url: str, tenant: TenantId) -> Witnessed:
    try:
        async with session.get(f"{url}/resolve", params={"tenant": tenant}) as response:
            if response.status != 200:
                raise ReplicaUnavailable(f"server {url}: expected an answer about {tenant}, got HTTP {response.status}")
            return _read(url, await response.json())
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
        raise ReplicaUnavailable(f"server {url}: cannot be asked: {str(error) or type(error).__name__}") from error


def _read(url: str, told: dict[str, Any]) -> Witnessed:
    cell = told["cell"]
    return Witnessed(
        server=url,
        revision=int(told["revision"]),
        snapshot=int(told["snapshot"]),
        cell=CellId(cell["id"]) if cell else None,
        state=told["state"],
        envoys=tuple((str(each["node_id"]), str(each["progress"])) for each in told["envoys"]),
        why=tuple(told["why"]),
    )
