"""The Grafana dashboards: whole, and of our metrics. That these exist: tests/e2e/test_observation.py."""

from pathlib import Path

import pytest

from tests.support.promql import DASHBOARDS, dashboard, expressions, metrics


def test_there_is_one_for_each_question() -> None:
    assert [path.stem for path in DASHBOARDS] == ["canary", "cells", "fleet", "push"]
    assert len({dashboard(path)["uid"] for path in DASHBOARDS}) == 4


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_has_a_place_a_title_and_a_source_that_can_be_chosen(path: Path) -> None:
    board = dashboard(path)
    panels = board["panels"]
    chosen = {f"${{{variable['name']}}}" for variable in board["templating"]["list"]}

    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
    assert {target["datasource"]["uid"] for panel in panels for target in panel["targets"]} == chosen


def test_no_expression_asks_by_tenant() -> None:
    for place, expression in expressions().items():
        assert metrics(expression) or expression.startswith("up{"), place
        assert "tenant=" not in expression, place


def test_the_canary_board_asks_tempo_by_cell() -> None:
    [path] = [path for path in DASHBOARDS if path.stem == "canary"]
    queries = [target.get("query", "") for panel in dashboard(path)["panels"] for target in panel["targets"]]

    assert '{ resource.service.name = "alphaswarm-edge" } | count_over_time() by (span.alphaswarm.cell.id)' in queries
