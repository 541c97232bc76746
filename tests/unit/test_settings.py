"""Each setting is read, checked and, if wrong, refused by the name of its variable."""

import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from xds.errors import SettingsError
from xds.identities import NodeRule
from xds.settings import Settings
from xds.settingvalues import Address, CbaMode, HttpAuth, TlsFiles

_PASSWORD = "open-sesame"
_TLS = {"XDS_TLS_CERT_FILE": "a.pem", "XDS_TLS_KEY_FILE": "a.key", "XDS_TLS_CLIENT_CA_FILE": "ca.pem"}


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {name.upper() for name in Settings.model_fields} & {name.upper() for name in os.environ}:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "settings.env"


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
        ("AUTH_MODE", "none"),
        ("AUTH_ANONYMOUS_TENANT", "-"),
        ("AUTH_JWKS_REFRESH_SECONDS", "0"),
        ("AUTH_JWKS_OVERLAP_SECONDS", "-1"),
        ("AUTH_JWKS_INSECURE", "perhaps"),
        ("AUTH_WEBSOCKET_QUERY", 'a"b'),
        ("AUTH_WEBSOCKET_COOKIE", "a b"),
        ("AUTH_TOKEN_BYTES", "100"),
        ("AUTH_CLOCK_SKEW_SECONDS", "601"),
        ("AUTH_CLOCK_SKEW_SECONDS", "0"),  # which Envoy takes for 60
        ("HTTP_AUTH", "on"),
        ("METRICS_PUBLIC", "perhaps"),
        ("TOKEN_LIFE_SECONDS", "4"),
        ("TOKEN_LIFE_SECONDS", "3601"),
        ("TOKEN_REQUESTS_PER_MINUTE", "0"),
        ("VALIDATIONS_PER_SECOND", "0"),
        ("XDS_SIGNING_KEY_FILES", "-----BEGIN PRIVATE KEY-----,x"),
        ("CBA_MODE", "Enforce!"),
        ("EDGE_LISTENERS", "0.0.0.0:10000"),
        ("EDGE_LISTENERS", "edge=0.0.0.0"),
        ("EDGE_LISTENERS", "edge=a:1,edge=b:2"),
        ("EDGE_LISTENERS", " , "),
        ("EDGE_TRUSTED_HOPS", "-1"),
        ("EDGE_TRUSTED_HOPS", "all"),
        ("XDS_NODE_IDENTITIES", "edge-1"),
        ("XDS_NODE_IDENTITIES", "edge-1=edge-1@e,spiffe://a/*=edge-*"),
        ("XDS_ALLOW_PLAINTEXT", "perhaps"),
        ("CLIENT_UPSTREAM", "http://alphaswarm-client:80"),
        ("CLIENT_UPSTREAM", "alphaswarm-client:0"),
        ("CONTROLLER_UPSTREAM", "alphaswarm-controller:0"),
        ("CONTROLLER_UPSTREAM", "alphaswarm-controller"),
        ("CBA_GRACE_SECONDS", "-1"),
        ("CBA_GRACE_SECONDS", "3601"),
        ("HIDE_SUSPENDED", "perhaps"),
        ("INTERNAL_LISTENERS", "edge:1"),
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


