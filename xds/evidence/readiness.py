"""The tenant routers' readiness, by their /readyz."""

import asyncio
from collections.abc import Sequence

from xds.errors import EvidenceUnavailable
from xds.evidence.asking import Asking, machines
from xds.operations.canary import Look

_PATH = "/readyz"
_SHOWN = 200


class Routers:
    """The replicas behind these URLs; a host name with several addresses is several replicas."""

    def __init__(self, asking: Asking, urls: Sequence[str]) -> None:
        self._asking = asking
        self._urls = urls

    async def look(self) -> Sequence[Look]:
        """Each replica's answer."""
        urls = await machines([url.rstrip("/").removesuffix(_PATH) for url in self._urls])
        return await asyncio.gather(*map(self._look, urls))

    async def _look(self, url: str) -> Look:
        try:
            status, text = await self._asking.get(url + _PATH)
        except EvidenceUnavailable as error:
            return Look(url, f"{str(error).removeprefix(f'{url}{_PATH}: ')}, which counts as not ready")
        return Look(url) if status == 200 else Look(url, f"{status} {' '.join(text.split())[:_SHOWN]}")
