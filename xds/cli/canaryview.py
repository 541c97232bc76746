"""How a look at the canary, and the plan, are shown to people."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from xds.operations.canary import Verdict, moment
from xds.operations.canarycheck import Report
from xds.operations.canaryplan import Plan

_STYLES = {Verdict.GO: "bold green", Verdict.STOP: "bold red", Verdict.UNKNOWN: "bold yellow"}


def report_lines(report: Report) -> Iterator[str]:
    """A report with all its evidence."""
    yield f"{report.verdict.value}, at {moment(report.at)}"
    for finding in report.findings:
        yield f"{finding.condition.value}: {finding.verdict.value}: {finding.summary}"
        yield from (f"  {line}" for line in finding.evidence)
    for condition in report.skipped:
        yield f"{condition.value}: not asked, by --skip"


def report_line(report: Report) -> str:
    """A report in one line."""
    findings = (f"{finding.condition.value}: {finding.summary}" for finding in report.findings)
    return f"{moment(report.at)}  {report.verdict.value}  {'; '.join(findings)}"


def live_view(report: Report, until: float) -> RenderableType:
    """A report as it is renewed on a terminal."""
    table = Table("CONDITION", "", "WHAT IS SEEN", box=None, pad_edge=False, header_style="bold")
    for finding in report.findings:
        verdict = Text(finding.verdict.value, style=_STYLES[finding.verdict])
        table.add_row(finding.condition.value, verdict, Text(finding.summary))
    head = Text.assemble(
        (report.verdict.value, _STYLES[report.verdict]), f"  at {moment(report.at)}, watched until {moment(until)}"
    )
    return Group(head, table)


def plan_lines(plan: Plan) -> Iterator[str]:
    """A plan as steps with their commands."""
    yield plan.state
    for step in plan.steps:
        yield ""
        yield step.title
        yield from (f"  {command}" for command in step.commands)
