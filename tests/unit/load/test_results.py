"""What samples, moves and checks add up to."""

import json
from dataclasses import asdict

import pytest

from tests.load.results import Outcome, Push, Sample, Spread, Step, percentile, timeline
from xds.demo.checks import Check

GOOD, BAD = Check(asked="a", came="b", ok=True), Check(asked="a", came="c", ok=False)


def sample(due: float, took: float = 1.0, status: int = 200, **others: str) -> Sample:
    return Sample(due, took, took, status, others.get("edge", "e1"), "acme", "cell-a", others.get("error", ""))


def outcome(**values: object) -> Outcome:
    return Outcome(name="moves", title="Tenants move", passes="no request fails", **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("percent", "expected"), [(0, 1), (1, 1), (1.1, 2), (50, 50), (99, 99), (99.1, 100), (100, 100)]
)
def test_a_percentile_is_the_least_that_so_many_do_not_exceed(percent: float, expected: float) -> None:
    assert percentile([float(each) for each in range(1, 101)], percent) == expected


def test_of_nothing_there_is_a_spread_of_noughts() -> None:
    assert set(asdict(Spread.of([])).values()) == {0}


def test_a_spread_has_the_longest_that_rare_ones_took() -> None:
    spread = Spread.of([1.0] * 999 + [500.0])
    assert (spread.count, spread.p50, spread.p99, spread.p999, spread.most) == (1000, 1, 1, 1, 500)


def test_a_timeline_has_empty_slices_too() -> None:
    moments = timeline([sample(0.1), sample(0.2, status=503), sample(1.7, took=9)], width=0.5)
    assert [(each.at, each.per_second, each.failed, each.most) for each in moments] == [
        (0.0, 4, 1, 1),
        (0.5, 0, 0, 0),
        (1.0, 0, 0, 0),
        (1.5, 2, 0, 9),
    ]
    assert timeline([]) == []


@pytest.mark.parametrize(
    ("checks", "fault", "ok"),
    [([GOOD], "", True), ([GOOD, BAD], "", False), ([GOOD], "the database is gone", False), ([], "", False)],
)
def test_a_scenario_passes_if_it_was_played_and_each_check_holds(checks: list[Check], fault: str, ok: bool) -> None:
    assert outcome(checks=checks, fault=fault).ok is ok


def test_only_200_is_no_failure_and_failures_are_told_by_kind() -> None:
    samples = [sample(0), *[sample(1, status=503)] * 2, sample(2, status=0, error="refused")]
    assert outcome(samples=samples).failures() == ["2 × 503 by e1", "1 × no answer by e1 refused"]


def test_a_step_has_what_was_due_in_it() -> None:
    step = Step("one", 1.0, 2.0)
    found = outcome(samples=[sample(0.9), sample(1.0), sample(2.0)], pushes=[Push(1.5, "e1", "acme", 7.0)])
    assert [each.due for each in found.of(step)] == [1.0]
    assert found.followed(step) == [7.0]
    assert found.followed(Step("two", 2.0, 3.0)) == []


def test_a_move_that_nobody_followed_has_no_duration() -> None:
    assert outcome(pushes=[Push(1.0, "e1", "acme", None)]).followed() == []


def test_json_has_sums_and_no_single_request() -> None:
    told = outcome(samples=[sample(0.5, took=3), sample(0.6, status=500)], checks=[BAD], steps=[Step("one", 0, 1)])
    read = json.loads(json.dumps(told.to_json()))
    assert (read["ok"], read["requests"], read["failed"]) == (False, 2, 1)
    assert read["steps"][0]["latency_ms"]["most"] == 3
    assert "samples" not in read
