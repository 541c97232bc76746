"""The edge's answers by class, from the Envoys' own counters: their /stats/prometheus.

The admin interface has it, and a port that is made to be scraped has nothing else.
"""

import asyncio
import time
from collections.abc import Sequence

from prometheus_client.parser import text_string_to_metric_families

from xds.errors import EvidenceUnavailable
from xds.evidence.asking import Asking, machines
from xds.evidence.prometheus import CLASS, METRIC
from xds.operations.canarymemory import Counters, Read

_PATH = "/stats/prometheus"
_FILTER = r"^(http\.ingress_http\.downstream_rq_[1-5]xx|server\.uptime)$"
_PARSED = f"{METRIC}_total"
"""The parser gives counters their conventional ending, which Envoy leaves out."""

_EDGE = ("envoy_http_conn_manager_prefix", "ingress_http")
_UPTIME = "envoy_server_uptime"
_CLASSES = frozenset("12345")


class EnvoyStats:
    """The Envoys that tell their stats at these URLs; a host name with several addresses is several Envoys."""

    def __init__(self, asking: Asking, urls: Sequence[str]) -> None:
        self._asking = asking
        self._urls = urls

    async def read(self, window: float) -> Read:  # noqa: ARG002 -- counters have none
        """Every Envoy's counters now; raises `EvidenceUnavailable` if one does not tell."""
        urls = await machines([url.rstrip("/").removesuffix(_PATH) for url in self._urls])
        counters = await asyncio.gather(*map(self._read, urls))
        return Read(time.time(), dict(zip(urls, counters, strict=True)))

    async def _read(self, url: str) -> Counters:
        status, text = await self._asking.get(url + _PATH, {"filter": _FILTER})
        if status != 200:
            raise EvidenceUnavailable(f"{url}{_PATH}: expected status 200, got {status}")
        by_class: dict[str, int] = {}
        uptime: float | None = None
        try:
            for sample in (each for family in text_string_to_metric_families(text) for each in family.samples):
                if sample.name == _PARSED and sample.labels.get(_EDGE[0]) == _EDGE[1]:
                    by_class[sample.labels.get(CLASS, "")] = int(sample.value)
                elif sample.name == _UPTIME:
                    uptime = sample.value
        except ValueError:
            by_class = {}
        if uptime is None or by_class.keys() != _CLASSES:
            lacks = _UPTIME if by_class else f'{METRIC}{{{_EDGE[0]}="{_EDGE[1]}"}}'
            raise EvidenceUnavailable(f"{url}{_PATH}: has no {lacks}; expected an Envoy with the edge's listener")
        return Counters(uptime, sum(by_class.values()), by_class["5"])
