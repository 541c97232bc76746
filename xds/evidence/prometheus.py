"""The edge's answers by class, from a Prometheus that scrapes the Envoys: instant queries of its HTTP API."""

import json
import math
import time
from collections.abc import Mapping

from xds.errors import EvidenceUnavailable
from xds.evidence.asking import Asking
from xds.operations.canary import Share, moment

METRIC = "envoy_http_downstream_rq_xx"
SELECTOR = 'envoy_http_conn_manager_prefix="ingress_http"'
CLASS = "envoy_response_code_class"

_STALE_SECONDS = 120.0
"""How old the newest sample may be: twice Prometheus' default interval."""


class Prometheus:
    """A Prometheus at a URL; `selector` are the labels of the edge's series."""

    def __init__(self, asking: Asking, url: str, selector: str = SELECTOR) -> None:
        self._asking = asking
        self._url = url.rstrip("/")
        self._selector = selector

    async def read(self, window: float) -> Share:
        """What came of `window` seconds; raises `EvidenceUnavailable` if there are no such series, or only old ones."""
        series = f"{METRIC}{{{self._selector}}}"
        by_class = f"sum by ({CLASS}) (increase({series}[{window:.0f}s]))"
        age = f"time() - max(timestamp({series}))"
        seen = f"time() - min(min_over_time(timestamp({series})[{window:.0f}s:{max(1, window // 20):.0f}s]))"
        at = time.time()
        stale = (await self._ask(age, at)).get("", 0.0)
        if stale > _STALE_SECONDS:
            limit = f"expected at most {_STALE_SECONDS:.0f} s"
            raise EvidenceUnavailable(f"{self._url}: the newest sample of {series} is {stale:.0f} s old; {limit}")
        answers = await self._ask(by_class, at)
        # A window that Prometheus has seen only the end of is shorter; one scrape's time is lost at its beginning.
        seconds = (await self._ask(seen, at)).get("", 0.0)
        requests, failed = sum(answers.values()), answers.get("5", 0.0)
        classes = ", ".join(f"{name}xx {count:.0f}" for name, count in sorted(answers.items()))
        return Share(
            requests=requests,
            failed=failed,
            seconds=window if seconds > window * _SEEN else seconds,
            evidence=(f"{self._url}, at {moment(at)}: {by_class}", f"answers: {classes}"),
        )

    async def _ask(self, query: str, at: float) -> Mapping[str, float]:
        """The vector's values by class; one that is empty is an error: nothing is known."""
        status, text = await self._asking.get(f"{self._url}/api/v1/query", {"query": query, "time": f"{at:.3f}"})
        try:
            answer = json.loads(text)
            if status != 200 or answer["status"] != "success":
                raise EvidenceUnavailable(f"{self._url}: {answer.get('error', f'status {status}')}; asked: {query}")
            vector = answer["data"]["result"]
            values = {str(each["metric"].get(CLASS, "")): float(each["value"][1]) for each in vector}
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            raise EvidenceUnavailable(
                f"{self._url}: status {status}, and no answer of Prometheus' HTTP API; asked: {query}"
            ) from None
        if not values:
            raise EvidenceUnavailable(f"{self._url}: knows nothing of the edge; asked: {query}")
        if not all(map(math.isfinite, values.values())):
            raise EvidenceUnavailable(f"{self._url}: what it knows of the edge is no number; asked: {query}")
        return values


_SEEN = 0.8
"""The part of a window that its samples must span to stand for all of it, as they come at intervals."""
