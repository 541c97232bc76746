"""The settings of the canary, of traces and of access logs."""

import pytest

from xds.errors import SettingsError
from xds.settings import Settings

LEGACY = "alphaswarm-client:8080"


def read(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Settings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Settings.read()


def test_by_default_every_tenant_is_its_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(monkeypatch)

    assert (settings.legacy_upstream, settings.canary_weight) == (None, 100)
    assert settings.canary_cells == settings.canary_tenants == {}


def test_weights_are_read_by_cell_and_tenant(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = read(
        monkeypatch,
        LEGACY_UPSTREAM=LEGACY,
        CANARY_WEIGHT="10",
        CANARY_CELLS="cell-a=50, cell-b=0",
        CANARY_TENANTS="acme=0,globex=100",
    )

    assert settings.legacy_upstream == ("alphaswarm-client", 8080)
    assert settings.canary_weight == 10
    assert settings.canary_cells == {"cell-a": 50, "cell-b": 0}
    assert settings.canary_tenants == {"acme": 0, "globex": 100}


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"CANARY_WEIGHT": "10"}, "CANARY_WEIGHT: leaves tenants to the legacy proxy: LEGACY_UPSTREAM must be set"),
        ({"CANARY_CELLS": "cell-a=99"}, "CANARY_CELLS: leaves tenants to the legacy proxy: LEGACY_UPSTREAM must be"),
        ({"CANARY_TENANTS": "acme=0"}, "CANARY_TENANTS: leaves tenants to the legacy proxy: LEGACY_UPSTREAM must be"),
        ({"CANARY_WEIGHT": "101"}, "CANARY_WEIGHT: "),
        ({"CANARY_CELLS": "cell-a"}, "CANARY_CELLS: expected name=percent, 0 to 100, each name once"),
        ({"CANARY_CELLS": "cell-a=101"}, "got 'cell-a=101'"),
        ({"CANARY_CELLS": "cell-a=1,cell-a=2"}, "got 'cell-a=2'"),
        ({"CANARY_TENANTS": "acme=50"}, "CANARY_TENANTS: a tenant is at one side: expected 0 or 100, got 'acme=50'"),
        ({"LEGACY_UPSTREAM": "alphaswarm-client"}, "LEGACY_UPSTREAM: expected host:port"),
        ({"LEGACY_UPSTREAM": "alphaswarm-client:0"}, "LEGACY_UPSTREAM: expected host:port with a port of 1 to 65535"),
    ],
)
def test_a_wrong_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError) as raised:
        read(monkeypatch, **variables)
    assert said in str(raised.value)
