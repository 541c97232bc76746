"""What the provisioned Grafana dashboards ask Prometheus for."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "deployments/docker-compose/grafana/dashboards"

_LABELS = re.compile(r"\{[^}]*\}|\bby\s*\([^)]*\)")
_SELECTED = re.compile(r"\b(?P<metric>envoy_\w+)\{(?P<labels>[^}]*)\}")
_EQUAL = re.compile(r'\w+="[^"]*"')
_METRIC = re.compile(r"\b(?:alphaswarm_xds|envoy|process)_\w+")


def dashboards() -> dict[str, dict[str, Any]]:
    """Each dashboard, by the name of its file."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def expressions() -> Iterator[str]:
    """Every query."""
    for dashboard in dashboards().values():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                yield target["expr"]


def asked_metrics() -> set[str]:
    """The metrics that these queries name; not their labels."""
    return {name for expression in expressions() for name in _METRIC.findall(_LABELS.sub("", expression))}


def selected_series() -> set[tuple[str, str]]:
    """Each of Envoy's metrics with each label that it is asked for by, `name="value"`."""
    return {
        (match["metric"], label)
        for expression in expressions()
        for match in _SELECTED.finditer(expression)
        for label in _EQUAL.findall(match["labels"])
    }
