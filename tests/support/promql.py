"""Every PromQL expression of the deployments' files, and the metrics that they name."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

DEPLOYMENTS = Path(__file__).parents[2] / "deployments"
ALERTS = DEPLOYMENTS / "prometheus" / "alerts.yaml"
DASHBOARDS = sorted((DEPLOYMENTS / "grafana").glob("*.json"))

_NOT_METRICS = re.compile(r"\{[^}]*\}|\b(?:by|without) *\([^)]*\)|\[[^\]]*\]")
_METRIC = re.compile(r"\b(?:alphaswarm_xds|envoy|process)_\w+")
_SELECTOR = re.compile(r"(?:\b(?:alphaswarm_xds|envoy|process)_\w+|\bup)(?:\{[^}]*\})?")


def rules() -> list[dict[str, Any]]:
    """The alert rules."""
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def scrape_configs() -> list[dict[str, Any]]:
    """What the compose system's Prometheus scrapes: the jobs that rules and dashboards expect."""
    return list(yaml.safe_load((DEPLOYMENTS / "docker-compose/prometheus.yaml").read_text())["scrape_configs"])


def dashboard(path: Path) -> dict[str, Any]:
    """A dashboard."""
    return dict(json.loads(path.read_text()))


def expressions() -> dict[str, str]:
    """Every expression, by where it stands."""
    found = {f"{ALERTS.name}: {rule['alert']}": str(rule["expr"]) for rule in rules()}
    for path in DASHBOARDS:
        for panel in dashboard(path)["panels"]:
            for target in panel["targets"]:
                if "expr" in target:
                    found[f"{path.name}: {panel['title']} {target['refId']}"] = target["expr"]
    return found


def metrics(expression: str) -> set[str]:
    """The metrics that an expression names."""
    return set(_METRIC.findall(_NOT_METRICS.sub(" ", expression)))


def selectors(expression: str) -> list[str]:
    """The series that an expression is about: each metric with its labels."""
    return sorted(set(_SELECTOR.findall(re.sub(r"\b(?:by|without) *\([^)]*\)", " ", expression))))
