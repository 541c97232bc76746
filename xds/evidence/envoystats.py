"""The edge's answers by class, from the Envoys' own counters: their admin interface's /stats."""

import asyncio
import time
from collections.abc import Sequence

from xds.errors import EvidenceUnavailable
from xds.evidence.asking import Asking, machines
from xds.operations.canarymemory import Counters, Read

_CLASSES = tuple(f"http.ingress_http.downstream_rq_{each}xx" for each in range(1, 6))
_UPTIME = "server.uptime"
_FILTER = r"^(http\.ingress_http\.downstream_rq_[1-5]xx|server\.uptime)$"


class EnvoyStats:
    """The Envoys whose admin interfaces are at these URLs; a host name with several addresses is several Envoys."""

    def __init__(self, asking: Asking, urls: Sequence[str]) -> None:
        self._asking = asking
        self._urls = urls

    async def read(self, window: float) -> Read:  # noqa: ARG002 -- counters have none
        """Every Envoy's counters now; raises `EvidenceUnavailable` if one does not tell."""
        urls = await machines(self._urls)
        counters = await asyncio.gather(*map(self._read, urls))
        return Read(time.time(), dict(zip(urls, counters, strict=True)))

    async def _read(self, url: str) -> Counters:
        status, text = await self._asking.get(url.rstrip("/") + "/stats", {"filter": _FILTER, "format": "text"})
        if status != 200:
            raise EvidenceUnavailable(f"{url}/stats: expected status 200, got {status}")
        pairs = (line.partition(": ") for line in text.splitlines())
        values = {name: int(value) for name, _, value in pairs if value.strip().isdecimal()}
        missing = [name for name in (*_CLASSES, _UPTIME) if name not in values]
        if missing:
            raise EvidenceUnavailable(f"{url}/stats: has no {missing[0]}; expected an Envoy with the edge's listener")
        return Counters(values[_UPTIME], sum(values[name] for name in _CLASSES), values[_CLASSES[-1]])
