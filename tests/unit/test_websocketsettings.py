"""The settings of a websocket's token, by the names of their variables."""

import os

import pytest

from xds.errors import SettingsError
from xds.settings import Settings


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {name.upper() for name in Settings.model_fields} & set(os.environ):
        monkeypatch.delenv(name)


def read(monkeypatch: pytest.MonkeyPatch, origins: str) -> Settings:
    monkeypatch.setenv("AUTH_WEBSOCKET_COOKIE", "session")
    monkeypatch.setenv("AUTH_WEBSOCKET_ORIGINS", origins)
    return Settings.read()


def test_a_token_stands_in_no_other_place_than_the_header_unless_it_is_said() -> None:
    settings = Settings.read()

    assert (settings.auth_websocket_query, settings.auth_websocket_cookie, settings.auth_websocket_origins) == (
        "",
        "",
        (),
    )


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("https://app.example", ("https://app.example",)),
        ("https://app.example, http://localhost:3000", ("https://app.example", "http://localhost:3000")),
        ("http://[::1]:3000", ("http://[::1]:3000",)),
        ("chrome-extension://abcdefgh", ("chrome-extension://abcdefgh",)),
        ("*", ("*",)),
    ],
)
def test_origins_are_as_browsers_send_them(
    monkeypatch: pytest.MonkeyPatch, text: str, origins: tuple[str, ...]
) -> None:
    assert read(monkeypatch, text).auth_websocket_origins == origins


@pytest.mark.parametrize(
    "text",
    [
        "app.example",
        "https://app.example/",
        "https://App.example",
        "https://app.example/x",
        "https://*.example",
        "https://u@app.example",
        "null",
        "*,https://app.example",
    ],
)
def test_what_no_browser_sends_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(monkeypatch, text)

    (fault,) = refused.value.faults
    assert fault.startswith("AUTH_WEBSOCKET_ORIGINS: ")


@pytest.mark.parametrize("text", ["", " , "])
def test_a_cookie_without_origins_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        read(monkeypatch, text)

    (fault,) = refused.value.faults
    assert fault.startswith("AUTH_WEBSOCKET_ORIGINS: must be set with AUTH_WEBSOCKET_COOKIE")
