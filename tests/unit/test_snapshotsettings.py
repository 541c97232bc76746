"""The settings of snapshots, by the names of their variables."""

import os

import pytest

from xds.errors import SettingsError
from xds.settings import Settings


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in {name.upper() for name in Settings.model_fields} & set(os.environ):
        monkeypatch.delenv(name)


def test_history_is_kept_and_the_guard_is_up_unless_it_is_said() -> None:
    settings = Settings.read()

    assert (settings.snapshots_kept, settings.snapshots_kept_days) == (1000, 30)
    assert (settings.guard_max_removed_percent, settings.guard_min_removed) == (20, 10)
    assert (settings.snapshot_file, settings.replica) == ("", "")


def test_what_is_said_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"SNAPSHOT_FILE": "/var/lib/xds", "REPLICA": "xds-0", "SNAPSHOTS_KEPT": "1", "SNAPSHOTS_KEPT_DAYS": "0.5"}
    for name, value in {**said, "GUARD_MAX_REMOVED_PERCENT": "0", "GUARD_MIN_REMOVED": "1"}.items():
        monkeypatch.setenv(name, value)
    settings = Settings.read()

    assert (settings.snapshot_file, settings.replica) == ("/var/lib/xds", "xds-0")
    assert (settings.snapshots_kept, settings.snapshots_kept_days) == (1, 0.5)
    assert (settings.guard_max_removed_percent, settings.guard_min_removed) == (0, 1)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SNAPSHOTS_KEPT", "0"),
        ("SNAPSHOTS_KEPT", "many"),
        ("SNAPSHOTS_KEPT_DAYS", "-1"),
        ("SNAPSHOTS_KEPT_DAYS", "nan"),
        ("GUARD_MAX_REMOVED_PERCENT", "-0.1"),
        ("GUARD_MAX_REMOVED_PERCENT", "100.5"),
        ("GUARD_MAX_REMOVED_PERCENT", "nan"),
        ("GUARD_MIN_REMOVED", "0"),
        ("REPLICA", "x" * 201),
    ],
)
def test_a_wrong_value_is_refused_by_its_variables_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(SettingsError, match=rf"^{variable}: "):
        Settings.read()
