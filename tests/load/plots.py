"""Plots of a scenario, as SVG.

Knows nothing about reports.
"""

from collections.abc import Sequence
from io import StringIO
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from tests.load.results import Outcome, Sample, percentile, timeline

_INK, _GRID = "#1f2933", "#e4e7eb"
_P50, _P99, _MOST, _BAD = "#2f6fde", "#e08a1e", "#b8c0cc", "#d64545"
_LINES = ("#2f6fde", "#e08a1e", "#2f9e6e", "#8a4fc9", "#d64545", "#0f8b8d", "#8d6e63", "#5c6773")
_WIDTH = 9.6
_STYLE: Any = {
    "font.size": 9,
    "font.family": "sans-serif",
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": "#9aa5b1",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": _GRID,
    "axes.axisbelow": True,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "svg.fonttype": "none",  # text stays text, and the file small
    "svg.hashsalt": "alphaswarm",  # equal plots are equal bytes
}


def over_time(outcome: Outcome) -> str:
    """Latency, throughput with errors, and how moves were followed, one above the other over the same time."""
    with mpl.rc_context(_STYLE):
        panels = 3 if outcome.pushes else 2
        figure = Figure(figsize=(_WIDTH, 1.75 * panels + 0.5), layout="constrained")
        axes: Sequence[Any] = figure.subplots(panels, 1, sharex=True)
        _latency(axes[0], outcome)
        _throughput(axes[1], outcome)
        if outcome.pushes:
            _pushes(axes[2], outcome)
        for axis in axes:
            for event in outcome.events:
                axis.axvline(event.at, color=_BAD, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
        _name_steps(axes[0], outcome)
        axes[-1].set_xlabel("seconds")
        return _to_svg(figure)


def by_percentile(outcome: Outcome) -> str:
    """The latency that so many percent of the requests did not exceed, a line a step."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH, 3.1), layout="constrained")
        axis: Any = figure.subplots()
        steps = [(step.name, outcome.of(step)) for step in outcome.steps] or [("all", outcome.samples)]
        for number, (name, samples) in enumerate(steps):
            _percentiles(axis, name, samples, _LINES[number % len(_LINES)])
        highest = max([90.0, *(_highest(samples) for _, samples in steps)])
        ticks = [tick for tick in (0, 50, 90, 99, 99.9, 99.99) if tick <= highest]
        axis.set_xscale("function", functions=(_nines, _percents))
        axis.set_xticks(ticks, [f"{tick:g} %" for tick in ticks])
        axis.set_xlim(0, highest)
        axis.set_yscale("log")
        _plain_ticks(axis)
        axis.set_ylabel("latency, ms")
        _legend(axis)
        return _to_svg(figure)


def _latency(axis: Any, outcome: Outcome) -> None:
    moments = timeline(outcome.samples)
    at = [moment.at for moment in moments]
    axis.plot(at, [moment.most or None for moment in moments], color=_MOST, linewidth=1, label="longest")
    axis.plot(at, [moment.p99 or None for moment in moments], color=_P99, linewidth=1.4, label="p99")
    axis.plot(at, [moment.p50 or None for moment in moments], color=_P50, linewidth=1.4, label="p50")
    axis.set_yscale("log")
    _plain_ticks(axis)
    axis.set_ylabel("latency, ms")
    _legend(axis)


def _throughput(axis: Any, outcome: Outcome) -> None:
    width = 0.5
    moments = timeline(outcome.samples, width)
    at = [moment.at for moment in moments]
    good = [moment.per_second - moment.failed / width for moment in moments]
    bad = [moment.failed / width for moment in moments]
    axis.bar(at, good, width=width, align="edge", color=_P50, alpha=0.55, linewidth=0, label="answered")
    axis.bar(at, bad, bottom=good, width=width, align="edge", color=_BAD, linewidth=0, label="failed")
    axis.set_ylabel("requests/s")
    axis.set_ylim(bottom=0)
    _legend(axis)


def _pushes(axis: Any, outcome: Outcome) -> None:
    for number, edge in enumerate(sorted({push.edge for push in outcome.pushes})):
        dots = [(push.at, push.took) for push in outcome.pushes if push.edge == edge and push.took is not None]
        axis.scatter(
            *zip(*dots, strict=True), s=13, color=_LINES[number % len(_LINES)], alpha=0.75, linewidth=0, label=edge
        )
    axis.set_yscale("log")
    _plain_ticks(axis)
    axis.set_ylabel("COMMIT → new\ncell, ms")
    _legend(axis)


def _name_steps(axis: Any, outcome: Outcome) -> None:
    for number, step in enumerate(outcome.steps):
        if number % 2 == 0:
            for each in axis.figure.axes:
                each.axvspan(step.began, step.ended, color="#f5f7fa", zorder=0, linewidth=0)
        axis.annotate(
            step.name,
            ((step.began + step.ended) / 2, 1.02),
            xycoords=("data", "axes fraction"),
            ha="center",
            va="bottom",
            fontsize=8,
        )


def _percentiles(axis: Any, name: str, samples: Sequence[Sample], color: str) -> None:
    ordered = sorted(sample.took for sample in samples)
    if not ordered:
        return
    percents = [each for each in _PERCENTS if each <= _highest(samples)]
    axis.plot(percents, [percentile(ordered, each) for each in percents], color=color, linewidth=1.5, label=name)


def _highest(samples: Sequence[Sample]) -> float:
    """The highest percentile that so many requests tell."""
    return 100 - 100 / len(samples) if samples else 0.0


_PERCENTS = [100 - 100 / 10 ** (number / 25) for number in range(102)]
"""From 0 to 99.99, ever closer, as the axis has them."""


def _nines(percent: Any) -> Any:
    """Where a percentile stands: 90, 99 and 99.9 are equally far from each other."""
    return -np.log10(np.maximum(1e-9, 1 - np.asarray(percent) / 100))


def _percents(nines: Any) -> Any:
    return 100 * (1 - 10.0 ** -np.asarray(nines))


def _plain_ticks(axis: Any) -> None:
    axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.yaxis.set_minor_formatter("")


def _legend(axis: Any) -> None:
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8, handlelength=1.2)


def _to_svg(figure: Figure) -> str:
    file = StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    return text[text.index("<svg") :]
