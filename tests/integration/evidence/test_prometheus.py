"""Prometheus' HTTP API by recorded answers. (A real one, where it is installed: tests/e2e/test_canary.py.)

The answers have the form that Prometheus 2.42 gave to these queries.
"""

import json

import pytest

from tests.integration.evidence.serving import serving
from xds.errors import EvidenceUnavailable
from xds.evidence import Asking, Prometheus
from xds.operations.canary import Share

API = "/api/v1/query"


def vector(*values: tuple[str, str]) -> str:
    result = [
        {"metric": {"envoy_response_code_class": name} if name else {}, "value": [1795467592.1, value]}
        for name, value in values
    ]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}})


class Recorded(dict[str, tuple[int, str]]):
    """The answers to the three queries, in their order."""

    def __init__(self, *answers: str) -> None:
        super().__init__()
        self._answers = list(answers)

    def __getitem__(self, path: str) -> tuple[int, str]:
        assert path == API
        return 200, self._answers.pop(0)


AGE, SPAN = vector(("", "9.5")), vector(("", "296.1"))
BY_CLASS = vector(("2", "995.2"), ("4", "10"), ("5", "5.1"))


async def ask(*answers: str, seen: list[str] | None = None, selector: str = "") -> Share:
    async with serving(Recorded(*answers), seen) as url, Asking() as asking:
        source = Prometheus(asking, url, selector) if selector else Prometheus(asking, f"{url}/")
        return await source.read(300)


async def test_the_increase_by_class_is_the_share() -> None:
    seen: list[str] = []
    share = await ask(AGE, BY_CLASS, SPAN, seen=seen)

    assert [share.requests, share.failed, share.seconds] == pytest.approx([1010.3, 5.1, 300])
    series = 'envoy_http_downstream_rq_xx{envoy_http_conn_manager_prefix="ingress_http"}'
    assert seen[1] == f"sum by (envoy_response_code_class) (increase({series}[300s]))"
    assert seen[1] in share.evidence[0]
    assert share.evidence[1] == "answers: 2xx 995, 4xx 10, 5xx 5"


async def test_the_edges_series_can_be_named() -> None:
    seen: list[str] = []
    await ask(AGE, BY_CLASS, SPAN, seen=seen, selector='namespace="alphaswarm-edge"')

    assert all('{namespace="alphaswarm-edge"}' in query for query in seen)


async def test_no_5xx_at_all_is_none() -> None:
    assert (await ask(AGE, vector(("2", "300")), SPAN)).failed == 0


async def test_a_window_of_which_only_the_end_was_seen_is_shorter() -> None:
    assert (await ask(AGE, BY_CLASS, vector(("", "100")))).seconds == 100


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ((vector(),), "knows nothing of the edge; asked: "),
        ((vector(("", "121")),), "is 121 s old; expected at most 120 s"),
        ((AGE, vector()), "knows nothing of the edge; asked: sum by"),
        (('{"status":"error","errorType":"bad_data","error":"parse error"}',), "parse error; asked: "),
        (("<html>",), "no answer of Prometheus' HTTP API"),
        (("[]",), "no answer of Prometheus' HTTP API"),
    ],
)
async def test_what_says_nothing_is_no_evidence(answers: tuple[str, ...], said: str) -> None:
    with pytest.raises(EvidenceUnavailable, match=said):
        await ask(*answers)


async def test_not_a_number_is_not_go() -> None:
    for value in ("NaN", "+Inf"):
        with pytest.raises(EvidenceUnavailable, match="no number"):
            await ask(AGE, vector(("2", value)), SPAN)
