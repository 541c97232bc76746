"""The compose system's profile of observability: Grafana has our dashboards, and reaches Prometheus and Tempo."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.docker.composed import Composed, get
from tests.support.promql import DASHBOARDS, dashboard

SECONDS = 90.0
ADMIN = "admin:admin"
"""Grafana's, as its image has it."""

compose = Composed("alphaswarm-observability-test", TRACING_COLLECTOR="tempo:4317")


@pytest.fixture(scope="module")
def grafana() -> Iterator[str]:
    """The URL of the Grafana of a system that is up, and is asked for something."""
    compose.needs_image_of("prometheus", "tempo", "grafana")
    compose.down()
    try:
        compose("--profile", "observability", "up", "--build", "--wait", timeout=900)
        yield compose.url("grafana", 3000)
    finally:
        compose.down()


def asked(grafana: str, datasource: str, path: str, **query: str) -> Any:
    """What a datasource answers through Grafana; None while it does not."""
    place = f"{grafana}/api/datasources/proxy/uid/{datasource}/{path}?{urlencode(query)}"
    status, text = get(place, user=ADMIN)
    return json.loads(text) if status == 200 else None


def until(found: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not found():
        assert time.monotonic() < deadline, what
        time.sleep(0.5)


def test_every_dashboard_is_provisioned(grafana: str) -> None:
    ours = {dashboard(path)["title"] for path in DASHBOARDS}
    seen = set[str]()

    def has_all() -> bool:
        seen.update(each["title"] for each in json.loads(get(f"{grafana}/api/search?type=dash-db", user=ADMIN)[1]))
        return seen >= ours

    until(has_all, f"{ours - seen} of {seen}")


def test_each_kind_of_datasource_that_dashboards_ask_is_there_and_prometheus_answers_through_it(grafana: str) -> None:
    named = {
        target["datasource"]["type"]
        for path in DASHBOARDS
        for panel in dashboard(path)["panels"]
        for target in [panel, *panel["targets"]]
        if "datasource" in target
    }
    listed = {each["uid"]: each["type"] for each in json.loads(get(f"{grafana}/api/datasources", user=ADMIN)[1])}
    assert listed == {"prometheus": "prometheus", "tempo": "tempo"}
    assert named <= set(listed.values())

    def knows_the_routers() -> bool:
        answer = asked(grafana, "prometheus", "api/v1/query", query='up{job="alphaswarm-tenant-router"} == 1')
        return answer is not None and len(answer["data"]["result"]) == 2

    until(knows_the_routers, "Prometheus has both routers")


def test_tempo_answers_the_runbooks_question_for_a_cells_spans(grafana: str) -> None:
    token = json.loads(get(compose.url("idp", 8000) + "/token?tenant=acme")[1])["access_token"]
    edge = compose.url("edge", 10000)

    def has_spans() -> bool:
        status, text = get(f"{edge}/api/x", token)
        assert status == 200
        cell = json.loads(text)["cell"]
        found = asked(grafana, "tempo", "api/search", q=f'{{ span.alphaswarm.cell.id = "{cell}" }}', limit="5")
        return bool(found and found.get("traces"))

    until(has_spans, "Tempo has a span of the cell")
