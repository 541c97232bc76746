"""The report of a run: HTML with its plots inside, Markdown with its plots beside it, JSON.

Pure but for `write`. Knows nothing about how the figures were had.
"""

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path

from tests.load import plots
from tests.load.results import Outcome, Spread

_STEPS = ("step", "requests", "failed", "p50", "p90", "p99", "p99.9", "longest", "moves p50", "moves p99")


def write(folder: Path, outcomes: Sequence[Outcome], setting: Mapping[str, str]) -> Path:
    """Write all of it into a folder, and give the page's path.

    Args:
        folder: Made if it is not there; files of the same names are overwritten.
        outcomes: What is reported.
        setting: Where and how it was run, by name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {outcome.name: _draw(outcome) for outcome in outcomes}
    for name, svgs in drawn.items():
        for kind, svg in svgs.items():
            (folder / f"{name}-{kind}.svg").write_text(svg)
    (folder / "report.json").write_text(to_json(outcomes, setting))
    (folder / "report.md").write_text(to_markdown(outcomes, setting))
    page = folder / "report.html"
    page.write_text(to_html(outcomes, setting, drawn))
    return page


def to_json(outcomes: Sequence[Outcome], setting: Mapping[str, str]) -> str:
    """One object: whether all passed, the setting, and each outcome."""
    ok = all(outcome.ok for outcome in outcomes)
    return json.dumps(
        {"ok": ok, "setting": dict(setting), "scenarios": [each.to_json() for each in outcomes]}, indent=1
    )


def to_markdown(outcomes: Sequence[Outcome], setting: Mapping[str, str]) -> str:
    """The whole report; its plots are files beside it."""
    lines = [
        "# Load tests",
        "",
        *(f"- {name}: {value}" for name, value in setting.items()),
        "",
        *_table(summary(outcomes)),
    ]
    for outcome in outcomes:
        lines += ["", f"## {outcome.name}: {outcome.title}", "", f"Passes if {outcome.passes}.", ""]
        lines += [f"- {'pass' if ok else '**FAIL**'}: {asked}: {came}" for ok, asked, came in _checks(outcome)]
        lines += [f"- {name}: {value}" for name, value in outcome.facts.items()]
        if outcome.samples:
            lines += ["", *_table(_steps(outcome)), ""]
            lines += [f"![{outcome.name}, {kind}]({outcome.name}-{kind}.svg)" for kind in _draw_kinds]
    return "\n".join(lines) + "\n"


def to_html(outcomes: Sequence[Outcome], setting: Mapping[str, str], drawn: Mapping[str, Mapping[str, str]]) -> str:
    """One page with everything inside it."""
    passed = sum(outcome.ok for outcome in outcomes)
    verdict = f"<span class='{_class(passed == len(outcomes))}'>{passed} of {len(outcomes)} passed</span>"
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in setting.items())
    style = files("tests.load").joinpath("report.css").read_text()
    sections = "".join(_section(outcome, drawn.get(outcome.name, {})) for outcome in outcomes)
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>Load tests: alphaswarm-xds</title>"
        f"<meta name='viewport' content='width=device-width'><style>{style}</style></head><body><main>"
        f"<h1>Load tests {verdict}</h1><dl class='setting'>{facts}</dl>"
        f"{_html_table(summary(outcomes), 'summary')}{sections}</main></body></html>\n"
    )


def summary(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """A row a scenario, with a header."""
    rows = [["scenario", "", "requests", "failed", "p50", "p99", "longest", "moves p50", "moves p99", "seconds"]]
    for outcome in outcomes:
        took, moves = Spread.of(sample.took for sample in outcome.samples), Spread.of(outcome.followed())
        times = [
            _ms(took, took.p50),
            _ms(took, took.p99),
            _ms(took, took.most),
            _ms(moves, moves.p50),
            _ms(moves, moves.p99),
        ]
        verdict = "pass" if outcome.ok else "FAIL"
        rows.append(
            [outcome.name, verdict, f"{took.count:,}", str(len(outcome.failed)), *times, f"{outcome.seconds:.0f}"]
        )
    return rows


def _steps(outcome: Outcome) -> list[list[str]]:
    rows = [list(_STEPS if outcome.pushes else _STEPS[:-2])]
    for step in outcome.steps:
        samples = outcome.of(step)
        took, moves = Spread.of(sample.took for sample in samples), Spread.of(outcome.followed(step))
        row = [step.name, f"{took.count:,}", str(sum(sample.is_failed for sample in samples))]
        row += [_ms(took, each) for each in (took.p50, took.p90, took.p99, took.p999, took.most)]
        row += [_ms(moves, each) for each in (moves.p50, moves.p99)] if outcome.pushes else []
        rows.append(row)
    return rows


def _checks(outcome: Outcome) -> list[tuple[bool, str, str]]:
    fault = [(False, "it is played to its end", outcome.fault)] if outcome.fault else []
    return [*fault, *((check.ok, check.asked, check.came) for check in outcome.checks)]


def _section(outcome: Outcome, drawn: Mapping[str, str]) -> str:
    verdict = f"<span class='{_class(outcome.ok)}'>{'pass' if outcome.ok else 'fail'}</span>"
    checks = "".join(
        f"<li class='{_class(ok)}'>{escape(asked)}<b>{escape(came)}</b></li>" for ok, asked, came in _checks(outcome)
    )
    facts = "".join(f"<li>{escape(name)}<b>{escape(value)}</b></li>" for name, value in outcome.facts.items())
    steps = _html_table(_steps(outcome), "steps") if outcome.samples else ""
    events = "".join(f"<li>{event.at:.1f} s: {escape(event.what)}</li>" for event in outcome.events)
    marks = f"<p class='events'>Red lines:</p><ul class='events'>{events}</ul>" if events else ""
    figures = "".join(
        f"<figure><figcaption>{_CAPTIONS[kind]}</figcaption>{svg}</figure>" for kind, svg in drawn.items()
    )
    return (
        f"<section><h2>{escape(outcome.name)} {verdict}</h2><p>{escape(outcome.title)}. Passes if"
        f" {escape(outcome.passes)}.</p><ul class='checks'>{checks}{facts}</ul>{steps}{figures}{marks}</section>"
    )


_draw_kinds = ("over-time", "percentiles")
_CAPTIONS = {
    "over-time": "Over time, in slices of half a second",
    "percentiles": "Latency by percentile, from when a request was due",
}


def _draw(outcome: Outcome) -> dict[str, str]:
    if not outcome.samples:
        return {}
    return dict(zip(_draw_kinds, (plots.over_time(outcome), plots.by_percentile(outcome)), strict=True))


def _ms(spread: Spread, value: float) -> str:
    return f"{value:.1f} ms" if spread.count else "–"


def _class(ok: bool) -> str:
    return "good" if ok else "bad"


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return [head, f"|{'---|' * len(rows[0])}", *body]


def _html_table(rows: Sequence[Sequence[str]], kind: str) -> str:
    head, *body = rows
    heads = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in body)
    return f"<table class='{kind}'><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"


def _cell(cell: str) -> str:
    verdict = {"pass": " class='good'", "FAIL": " class='bad'"}.get(cell, "")
    return f"<td{verdict}>{escape(cell)}</td>"
