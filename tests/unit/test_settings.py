"""Each setting is read, checked and, if wrong, refused by the name of its variable."""

import json
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from xds.errors import SettingsError
from xds.settings import Address, CbaMode, Settings

_PASSWORD = "open-sesame"
_PUBLIC_KEY = {"kty": "RSA", "kid": "1", "n": "AQAB", "e": "AQAB"}


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {name.upper() for name in Settings.model_fields} & {name.upper() for name in os.environ}:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.env"


def _jwks(path: Path, *keys: object) -> Path:
    path.write_text(json.dumps({"keys": keys}))
    return path


def _stamped(jwks: Path, **given: object) -> Settings:
    stamp = {"auth_issuer": "https://idp", "auth_audience": "api", "auth_jwks_file": jwks}
    return Settings.model_validate(stamp | given)


def test_the_defaults_are_the_runbooks() -> None:
    settings = Settings.read()

    assert settings.http_listen == Address("0.0.0.0", 8080)
    assert (settings.auth_mode, settings.cba_mode) == ("required", CbaMode.ENFORCE)
    assert list(settings.edge_listeners) == ["alphaswarm-edge"]


def test_every_setting_is_documented() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DATABASE_URL", "mysql://localhost/alphaswarm"),
        ("DATABASE_URL", "localhost"),
        ("DATABASE_POOL_SIZE", "0"),
        ("DATABASE_POOL_SIZE", "many"),
        ("DATABASE_TIMEOUT_SECONDS", "0"),
        ("DATABASE_TIMEOUT_SECONDS", "inf"),
        ("REGISTRY_POLL_SECONDS", "-1"),
        ("REGISTRY_POLL_SECONDS", "nan"),
        ("PUBLISH_INTERVAL_MS", "-1"),
        ("PUBLISH_INTERVAL_MS", "0.5"),
        ("XDS_LISTEN", "18000"),
        ("XDS_LISTEN", "localhost:65536"),
        ("HTTP_LISTEN", ":8080"),
        ("HTTP_LISTEN", "http://0.0.0.0:8080"),
        ("HTTP_LISTEN", "local host:8080"),
        ("HTTP_LISTEN", "localhost:http"),
        ("HTTP_LISTEN", "localhost:٨٠"),
        ("SHUTDOWN_SECONDS", "-0.1"),
        ("SHUTDOWN_SECONDS", "inf"),
        ("AUTH_MODE", "off"),
        ("AUTH_CLOCK_SKEW_SECONDS", "601"),
        ("CBA_MODE", "Enforce!"),
        ("EDGE_LISTENERS", "0.0.0.0:10000"),
        ("EDGE_LISTENERS", "edge=0.0.0.0"),
        ("EDGE_LISTENERS", "edge=a:1,edge=b:2"),
        ("EDGE_LISTENERS", " , "),
        ("TENANT_RESOLUTION", "both"),
        ("TENANT_RESOLUTION", "callout"),  # with neither a file nor an endpoint
        ("CALLOUT_ADDRESS", "router"),
        ("CALLOUT_ADDRESS", "router:0"),
        ("CALLOUT_TIMEOUT_MS", "0"),
        ("CALLOUT_TIMEOUT_MS", "60000"),
        ("CALLOUT_CACHE_SECONDS", "-1"),
        ("CALLOUT_CACHE_SECONDS", "nan"),
        ("CALLOUT_INTROSPECTION_URL", "idp.example/introspect"),
        ("CALLOUT_INTROSPECTION_URL", "http://idp.example/introspect"),
        ("CALLOUT_INTROSPECTION_URL", "http://localhost.example/introspect"),
        ("CALLOUT_INTROSPECTION_URL", "https://"),
        ("CALLOUT_INTROSPECTION_URL", "https://idp.example:port/"),
        ("CALLOUT_INTROSPECTION_URL", "https://idp.example/#there"),
        ("CALLOUT_INTROSPECTION_CLIENT_ID", "edge"),  # without its secret
        ("CLIENT_UPSTREAM", "http://alphaswarm-client:80"),
        ("CLIENT_UPSTREAM", "alphaswarm-client:0"),
        ("CELL_HEALTH_PATH", "healthz"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_value_is_refused_by_its_variables_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError) as refused:
        Settings.read()

    (fault,) = refused.value.faults
    assert fault.startswith(f"{variable}: ")
    assert "\n" not in fault
    assert fault.count(f"got {value!r}") <= 1, "the value is told at most once"


