"""The runbook is true: what it and the README name is there, and every item of the first runbook has its place."""

import re

import click
import pytest

from tests.deployments.commandlines import invocations, parse, shell
from tests.deployments.manifests import ROOT, bases
from tests.deployments.runbookitems import ITEMS, ROUTER, Item
from tests.support.promql import rules
from xds.settings import Settings

RUNBOOK = (ROOT / "deployments/RUNBOOK.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")

IN_A_SHELL = {"AUDIT_DATABASE_URL", "DATABASE_URL", "COMPOSE_FILE", "KEY", "TOKEN"}
"""What is no setting of `serve`, and is set in a shell."""

OUTSIDE = {
    "alphaswarm/api/proxy.py",
    "alphaswarm/api/main.py",
    "tests/api/",
    "deployments/cloudflare/terraform.tfvars",
}
"""The platform's own files; and the one that the operator makes."""


COMMAND_LINES = sorted({*invocations(RUNBOOK), *invocations(f"```sh\n{shell(README)}\n```")})


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_every_command_line_is_one_of_the_program(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    parse(line)


@pytest.mark.parametrize(
    "line", ["snapshot rollbak 41", "snapshot rollback 41 --now", "snapshot rollback", "canary plan --weight 11"]
)
def test_what_is_no_command_line_would_be_found(line: str) -> None:
    with pytest.raises(click.UsageError):
        parse(line)


def test_command_lines_are_found() -> None:
    assert "snapshot diff 41" in set(invocations(RUNBOOK))
    assert "cells evacuate cell-a --yes" in set(invocations(RUNBOOK))


def test_every_path_is_there() -> None:
    named = set(re.findall(r"(?<![\w/{])(?:build|deployments|tests|xds|\.github|alphaswarm)/[\w./-]+", RUNBOOK))
    assert f"{ROUTER}/" in named
    missing = {each for each in named if not (ROOT / each.rstrip(".")).exists()}
    assert missing == OUTSIDE


def test_every_alert_has_an_entry_and_every_entry_an_alert() -> None:
    entries = re.findall(
        r"^### (.+)\n\n(.+)", RUNBOOK.partition("## When an alert fires")[2].partition("\n## ")[0], re.MULTILINE
    )
    assert [name for name, _ in entries] == [rule["alert"] for rule in rules()]
    stops = {name for name, text in entries if text.startswith("`canary: stop`.")}
    assert stops == {rule["alert"] for rule in rules() if rule["labels"].get("canary") == "stop"}


def test_every_setting_is_a_setting() -> None:
    settings = {name.upper() for name in Settings.model_fields}
    patched = re.findall(r"\"([A-Z_]{4,})\":", RUNBOOK)
    named = {*patched, *re.findall(r"\b([A-Z][A-Z_]{3,})=", RUNBOOK), *re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", RUNBOOK)}
    assert "AUTH_JWKS_OVERLAP_SECONDS" in named
    assert named - settings <= IN_A_SHELL


def test_every_kubernetes_name_is_in_the_manifests() -> None:
    there = {(each["kind"], each["metadata"]["name"]) for each in bases().objects}
    kinds = {
        "deployment": "Deployment",
        "configmap": "ConfigMap",
        "namespace": "Namespace",
        "svc": "Service",
        "job": "Job",
    }
    named = {
        (kinds[kind], name)
        for kind, name in re.findall(
            r"\b(deployment|configmap|namespace|svc|job)[ /](alphaswarm-[\w-]+)", shell(RUNBOOK)
        )
    }
    assert {kind for kind, _ in named} == set(kinds.values())
    assert named <= there
    assert {("Job", name) for name in re.findall(r"alphaswarm-tenant-router-migrate-v[\w-]+", RUNBOOK)} <= there
    labels = {template["metadata"]["labels"]["app"] for _, template in bases().templates()}
    assert set(re.findall(r"-l app=([\w-]+)", RUNBOOK)) <= labels
    assert set(re.findall(r"kubectl -n ([\w-]+)", RUNBOOK)) == {"alphaswarm-edge"}


@pytest.mark.parametrize("item", ITEMS, ids=[item.name for item in ITEMS])
def test_every_item_of_the_first_runbook_has_its_place(item: Item) -> None:
    assert item.text in (ROOT / item.file).read_text(encoding="utf-8"), f"{item.file} has no {item.text!r}"


@pytest.mark.parametrize("item", ITEMS, ids=[item.name for item in ITEMS])
def test_every_item_of_the_first_runbook_has_its_test(item: Item) -> None:
    file, _, name = item.test.partition("::")

    assert re.search(rf"^(?:async )?def {name}\(", (ROOT / file).read_text(encoding="utf-8"), re.MULTILINE), item.test


def test_the_schemas_head_is_the_runbooks() -> None:
    newest = max(path.stem for path in (ROOT / "xds/registry/migrations/versions").glob("[0-9]*.py"))
    assert f"# expected: {newest} (head)" in RUNBOOK


def test_the_readme_leads_there() -> None:
    assert "(deployments/RUNBOOK.md)" in README
