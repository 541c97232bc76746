"""What is no Envoy with the edge's listener is not taken for one. (A real Envoy: tests/e2e/test_canary.py.)"""

import pytest

from tests.integration.evidence.serving import serving
from xds.errors import EvidenceUnavailable
from xds.evidence import Asking, EnvoyStats

CLASSES = "".join(f"http.ingress_http.downstream_rq_{each}xx: {each}\n" for each in range(1, 6))


async def test_answers_are_counted_by_class() -> None:
    seen: list[str] = []
    async with serving({"/stats": (200, f"{CLASSES}server.uptime: 42\n")}, seen) as url, Asking() as asking:
        read = await EnvoyStats(asking, [url]).read(300)

    counters = read.envoys[url]
    assert (counters.uptime, counters.requests, counters.failed) == (42, 15, 5)
    assert seen[0].startswith("/stats?filter=")


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (403, "", "expected status 200, got 403"),
        (200, "server.uptime: 42\n", "has no http.ingress_http.downstream_rq_1xx"),
        (200, CLASSES, "has no server.uptime"),
    ],
)
async def test_anything_else_is_no_evidence(status: int, text: str, said: str) -> None:
    async with serving({"/stats": (status, text)}) as url, Asking() as asking:
        with pytest.raises(EvidenceUnavailable, match=said):
            await EnvoyStats(asking, [url]).read(300)