def test_all_faults_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CBA_MODE", "x")
    monkeypatch.setenv("LOG_LEVEL", "y")

    with pytest.raises(SettingsError) as refused:
        Settings.read()

    assert [fault.partition(":")[0] for fault in refused.value.faults] == ["CBA_MODE", "LOG_LEVEL"]


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    file.write_text("CBA_MODE=monitor\nLOG_LEVEL=warning\n")
    monkeypatch.setenv("CBA_MODE", "off")

    settings = Settings.read(file)

    assert settings.cba_mode is CbaMode.OFF
    assert settings.log_level == "warning"


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    file.write_text("AUTH_ISSUER=https://idp\n")
    monkeypatch.setenv("AUTH_ISSUER", "")
    monkeypatch.setenv("AUTH_TENANT_CLAIM", "")

    settings = Settings.read(file)

    assert (settings.auth_issuer, settings.auth_tenant_claim) == ("https://idp", "tenant_id")


def test_a_wrong_value_in_the_file_is_refused_by_its_variables_name(file: Path) -> None:
    file.write_text("# a comment\n\nexport CBA_MODE='strict'\n")

    with pytest.raises(SettingsError, match=r"^CBA_MODE: .* \(got 'strict'\)$"):
        Settings.read(file)


def test_an_unknown_name_in_the_file_is_refused_without_its_value(file: Path) -> None:
    file.write_text(f"DATABASEURL=postgresql://u:{_PASSWORD}@db/alphaswarm\n")

    with pytest.raises(SettingsError, match=r"^DATABASEURL: no such setting$"):
        Settings.read(file)


@pytest.mark.parametrize("line", ["CBA_MODE off", "CBA_MODE", 'CBA_MODE="off', f"DATABASE_URL {_PASSWORD}"])
def test_a_line_that_cannot_be_read_is_refused_by_its_number(file: Path, line: str) -> None:
    file.write_text(f"LOG_LEVEL=info\n{line}\n")

    with pytest.raises(SettingsError) as refused:
        Settings.read(file)

    assert refused.value.faults == (f"settings file {file}, line 2: expected NAME=value",)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere: no such file"):
        Settings.read(tmp_path / "nowhere")


def test_a_file_that_is_no_text_is_refused(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")

    with pytest.raises(SettingsError, match="expected UTF-8 text"):
        Settings.read(file)


def test_a_file_that_cannot_be_opened_is_refused(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    file.touch()
    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(SettingsError, match="Permission denied"):
        Settings.read(file)


@pytest.mark.parametrize("url", [f"mysql://u:{_PASSWORD}@db/x", f"u:{_PASSWORD}@db", _PASSWORD])
def test_the_database_password_is_in_no_message(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)

    with pytest.raises(SettingsError) as refused:
        Settings.read()

    assert _PASSWORD not in str(refused.value)
    assert refused.value.__suppress_context__, "pydantic's error shows the value"


def test_the_database_password_is_in_no_repr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgres://u:{_PASSWORD}@db/x")

    settings = Settings.read()

    assert _PASSWORD not in repr(settings)
    assert _PASSWORD not in str(settings.model_dump())
    assert _PASSWORD in settings.database_url.get_secret_value()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:80", Address("localhost", 80)),
        ("0.0.0.0:0", Address("0.0.0.0", 0)),
        ("[::1]:8080", Address("::1", 8080)),
        ("[fe80::1%eth0]:1", Address("fe80::1%eth0", 1)),
        ("alphaswarm-cell-shared_std.local:65535", Address("alphaswarm-cell-shared_std.local", 65535)),
    ],
)
def test_an_address_reads_what_it_writes(text: str, address: Address) -> None:
    assert Address.parse(text) == address
    assert str(address) == text


def test_listeners_are_read_by_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_LISTENERS", "edge-a=0.0.0.0:1, edge-b=[::]:2,")

    assert Settings.read().edge_listeners == {"edge-a": Address("0.0.0.0", 1), "edge-b": Address("::", 2)}


def test_settings_are_taken_as_values_too() -> None:
    settings = Settings(edge_listeners={"e": Address("h", 1)}, auth_audience=("a",), client_upstream=Address("c", 2))

    assert settings.client_upstream == Address("c", 2)


