"""The settings of the callout: what is refused by the name of its variable, and what is told to nobody."""

import os

import pytest

from xds.errors import SettingsError
from xds.settings import Settings
from xds.settingvalues import Address, TenantResolution

_PASSWORD = "open-sesame"


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {name.upper() for name in Settings.model_fields} & set(os.environ):
        monkeypatch.delenv(name)


def test_nobody_is_asked_unless_it_is_said() -> None:
    settings = Settings.read()

    assert settings.tenant_resolution is TenantResolution.ENVOY
    assert (settings.callout_timeout_ms, settings.callout_cache_seconds) == (200, 30)


def test_it_may_be_asked_at_an_address_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLOUT_ADDRESS", "router.internal:18000")

    assert Settings.read().callout_address == Address("router.internal", 18000)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
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


def test_where_no_token_is_looked_at_there_is_nothing_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"AUTH_MODE": "off", "AUTH_ANONYMOUS_TENANT": "acme", "CALLOUT_TOKENS_FILE": "tokens.json"}
    for name, value in {**given, "TENANT_RESOLUTION": "callout"}.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SettingsError, match=r"^TENANT_RESOLUTION: callout has nothing to resolve"):
        Settings.read()


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
