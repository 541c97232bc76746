"""The composition root: settings become what the translation wants, and only whole ones."""

from pathlib import Path

import pytest

from xds.app import edge_options
from xds.errors import SettingsError
from xds.settings import Address, CbaMode, Settings
from xds.translate import CellBound


def settings(**values: object) -> Settings:
    return Settings(
        auth_issuer="https://idp.example",
        auth_audience=("alphaswarm", "other"),
        auth_jwks_file=Path("jwks.json"),
        **values,  # type: ignore[arg-type]  # pydantic checks them
    )


def test_every_setting_of_the_edge_reaches_the_translation() -> None:
    options = edge_options(
        settings(
            auth_tenant_claim="org.tenant",
            auth_cell_claim="home",
            auth_clock_skew_seconds=5,
            cba_mode=CbaMode.MONITOR,
            edge_listeners={"a": Address("127.0.0.1", 1), "b": Address("127.0.0.1", 2)},
            client_upstream=Address("client", 80),
            grpc_node_group="programs",
            cell_health_path="/live",
            edge_trusted_hops=1,
        ),
        '{"keys":[]}',
    )
    assert options.auth.issuer == "https://idp.example"
    assert options.auth.audiences == ("alphaswarm", "other")
    assert options.auth.jwks == '{"keys":[]}'
    assert (options.auth.tenant_claim, options.auth.cell_claim) == ("org.tenant", "home")
    assert options.auth.clock_skew_seconds == 5
    assert options.auth.cell_bound is CellBound.MONITOR
    assert options.listeners == {"a": ("127.0.0.1", 1), "b": ("127.0.0.1", 2)}
    assert options.client == ("client", 80)
    assert options.grpc_group == "programs"
    assert options.cluster.health_path == "/live"
    assert options.connection.trusted_hops == 1


@pytest.mark.parametrize(("mode", "bound"), list(zip(CbaMode, CellBound, strict=True)))
def test_each_cba_mode_has_its_meaning(mode: CbaMode, bound: CellBound) -> None:
    assert edge_options(settings(cba_mode=mode), "{}").auth.cell_bound is bound


def test_an_edge_that_cannot_check_tokens_is_never_built() -> None:
    with pytest.raises(SettingsError):
        Settings().require_auth()
    with pytest.raises(ValueError, match="must not be empty"):
        edge_options(Settings(), "{}")
