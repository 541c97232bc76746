"""The compose file and what is mounted into it; whether it comes up is asked in tests/docker."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.deployments.test_kubernetes import VARIABLES
from tests.support.promql import DASHBOARDS
from xds.demo.idp import AUDIENCE, ISSUER
from xds.settings import Settings

FOLDER = Path(__file__).parents[2] / "deployments/docker-compose"
FILE = FOLDER / "compose.yaml"
ROUTER = "alphaswarm-tenant-router:compose"


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"])


def read(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((FOLDER / name).read_text(encoding="utf-8")))


def test_it_is_a_compose_file_by_the_schema() -> None:
    program = str(Path(sys.executable).with_name("check-jsonschema"))
    command = [program, "--builtin-schema", "vendor.compose-spec", str(FILE)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 0, ended.stdout


def test_every_service_is_told_apart_from_one_that_is_not_ready(services: dict[str, dict[str, Any]]) -> None:
    once = {"migrate", "seed"}  # their end is what is waited for
    nobody_waits = {"tempo"}  # its image has no program to ask it with

    assert {name for name, each in services.items() if "healthcheck" not in each} == once | nobody_waits


def test_whatever_is_waited_for_is_there_and_tells_it(services: dict[str, dict[str, Any]]) -> None:
    for each in services.values():
        for name, needed in each.get("depends_on", {}).items():
            tells = "healthcheck" in services[name]
            assert needed["condition"] == ("service_healthy" if tells else "service_completed_successfully")


def test_every_file_that_is_mounted_is_there(services: dict[str, dict[str, Any]]) -> None:
    mounted = [each.split(":")[0] for service in services.values() for each in service.get("volumes", [])]

    assert [name for name in mounted if name.startswith(".") and not (FOLDER / name).exists()] == []


def test_settings_are_settings(services: dict[str, dict[str, Any]]) -> None:
    known = {name.upper() for name in Settings.model_fields}
    routers = (each for each in services.values() if each["image"] == ROUTER)

    assert {name for each in routers for name in each.get("environment", {})} <= known
    assert services["edge"]["environment"].keys() <= VARIABLES


def test_the_routers_trust_the_demos_identity_provider(services: dict[str, dict[str, Any]]) -> None:
    given = services["tenant-router"]["environment"]

    assert (given["AUTH_ISSUER"], given["AUTH_AUDIENCE"]) == (ISSUER, AUDIENCE)


def test_only_this_machine_reaches_a_port(services: dict[str, dict[str, Any]]) -> None:
    ports = [port for each in services.values() for port in each.get("ports", [])]

    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_every_cell_of_the_registry_answers_at_its_address(services: dict[str, dict[str, Any]]) -> None:
    for name in ("cell-shared-std-local", "cell-shared-std-eu", "cell-dedicated-ent-us"):
        (service,) = (each for each in services.values() if name in each.get("entrypoint", []))
        assert service["networks"]["default"]["aliases"] == [f"alphaswarm-{name}-api"]
        assert f"'{name}'" in (FOLDER / "seed.sql").read_text()


def test_prometheus_scrapes_what_is_served(services: dict[str, dict[str, Any]]) -> None:
    jobs = {job["job_name"]: job for job in read("prometheus.yaml")["scrape_configs"]}
    found = {name: job["dns_sd_configs"][0] for name, job in jobs.items()}

    assert all(set(each["names"]) <= services.keys() for each in found.values())
    assert {name: each["port"] for name, each in found.items()} == {
        "alphaswarm-tenant-router": 8080,
        "alphaswarm-edge": 9902,
    }
    assert jobs["alphaswarm-edge"]["metrics_path"] == "/stats/prometheus"


def test_grafanas_sources_are_services_and_its_dashboards_are_ours(services: dict[str, dict[str, Any]]) -> None:
    sources = {each["type"]: urlsplit(each["url"]) for each in read("grafana/datasources.yaml")["datasources"]}
    [provider] = read("grafana/provider.yaml")["providers"]
    mounted = dict(each.split(":")[:2] for each in services["grafana"]["volumes"])

    assert {kind: url.hostname for kind, url in sources.items()} == {"prometheus": "prometheus", "tempo": "tempo"}
    assert sources["prometheus"].port == 9090
    assert sources["tempo"].port == read("tempo.yaml")["server"]["http_listen_port"]
    assert mounted["../grafana"] == provider["options"]["path"]
    assert {path.parent for path in DASHBOARDS} == {(FOLDER / "../grafana").resolve()}


def test_tempo_takes_envoys_spans_and_counts_them_over_time(services: dict[str, dict[str, Any]]) -> None:
    tempo = read("tempo.yaml")
    port = tempo["distributor"]["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"].rpartition(":")[2]
    [memory] = services["tempo"]["tmpfs"]
    paths = re.findall(r"path: (\S+)", (FOLDER / "tempo.yaml").read_text())

    assert f"TRACING_COLLECTOR=tempo:{port} docker compose --profile observability up" in FILE.read_text()
    assert tempo["overrides"]["defaults"]["metrics_generator"]["processors"] == ["local-blocks"]
    assert len(paths) == 4
    assert all(path.startswith(memory.split(":")[0] + "/") for path in paths)
