"""The runbook is true: what it and the README name is there, and every item of the first runbook has its place."""

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from tests.deployments.manifests import ROOT, bases
from tests.support.promql import rules
from xds.cli import PROGRAM, program
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

R = "deployments/RUNBOOK.md"
EDGE = "deployments/kubernetes/edge/alphaswarm-edge"
ROUTER = "deployments/kubernetes/edge/alphaswarm-tenant-router"
CLOUDFLARE = "deployments/cloudflare/alphaswarm_load_balancer.tf"
ALERTS = "deployments/prometheus/alerts.yaml"
WORKFLOW = ".github/workflows/build-publish.yml"

ITEMS = (
    # (item of the first runbook, file where it is now, text in that file)
    ("manifests under deployments/kubernetes/edge/", f"{EDGE}/kustomization.yaml", "deployment.yaml"),
    ("ext_authz callout to /resolve", R, "The first runbook had Envoy ask the tenant-router at each request"),
    ("x-alphaswarm-cell header", "README.md", "x-alphaswarm-tenant`, `-cell`"),
    ("alphaswarm-cell-<id>-api", "README.md", "alphaswarm-cell-<…>-api"),
    ("the four images run on in parallel", R, "`alphaswarm-api`, `alphaswarm-worker`, `alphaswarm-client` and"),
    ("alembic current, 0083_audit_cell_id_column", R, "0083_audit_cell_id_column"),
    ("curl …/manage/cells | jq '.data[].id'", R, "curl -sS https://manage.alpha-swarm.ai/manage/cells"),
    ("GET /manage/cells", "xds/control/table.py", '"/manage/cells"'),
    ("namespace alphaswarm-edge", f"{EDGE}/namespace.yaml", "name: alphaswarm-edge"),
    ("label host-network-allowed", f"{EDGE}/namespace.yaml", 'alphaswarm.io/host-network-allowed: "true"'),
    ("build alphaswarm-edge", R, "--file build/docker/alphaswarm-edge/Dockerfile"),
    ("build alphaswarm-tenant-router", R, "--file build/docker/alphaswarm-tenant-router/Dockerfile"),
    ("linux/amd64,linux/arm64", WORKFLOW, "platforms: linux/amd64,linux/arm64"),
    ("tag …/alphaswarm-edge:v0.2.0", f"{EDGE}/deployment.yaml", "ghcr.io/julianwiley/alphaswarm-edge:v0.2.0"),
    ("tag …-router:v0.2.0", f"{ROUTER}/deployment.yaml", "ghcr.io/julianwiley/alphaswarm-tenant-router:v0.2.0"),
    ("Python + uvloop", "pyproject.toml", "uvloop"),
    ("tagged releases build both images", WORKFLOW, "image: [alphaswarm-edge, alphaswarm-tenant-router]"),
    ("push to ECR", R, "pushes to ghcr.io, not to ECR"),
    ("Cosign keyless", WORKFLOW, "cosign sign"),
    ("SBOM", WORKFLOW, "sbom: true"),
    ("SLSA provenance", WORKFLOW, "provenance: mode=max"),
    ("Trivy scan", WORKFLOW, "trivy"),
    ("build-sign-push composite", R, "`build-sign-push` is the platform's"),
    ("AUTH_MODE=required, empty issuer, crash-loops", f"{ROUTER}/config.yaml", "AUTH_MODE: required"),
    ("stamp alphaswarm-tenant-router-config", R, "patch configmap alphaswarm-tenant-router-config"),
    ("kubectl apply -k …/alphaswarm-edge/", R, f"kubectl apply -k {EDGE}/"),
    ("kubectl apply -k …/alphaswarm-tenant-router/", R, f"kubectl apply -k {ROUTER}/"),
    ("PodDisruptionBudgets", f"{ROUTER}/disruption-budget.yaml", "PodDisruptionBudget"),
    ("NetworkPolicy", f"{ROUTER}/network-policy.yaml", "NetworkPolicy"),
    ("HPA", f"{ROUTER}/autoscaler.yaml", "HorizontalPodAutoscaler"),
    ("alphaswarm-cell-bound-validator Service", f"{ROUTER}/service.yaml", "alphaswarm-cell-bound-validator"),
    ("port-forward 18080:8080", R, "port-forward svc/alphaswarm-tenant-router 18080:8080"),
    ("curl /readyz and its answer", R, '{"status":"ok","cells":<n>,"auth_mode":"required","cba_mode":"enforce"'),
    ("pool alphaswarm_proxy_legacy", CLOUDFLARE, '"cloudflare_load_balancer_pool" "alphaswarm_proxy_legacy"'),
    ("pool alphaswarm_proxy_envoy", CLOUDFLARE, '"cloudflare_load_balancer_pool" "alphaswarm_proxy_envoy"'),
    ("weights 0.9 and 0.1", CLOUDFLARE, "pool_weights"),
    ("hostname alpha-swarm.ai", CLOUDFLARE, '"alpha-swarm.ai"'),
    ("alphaswarm deploy terraform plan apply", R, "alphaswarm deploy terraform plan apply"),
    ("never raw terraform apply, rule 42", R, "AGENTS rule 42"),
    ("get pods -l app=alphaswarm-edge", R, "get pods -l app=alphaswarm-edge"),
    ("get pods -l app=alphaswarm-tenant-router", R, "get pods -l app=alphaswarm-tenant-router"),
    ("logs --tail=200 -f", R, "logs -l app=alphaswarm-tenant-router --tail=200 -f"),
    ("stop: readyz 503 > 1 minute", ALERTS, "TenantRouterNotReady"),
    ("stop: 5xx > 0.5 % over 5 minutes", ALERTS, "> 0.005"),
    ("stop: cell_id IS NULL", R, "cell_id IS NULL"),
    ("step 3, 50 %", R, "envoy_percent = 50/"),
    (
        "Tempo query by alphaswarm.cell.id",
        R,
        '{ span.alphaswarm.cell.id = "cell-shared-std-local" } | count_over_time()',
    ),
    ("step 4, 0.0 / 1.0", R, "Weights 0.0 and 1.0"),
    ("7 days as the safety net", R, "runs on for 7 days"),
    ("step 5, the proxy's removal", R, "`alphaswarm/api/proxy.py`"),
    ("routes /api, /ws, /manage, /static", R, "`/api/*`, `/ws/*`, `/manage/*` and `/static`"),
    ("alphaswarm-client:proxy-last-stable", R, "alphaswarm-client:proxy-last-stable"),
    ("tag alphaswarm-client-proxy-final", R, "alphaswarm-client-proxy-final"),
    ("tests under tests/api/", R, "`tests/api/`"),
    ("rollback: weight 1.0 / 0.0", R, "Weights 1.0 and 0.0"),
    ("rollback: scale to 0", R, "scale deployment alphaswarm-edge --replicas=0"),
)