def test_listeners_are_read_by_group(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_LISTENERS", "edge-a=0.0.0.0:1, edge-b=[::]:2,")

    assert Settings.read().edge_listeners == {"edge-a": Address("0.0.0.0", 1), "edge-b": Address("::", 2)}


def test_settings_are_taken_as_values_too() -> None:
    settings = Settings(edge_listeners={"e": Address("h", 1)}, auth_audience=("a",), client_upstream=Address("c", 2))

    assert settings.client_upstream == Address("c", 2)


def test_with_no_token_looked_at_every_request_is_somebodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTH_MODE", "off")

    with pytest.raises(SettingsError, match=r"^AUTH_ANONYMOUS_TENANT: must be set while AUTH_MODE=off"):
        Settings.read()
    assert Settings(auth_mode="off", auth_anonymous_tenant="acme").auth_anonymous_tenant == "acme"


def test_grpc_clients_are_no_group_of_envoys() -> None:
    with pytest.raises(ValidationError, match="GRPC_NODE_GROUP: e is a group of EDGE_LISTENERS"):
        Settings(edge_listeners={"e": Address("h", 1)}, grpc_node_group="e")


# The xDS channel


def _set(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_rules_are_read_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = {"XDS_NODE_IDENTITIES": "a=b@c, d*=e*@*,", "XDS_OPERATOR_IDENTITIES": "spiffe://x/*, ops.internal"}
    _set(monkeypatch, **_TLS, **rules)

    settings = Settings.read()

    assert settings.xds_node_identities == (NodeRule("a", "b", "c"), NodeRule("d*", "e*", "*"))
    assert settings.xds_operator_identities == ("spiffe://x/*", "ops.internal")


@pytest.mark.parametrize("unset", list(_TLS))
def test_half_a_tls_is_refused_by_what_is_missing(monkeypatch: pytest.MonkeyPatch, unset: str) -> None:
    _set(monkeypatch, **{**_TLS, unset: ""})

    with pytest.raises(SettingsError) as refused:
        Settings.read()

    (fault,) = refused.value.faults
    assert fault.startswith(f"{unset}: must be set: TLS needs all of XDS_TLS_CERT_FILE, ")


@pytest.mark.parametrize(
    ("variable", "value"), [("XDS_NODE_IDENTITIES", "a=b@c"), ("XDS_OPERATOR_IDENTITIES", "ops.internal")]
)
def test_rules_that_no_certificate_can_meet_are_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    _set(monkeypatch, **{variable: value})

    with pytest.raises(SettingsError, match=f"^{variable}: is about certificates, and in plain text there are none"):
        Settings.read()


def test_with_tls_any_address_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, **_TLS)

    assert Settings.read().require_channel() == TlsFiles(Path("a.pem"), Path("a.key"), Path("ca.pem"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "[::1]", "localhost"])
def test_plain_text_is_served_on_loopback(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    _set(monkeypatch, XDS_LISTEN=f"{host}:18000")

    assert Settings.read().require_channel() is None


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "10.0.0.1", "xds.internal", "localhost.evil", "128.0.0.1"])
def test_plain_text_is_served_elsewhere_only_by_the_operators_word(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    _set(monkeypatch, XDS_LISTEN=f"{host}:18000")

    with pytest.raises(SettingsError) as refused:
        Settings.read().require_channel()

    (fault,) = refused.value.faults
    assert fault == (
        f"XDS_LISTEN: refusing to serve plain text on {host}:18000: set XDS_TLS_CERT_FILE, XDS_TLS_KEY_FILE and"
        " XDS_TLS_CLIENT_CA_FILE, or listen on 127.0.0.1, or set XDS_ALLOW_PLAINTEXT=yes"
    )
    _set(monkeypatch, XDS_ALLOW_PLAINTEXT="yes")
    assert Settings.read().require_channel() is None


def test_grpc_clients_are_no_group_of_internal_listeners_either() -> None:
    with pytest.raises(ValidationError, match="GRPC_NODE_GROUP: i is a group of INTERNAL_LISTENERS"):
        Settings(internal_listeners={"i": Address("h", 1)}, grpc_node_group="i")


@pytest.mark.parametrize(
    "missing", ["INTERNAL_TLS_CERT_FILE", "INTERNAL_TLS_KEY_FILE", "INTERNAL_TLS_CA_FILE", "INTERNAL_ALLOWED_SANS"]
)
def test_callers_inside_the_platform_must_be_known(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    needed = {"INTERNAL_TLS_CERT_FILE": "c", "INTERNAL_TLS_KEY_FILE": "k", "INTERNAL_TLS_CA_FILE": "a"}
    for name, value in {**needed, "INTERNAL_ALLOWED_SANS": "a, b", "INTERNAL_LISTENERS": "e=h:1"}.items():
        monkeypatch.setenv(name, value)
    assert Settings.read().internal_allowed_sans == ("a", "b")
    monkeypatch.setenv(missing, "")

    with pytest.raises(SettingsError, match=rf"^{missing}: must be set with INTERNAL_LISTENERS"):
        Settings.read()


@pytest.mark.parametrize(("word", "hides"), [("yes", True), ("no", False)])
def test_suspended_tenants_are_hidden_by_a_word(monkeypatch: pytest.MonkeyPatch, word: str, hides: bool) -> None:
    monkeypatch.setenv("HIDE_SUSPENDED", word)

    assert Settings.read().hide_suspended is hides


# Tokens of our own, and operators


def test_signing_keys_are_files_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDS_SIGNING_KEY_FILES", "/keys/new.pem, /keys/old.pem,")

    assert Settings.read().xds_signing_key_files == (Path("/keys/new.pem"), Path("/keys/old.pem"))


def test_a_key_in_place_of_its_file_is_quoted_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDS_SIGNING_KEY_FILES", f"-----BEGIN PRIVATE KEY-----\n{_PASSWORD}")

    with pytest.raises(SettingsError) as refused:
        Settings.read()

    assert refused.value.faults == ("XDS_SIGNING_KEY_FILES: expected the paths of files, got what looks like a key",)


def test_who_signs_for_us_is_not_the_identity_provider() -> None:
    with pytest.raises(ValidationError, match="TOKEN_ISSUER: https://idp is AUTH_ISSUER"):
        Settings(auth_issuer="https://idp", token_issuer="https://idp")


def test_operators_need_tokens_but_on_this_machine_unless_it_is_said() -> None:
    settings = Settings.read()

    assert (settings.http_auth, settings.metrics_public) == (HttpAuth.LOOPBACK, True)
    assert settings.xds_signing_key_files == ()
