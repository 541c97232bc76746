"""What the demo's arguments mean, and what its exit status says; nothing is started here."""

import json
import signal
from collections.abc import Coroutine
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from xds.cli import demo as command
from xds.demo.checks import Check, Step
from xds.demo.plan import Plan
from xds.demo.story import Report
from xds.demo.terminal import Terminal

GOOD = Report(steps=(Step(id="a", title="A", checks=(Check(asked="x", came="y", ok=True),)),), seconds={})
BAD = Report(steps=(Step(id="a", title="A", checks=(Check(asked="x", came="y", ok=False),)),), seconds={})


class Outcome:
    """How the demo ends, and the plan that it was given."""

    def __init__(self) -> None:
        self.report: Report | None = GOOD
        self.interrupted_by: signal.Signals | None = None
        self.plan = Plan()
        self.stayed = False


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> Outcome:
    outcome = Outcome()

    class Demo:
        def __init__(self, plan: Plan, _terminal: Terminal) -> None:
            outcome.plan = plan
            self.report = outcome.report

        async def run(self, *, stay: bool) -> None:
            outcome.stayed = stay

    def run_interruptibly(work: Coroutine[None, None, None]) -> signal.Signals | None:
        with pytest.raises(StopIteration):
            work.send(None)
        return outcome.interrupted_by

    monkeypatch.setattr(command, "Demo", Demo)
    monkeypatch.setattr(command, "run_interruptibly", run_interruptibly)
    return outcome


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command.demo, arguments, env={"ENVOY_BIN": ""})


@pytest.mark.parametrize(
    ("arguments", "report", "interrupted_by", "status"),
    [
        (["--once"], GOOD, None, 0),
        (["--once"], BAD, None, 1),
        (["--once"], None, signal.SIGINT, 130),
        (["--once"], GOOD, signal.SIGTERM, 143),
        ([], GOOD, signal.SIGINT, 0),
        ([], GOOD, signal.SIGTERM, 0),
        ([], BAD, signal.SIGINT, 1),
        ([], None, signal.SIGINT, 130),
        ([], None, signal.SIGTERM, 143),
    ],
)
def test_the_exit_status_says_how_it_ended(
    outcome: Outcome,
    arguments: list[str],
    report: Report | None,
    interrupted_by: signal.Signals | None,
    status: int,
) -> None:
    outcome.report, outcome.interrupted_by = report, interrupted_by
    assert run(*arguments).exit_code == status
    assert outcome.stayed is (not arguments)


def test_arguments_become_the_plan(outcome: Outcome) -> None:
    run("--edge-ports", "10000, 10001", "--http-port", "8080", "--variant", "sotw", "--envoy", "/e")
    plan = outcome.plan
    assert (plan.edge_ports, plan.http_port, plan.variant, plan.envoy) == ((10000, 10001), 8080, "sotw", Path("/e"))


def test_with_no_arguments_every_port_is_chosen(outcome: Outcome) -> None:
    assert run().exit_code == 0
    assert outcome.plan == Plan()


def test_json_is_all_that_stdout_gets(outcome: Outcome) -> None:
    assert json.loads(run("--once", "--json").stdout)["ok"] is True


@pytest.mark.parametrize(
    "arguments",
    [
        ["--json"],
        ["--edge-ports", "1"],
        ["--edge-ports", "1,2,3"],
        ["--edge-ports", "7,7"],
        ["--edge-ports", "0,1"],
        ["--edge-ports", "1,65536"],
        ["--edge-ports", "a,b"],
        ["--http-port", "-1"],
        ["--variant", "x"],
    ],
)
@pytest.mark.usefixtures("outcome")
def test_arguments_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2
