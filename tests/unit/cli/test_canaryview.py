"""What people are shown of a look."""

from rich.console import Console

from xds.cli.canaryview import live_view, plan_lines, report_line, report_lines
from xds.operations.canary import Condition, Finding, Verdict
from xds.operations.canarycheck import Report
from xds.operations.canaryplan import plan_canary

AT = 1_795_467_592.0
REPORT = Report(
    AT,
    (
        Finding(Condition.READINESS, Verdict.GO, "all 2 replicas are ready", ("http://a: ready",)),
        Finding(Condition.EDGE, Verdict.STOP, "[9 %] of answers are 5xx"),
    ),
    (Condition.AUDIT,),
)


def test_a_report_has_its_evidence_and_what_was_not_asked() -> None:
    assert list(report_lines(REPORT)) == [
        "stop, at 2026-11-23T20:59:52Z",
        "readiness: go: all 2 replicas are ready",
        "  http://a: ready",
        "edge: stop: [9 %] of answers are 5xx",
        "audit: not asked, by --skip",
    ]


def test_a_report_in_a_line_has_every_finding() -> None:
    assert report_line(REPORT) == (
        "2026-11-23T20:59:52Z  stop  readiness: all 2 replicas are ready; edge: [9 %] of answers are 5xx"
    )


def test_the_live_view_shows_every_condition_as_it_is_written() -> None:
    console = Console(width=200, record=True)
    with console.capture() as capture:
        console.print(live_view(REPORT, AT + 600))

    lines = capture.get().splitlines()
    assert lines[0].strip() == "stop  at 2026-11-23T20:59:52Z, watched until 2026-11-23T21:09:52Z"
    assert lines[3].split(maxsplit=2) == ["edge", "stop", "[9 %] of answers are 5xx"]


def test_a_plan_has_its_commands_indented() -> None:
    lines = list(plan_lines(plan_canary(0)))

    assert lines[0].startswith("Step 1:")
    assert lines[1:3] == ["", "Check what is running"]
    assert all(line.startswith("  ") for line in lines if "kubectl" in line)
