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
        """Each replica's answer; a name that has no address is a replica that is not ready."""
        names = dict.fromkeys(url.rstrip("/").removesuffix(_PATH) for url in self._urls)
        found = await asyncio.gather(*map(self._look_behind, names))
        return tuple({look.url: look for looks in found for look in looks}.values())

    async def _look_behind(self, name: str) -> Sequence[Look]:
        try:
            urls = await machines([name])
        except EvidenceUnavailable as error:
            return [Look(name, _not_ready(str(error).removeprefix(f"{name}: ")), name)]
        return await asyncio.gather(*(self._look(url, name) for url in urls))

    async def _look(self, url: str, name: str) -> Look:
        try:
            status, text = await self._asking.get(url + _PATH)
        except EvidenceUnavailable as error:
            return Look(url, _not_ready(str(error).removeprefix(f"{url}{_PATH}: ")), name)
        return Look(url, "" if status == 200 else f"{status} {' '.join(text.split())[:_SHOWN]}", name)


def _not_ready(reason: str) -> str:
    return f"{reason}, which counts as not ready"