def shell(text: str) -> str:
    """The shell blocks of a text, joined, with continued lines made one."""
    return "\n".join(re.findall(r"^ *```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)).replace("\\\n", " ")


def invocations(text: str) -> Iterator[str]:
    """Each command line of ours in a text's shell blocks and inline code."""
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL))
    for line in [*shell(text).splitlines(), *inline]:
        if found := re.search(rf"(?:^|\s|-- ){PROGRAM} +(?=[a-z-])(.*)$", re.sub(r"\s#.*$", "", line)):
            yield found[1].strip()


def parse(line: str) -> None:
    """Have click parse a command line, down to the last command, and run nothing."""
    words = [word for word in shlex.split(line.partition(" | ")[0].partition(" > ")[0]) if word != "…"]
    command: click.Command = program
    while isinstance(command, click.Group):
        context = command.make_context(command.name, list(words), resilient_parsing=False)
        rest = [*context._protected_args, *context.args]
        if not rest:
            return  # a group alone, as when it is spoken of
        name, found, words = command.resolve_command(context, rest)
        assert found is not None, name
        command = found
    command.make_context(command.name, list(words))


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
    kinds = {"deployment": "Deployment", "configmap": "ConfigMap", "namespace": "Namespace", "svc": "Service"}
    named = {
        (kinds[kind], name)
        for kind, name in re.findall(r"\b(deployment|configmap|namespace|svc)[ /](alphaswarm-[\w-]+)", shell(RUNBOOK))
    }
    assert {kind for kind, _ in named} == set(kinds.values())
    assert named <= there
    assert ("Job", "alphaswarm-tenant-router-migrate") in there
    labels = {template["metadata"]["labels"]["app"] for _, template in bases().templates()}
    assert set(re.findall(r"-l app=([\w-]+)", RUNBOOK)) <= labels
    assert set(re.findall(r"kubectl -n ([\w-]+)", RUNBOOK)) == {"alphaswarm-edge"}


@pytest.mark.parametrize(("item", "file", "text"), ITEMS, ids=[item for item, _, _ in ITEMS])
def test_every_item_of_the_first_runbook_has_its_place(item: str, file: str, text: str) -> None:
    assert text in (ROOT / file).read_text(encoding="utf-8"), f"{item}: {file} has no {text!r}"


def test_the_schemas_head_is_the_runbooks() -> None:
    newest = max(path.stem for path in (ROOT / "xds/registry/migrations/versions").glob("[0-9]*.py"))
    assert f"# expected: {newest} (head)" in RUNBOOK


def test_the_readme_leads_there() -> None:
    assert "(deployments/RUNBOOK.md)" in README
