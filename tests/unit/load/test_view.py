"""How a run looks where there is no terminal: a line when a scenario begins, and its verdict.

On a terminal: tests/e2e/test_load.py.
"""

import io

from rich.console import Console

from tests.load.results import Outcome, Sample
from tests.load.scenarios import SCENARIOS
from tests.load.view import Terminal
from xds.demo.checks import Check


def lines(outcome: Outcome) -> list[str]:
    file = io.StringIO()
    with Terminal(Console(file=file, width=40), 3) as view:
        view.began(SCENARIOS["drain"])
        view.look("before: 10 requests, 0 failed")
        view.ended(outcome)
    return file.getvalue().splitlines()


def test_a_scenario_has_a_line_when_it_begins_and_one_when_it_is_over() -> None:
    sample = Sample(0.1, 2.0, 1.0, 200, "e1", "acme", "cell-a")
    outcome = Outcome(name="drain", title="", passes="", samples=[sample] * 1200, seconds=12.4)
    outcome.checks.append(Check(asked="no request fails", came="0", ok=True))

    assert lines(outcome) == [
        f"1/3 drain: {SCENARIOS['drain'].title}",
        "pass  drain    1,200 requests, 0 failed, 12 s",
    ]


def test_what_failed_is_said() -> None:
    outcome = Outcome(name="drain", title="", passes="", fault="PostgreSQL ended")
    outcome.checks.append(Check(asked="it answers again", came="0 of 12", ok=False))

    assert lines(outcome)[1:] == [
        "FAIL  drain    0 requests, 0 failed, 0 s",
        "      PostgreSQL ended",
        "      it answers again: 0 of 12",
    ]
