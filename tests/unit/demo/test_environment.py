"""What of our environment a child gets."""

import pytest

from xds.demo.environment import clean_environment


def test_our_settings_and_libpqs_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "AUTH_ISSUER", "LOG_LEVEL", "PGHOST", "PGPASSWORD"):
        monkeypatch.setenv(name, "mine")
    assert "mine" not in clean_environment().values()


def test_the_rest_is_kept_and_what_is_given_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("HOME", "/mine")
    environment = clean_environment({"HOME": "/given", "DATABASE_URL": "given"})
    assert (environment["LANG"], environment["HOME"], environment["DATABASE_URL"]) == ("C.UTF-8", "/given", "given")
