"""The alert rules, as Prometheus itself reads and evaluates them.

That their metrics exist: tests/e2e/test_observation.py.
"""

import re
import subprocess
import textwrap
from pathlib import Path

import yaml

from tests.support.promql import ALERTS, DEPLOYMENTS, expressions, rules, scrape_configs
from tests.support.tools import needed

OPERATORS = DEPLOYMENTS / "kubernetes/edge/components/prometheus-operator/rules.yaml"
OPERATORS_HEAD = """\
# deployments/prometheus/alerts.yaml, as a Prometheus Operator takes it. Made of that by
#   pytest tests/deployments/test_alerts.py --update-golden
# yamllint disable rule:line-length
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: alphaswarm-edge
  namespace: alphaswarm-edge
spec:
  groups:
"""
SERIES = Path(__file__).with_name("alerts.test.yaml")


def promtool(*arguments: str | Path) -> tuple[int, str]:
    program = needed("promtool", "Debian: apt-get install prometheus")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout + done.stderr


def test_prometheus_takes_the_rules() -> None:
    status, said = promtool("check", "rules", ALERTS)
    assert status == 0, said


def test_they_fire_at_the_runbooks_numbers_and_not_before(tmp_path: Path) -> None:
    file = tmp_path / "alerts.test.yaml"
    file.write_text(SERIES.read_text().replace("- ALERTS", f"- {ALERTS}"))
    status, said = promtool("test", "rules", file)
    assert status == 0, said


def test_every_alert_is_seen_to_fire_and_not_to_fire() -> None:
    cases = [case for test in yaml.safe_load(SERIES.read_text())["tests"] for case in test["alert_rule_test"]]
    seen = {(case["alertname"], bool(case["exp_alerts"])) for case in cases}

    assert seen == {(rule["alert"], fires) for rule in rules() for fires in (True, False)}


def test_every_expression_of_the_dashboards_is_promql(tmp_path: Path) -> None:
    held = [{"record": f"expression:{number}", "expr": expr} for number, expr in enumerate(expressions().values())]
    file = tmp_path / "expressions.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "all", "rules": held}]}))
    status, said = promtool("check", "rules", file)
    assert status == 0, said


def test_the_operators_rules_are_these(update_golden: bool) -> None:
    groups = ALERTS.read_text().partition("groups:\n")[2]
    text = f"{OPERATORS_HEAD}{textwrap.indent(groups, '  ')}"
    if update_golden:
        OPERATORS.write_text(text)

    assert OPERATORS.read_text() == text, f"pytest {__file__} --update-golden, and read the diff"
    made = yaml.safe_load(text)
    assert made["spec"]["groups"] == yaml.safe_load(ALERTS.read_text())["groups"]
    assert (made["apiVersion"], made["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")


def test_every_job_that_rules_name_is_one_that_pods_are_scraped_as() -> None:
    monitors = yaml.safe_load_all((OPERATORS.parent / "pod-monitors.yaml").read_text())
    # The label that jobLabel names is each pod's: what it is selected by.
    jobs = {each["spec"]["selector"]["matchLabels"][each["spec"]["jobLabel"]] for each in monitors}

    assert jobs == {job["job_name"] for job in scrape_configs()}
    assert set(re.findall(r'job="([^"]+)"', " ".join(expressions().values()))) <= jobs


def test_every_alert_says_how_bad_it_is_and_what_is_wrong() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]
        assert rule["annotations"]["summary"], rule["alert"]


def test_the_runbooks_stop_conditions_are_marked() -> None:
    stops = {rule["alert"]: rule for rule in rules() if rule["labels"].get("canary") == "stop"}

    assert stops.keys() == {"TenantRouterNotReady", "TenantRouterUnreachable", "EdgeErrors"}
    assert {stops[name]["for"] for name in ("TenantRouterNotReady", "TenantRouterUnreachable")} == {"1m"}
    assert "[5m]" in stops["EdgeErrors"]["expr"]
    assert "> 0.005" in stops["EdgeErrors"]["expr"]
