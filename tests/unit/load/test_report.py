"""The report's text and plots."""

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.load import plots, report
from tests.load.results import Event, Outcome, Push, Sample, Step
from xds.demo.checks import Check

SETTING = {"on": "local processes"}


def good() -> Outcome:
    return Outcome(
        name="moves",
        title="Tenants move",
        passes="no request fails",
        samples=[Sample(each / 10, 1 + each, 1.0, 200, "e<1>", "acme", "cell-a") for each in range(40)],
        pushes=[Push(1.0, "e<1>", "acme", 12.0), Push(2.0, "e<1>", "acme", None)],
        events=[Event(2.0, "one <replica> killed")],
        steps=[Step("1 a second", 0.0, 2.0), Step("10 a second", 2.0, 4.0)],
        checks=[Check(asked="no request fails", came="0 of 40", ok=True)],
        facts={"moved": "2"},
    )


def bad() -> Outcome:
    return Outcome(name="drain", title="A cell is drained", passes="nobody is left", fault="PostgreSQL <ended>")


def test_a_folder_gets_the_page_the_text_the_figures_and_the_plots(tmp_path: Path) -> None:
    page = report.write(tmp_path / "new", [good(), bad()], SETTING)

    assert page == tmp_path / "new" / "report.html"
    assert sorted(each.name for each in page.parent.iterdir()) == [
        "moves-over-time.svg",
        "moves-percentiles.svg",
        "report.html",
        "report.json",
        "report.md",
    ]
    assert page.read_text().count("<svg") == 2
    for plot in page.parent.glob("*.svg"):
        ET.parse(plot)


def texts(svg: str) -> list[str]:
    return [each.text or "" for each in ET.fromstring(svg).findall(".//{*}text")]


def heights(svg: str, color: str) -> list[float]:
    """How high each bar of a color is, but for its sample in the legend."""
    bars = re.findall(rf'<path d="([^"]+)" clip-path="[^"]+" style="fill: {color}', svg)
    rows = [[float(y) for y in re.findall(r"[ML] \S+ (\S+)", bar)] for bar in bars]
    return [max(ys) - min(ys) for ys in rows]


def test_failures_stand_on_what_was_answered_in_the_half_second_that_they_were_due_in() -> None:
    outcome = good()
    outcome.samples[21:23] = [Sample(each / 10, 9.0, 1.0, 503, "e<1>", "acme", "") for each in (21, 22)]
    svg = plots.over_time(outcome)

    assert "failed" in texts(svg)
    assert [number for number, height in enumerate(heights(svg, "#d64545")) if height > 1] == [4]
    assert all(height < 1 for height in heights(plots.over_time(good()), "#d64545"))


def test_moves_are_drawn_over_time_a_dot_each_and_only_where_there_are_any() -> None:
    outcome = good()
    svg = plots.over_time(outcome)
    assert "COMMIT → new" in texts(svg)
    assert svg.count("<use", svg.index('id="PathCollection_1"'), svg.index("</g>", svg.index("PathCollection_1"))) == 1

    outcome.pushes.clear()
    assert "COMMIT → new" not in texts(plots.over_time(outcome))


def test_what_systems_say_is_text_in_the_page() -> None:
    text = report.to_html([good(), bad()], SETTING, {})
    assert "PostgreSQL &lt;ended&gt;" in text
    assert "one &lt;replica&gt; killed" in text
    assert "<ended>" not in text
    assert "1 of 2 passed" in text


def test_markdown_has_each_verdict_and_its_reasons() -> None:
    lines = report.to_markdown([good(), bad()], SETTING).splitlines()
    assert "- pass: no request fails: 0 of 40" in lines
    assert "- **FAIL**: it is played to its end: PostgreSQL <ended>" in lines
    assert "- moved: 2" in lines
    assert "![moves, over-time](moves-over-time.svg)" in lines
    assert not any("drain-over-time" in line for line in lines)


def test_the_table_of_steps_has_moves_only_where_there_are_any() -> None:
    (_, row) = report.summary([good()])
    assert row == ["moves", "pass", "40", "0", "20.0 ms", "40.0 ms", "40.0 ms", "12.0 ms", "12.0 ms", "0"]
    (_, row) = report.summary([bad()])
    assert row == ["drain", "FAIL", "0", "0", "–", "–", "–", "–", "–", "0"]


def test_json_says_whether_all_passed() -> None:
    assert json.loads(report.to_json([good()], SETTING))["ok"] is True
    assert json.loads(report.to_json([good(), bad()], SETTING))["ok"] is False
