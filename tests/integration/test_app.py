"""The composition root: settings become what the translation wants, and only whole ones."""

from datetime import timedelta
from pathlib import Path

import pytest

from xds.app import edge_options, resolver
from xds.callout import Expected
from xds.errors import SettingsError
from xds.settings import Address, CbaMode, Settings, TenantResolution
from xds.telemetry import Metrics
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


@pytest.mark.parametrize(("mode", "bound"), list(zip(CbaMode, CellBound, strict=True)))
def test_each_cba_mode_has_its_meaning(mode: CbaMode, bound: CellBound) -> None:
    assert edge_options(settings(cba_mode=mode), "{}").auth.cell_bound is bound


def test_without_being_told_to_nobody_is_asked() -> None:
    assert edge_options(settings(callout_tokens_file=Path("tokens.json")), "{}").auth.callout is None
    assert resolver(settings(callout_tokens_file=Path("tokens.json")), Metrics()) is None


def test_every_setting_of_the_callout_reaches_whom_it_concerns(tmp_path: Path) -> None:
    file = tmp_path / "tokens.json"
    file.write_text("[]")
    given = settings(
        tenant_resolution=TenantResolution.CALLOUT,
        callout_address=Address("router", 1),
        callout_timeout_ms=100,
        callout_tokens_file=file,
        callout_introspection_url="https://idp.example/introspect",
        callout_introspection_client_id="edge",
        callout_introspection_client_secret="hunter2",
        callout_cache_seconds=7,
        auth_tenant_claim="org.tenant",
        auth_cell_claim="home",
    )
    callout = edge_options(given, "{}").auth.callout
    assert callout is not None
    assert (callout.address, callout.timeout) == (("router", 1), timedelta(milliseconds=100))
    made = resolver(given, Metrics())
    assert made is not None
    assert made._file is not None
    assert made._introspector is not None
    assert made._cache_seconds == 7
    endpoint = made._introspector._endpoint
    assert (endpoint.url, endpoint.client_id, endpoint.client_secret) == (
        "https://idp.example/introspect",
        "edge",
        "hunter2",
    )
    assert endpoint.timeout_seconds == pytest.approx(0.09)  # before Envoy gives up
    assert made._introspector._expected == Expected(
        audiences=("alphaswarm", "other"), tenant_claim=("org", "tenant"), cell_claim=("home",)
    )


@pytest.mark.parametrize("mode", [CbaMode.MONITOR, CbaMode.OFF])
def test_a_session_that_is_bound_to_a_cell_is_refused_only_where_that_is_enforced(mode: CbaMode) -> None:
    given = settings(
        tenant_resolution=TenantResolution.CALLOUT, callout_introspection_url="https://idp.example/", cba_mode=mode
    )
    made = resolver(given, Metrics())
    assert made is not None
    assert made._introspector is not None
    assert made._introspector._expected.cell_claim is None


def test_an_edge_that_cannot_check_tokens_is_never_built() -> None:
    with pytest.raises(SettingsError):
        Settings().require_auth()
    with pytest.raises(ValueError, match="must not be empty"):
        edge_options(Settings(), "{}")