@pytest.mark.parametrize("unset", [("auth_issuer",), ("auth_audience",), ("auth_issuer", "auth_audience")])
def test_serving_without_an_issuer_or_audience_is_refused(tmp_path: Path, unset: tuple[str, ...]) -> None:
    settings = _stamped(_jwks(tmp_path / "jwks", _PUBLIC_KEY), **dict.fromkeys(unset, ""))

    with pytest.raises(SettingsError) as refused:
        settings.require_auth()

    assert [fault.partition(":")[0] for fault in refused.value.faults] == [name.upper() for name in unset]
    assert all("AUTH_MODE=required" in fault for fault in refused.value.faults)


def test_serving_with_nothing_stamped_names_all_that_is_missing() -> None:
    with pytest.raises(SettingsError) as refused:
        Settings.read().require_auth()

    names = [fault.partition(":")[0] for fault in refused.value.faults]
    assert names == ["AUTH_ISSUER", "AUTH_AUDIENCE", "AUTH_JWKS_FILE"]


def test_an_audience_of_separators_only_is_no_audience(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="AUTH_AUDIENCE"):
        _stamped(_jwks(tmp_path / "jwks", _PUBLIC_KEY), auth_audience=" , ").require_auth()


@pytest.mark.parametrize("kty", ["RSA", "EC", "OKP"])
def test_a_jwks_of_public_keys_is_handed_on_as_it_is(tmp_path: Path, kty: str) -> None:
    jwks = _jwks(tmp_path / "jwks", {**_PUBLIC_KEY, "kty": kty})

    assert _stamped(jwks, auth_audience="api, admin").require_auth() == jwks.read_text()


@pytest.mark.parametrize("secret", [{**_PUBLIC_KEY, "d": _PASSWORD}, {"kty": "oct", "k": _PASSWORD}])
def test_a_jwks_with_a_private_or_symmetric_key_is_refused(tmp_path: Path, secret: dict[str, str]) -> None:
    settings = _stamped(_jwks(tmp_path / "jwks", _PUBLIC_KEY, secret))

    with pytest.raises(SettingsError, match=r"^AUTH_JWKS_FILE: .* private or symmetric key") as refused:
        settings.require_auth()

    assert _PASSWORD not in str(refused.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "1", "{}", '{"keys": 1}', '{"keys": []}', '{"keys": [{"kty": "x"}]}'])
def test_a_file_that_is_no_jwks_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "jwks").write_text(text)

    with pytest.raises(SettingsError, match=r"^AUTH_JWKS_FILE: "):
        _stamped(tmp_path / "jwks").require_auth()


def test_a_jwks_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"AUTH_JWKS_FILE: cannot read .*: Is a directory"):
        _stamped(tmp_path).require_auth()


def test_a_jwks_file_of_garbage_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jwks").write_bytes(b"\xff\xfe")

    with pytest.raises(SettingsError, match="is not a JWKS"):
        _stamped(tmp_path / "jwks").require_auth()


def test_grpc_clients_are_no_group_of_envoys() -> None:
    with pytest.raises(ValidationError, match="GRPC_NODE_GROUP: e is a group of EDGE_LISTENERS"):
        Settings(edge_listeners={"e": Address("h", 1)}, grpc_node_group="e")


@pytest.mark.parametrize(
    "url", ["https://idp.example/introspect?x=1", "http://127.0.0.1:8000/", "http://[::1]/", "http://localhost/"]
)
def test_tokens_are_sent_in_private_or_to_this_machine(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("TENANT_RESOLUTION", "callout")
    monkeypatch.setenv("CALLOUT_INTROSPECTION_URL", url)

    assert Settings.read().callout_introspection_url == url


def test_no_secret_of_the_callout_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLOUT_INTROSPECTION_URL", f"https://edge:{_PASSWORD}@idp.example/introspect")
    with pytest.raises(SettingsError) as refused:
        Settings.read()
    assert _PASSWORD not in str(refused.value)

    monkeypatch.setenv("CALLOUT_INTROSPECTION_URL", "https://idp.example/introspect")
    monkeypatch.setenv("CALLOUT_INTROSPECTION_CLIENT_SECRET", _PASSWORD)
    with pytest.raises(SettingsError, match=r"^CALLOUT_INTROSPECTION_CLIENT_ID: expected with") as refused:
        Settings.read()
    assert _PASSWORD not in str(refused.value)

    monkeypatch.setenv("CALLOUT_INTROSPECTION_CLIENT_ID", "edge")
    settings = Settings.read()
    assert settings.callout_introspection_client_secret.get_secret_value() == _PASSWORD
    assert _PASSWORD not in repr(settings)
