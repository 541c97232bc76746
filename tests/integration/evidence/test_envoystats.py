"""What is no Envoy with the edge's listener is not taken for one. (A real Envoy: tests/e2e/test_canary.py.)"""

import pytest

from tests.integration.evidence.serving import serving
from xds.errors import EvidenceUnavailable
from xds.evidence import Asking, EnvoyStats

METRIC = "envoy_http_downstream_rq_xx"
LABELS = 'envoy_response_code_class="{}",envoy_http_conn_manager_prefix="{}"'
CLASSES = f"# TYPE {METRIC} counter\n" + "".join(
    f"{METRIC}{{{LABELS.format(each, manager)}}} {each * times}\n"
    for manager, times in (("admin", 1000), ("ingress_http", 1))
    for each in range(1, 6)
)
UPTIME = "# TYPE envoy_server_uptime gauge\nenvoy_server_uptime{} 42\n"
PATH = "/stats/prometheus"


async def test_answers_are_counted_by_class() -> None:
    seen: list[str] = []
    async with serving({PATH: (200, CLASSES + UPTIME)}, seen) as url, Asking() as asking:
        read = await EnvoyStats(asking, [f"{url}/stats/prometheus"]).read(300)

    counters = read.envoys[url]
    assert (counters.uptime, counters.requests, counters.failed) == (42, 15, 5)
    assert seen[0].startswith("/stats/prometheus?filter=")


@pytest.mark.parametrize(
    ("status", "text", "said"),
    [
        (403, "", "expected status 200, got 403"),
        (200, UPTIME, 'has no envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix="ingress_http"}'),
        (200, CLASSES, "has no envoy_server_uptime"),
        (200, "<html>", "has no envoy_http_downstream_rq_xx"),
    ],
)
async def test_anything_else_is_no_evidence(status: int, text: str, said: str) -> None:
    async with serving({PATH: (status, text)}) as url, Asking() as asking:
        with pytest.raises(EvidenceUnavailable, match=said):
            await EnvoyStats(asking, [url]).read(300)
