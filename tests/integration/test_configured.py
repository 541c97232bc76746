"""Settings become what each part wants, and only whole ones."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from xds.callout import Expected, Resolver
from xds.configured import edge_options, issuer_options, own_options, settings_warnings, token_resolver
from xds.errors import SettingsError
from xds.names import NodeGroup
from xds.settings import Settings
from xds.settingvalues import Address, CbaMode, HttpAuth, TenantResolution
from xds.telemetry import Metrics
from xds.tokens import TrustedIssuer, read_issuers
from xds.translate import AuthMode, CellBound, EdgeOptions, InternalOptions, OperatorOptions, TenantOptions


def settings(**values: object) -> Settings:
    return Settings(
        auth_issuer="https://idp.example",
        auth_audience=("alphaswarm", "other"),
        auth_jwks_url="https://idp.example/jwks",
        **values,  # type: ignore[arg-type]  # pydantic checks them
    )


def edge(given: Settings) -> EdgeOptions:
    return edge_options(given, [issuer_options(each) for each in read_issuers(given)])


def resolver(given: Settings) -> Resolver | None:
    return token_resolver(given, read_issuers(given), Metrics())


def test_every_setting_of_the_edge_reaches_the_translation() -> None:
    options = edge(
        settings(
            auth_mode="optional",
            auth_anonymous_tenant="acme",
            auth_websocket_query="access_token",
            auth_websocket_cookie="session",
            auth_websocket_origins=("https://app.example",),
            auth_token_bytes=4096,
            auth_tenant_claim="org.tenant",
            auth_cell_claim="home",
            auth_clock_skew_seconds=5,
            auth_operator_claim="aud",
            auth_operator_role="ops",
            cba_mode=CbaMode.MONITOR,
            cba_grace_seconds=60,
            hide_suspended=True,
            controller_upstream=Address("controller", 81),
        )
    )
    (issuer,) = options.auth.issuers
    assert (issuer.issuer, issuer.audiences, issuer.jwks) == ("https://idp.example", ("alphaswarm", "other"), "")
    assert (issuer.tenant_claim, issuer.cell_claim) == (("org", "tenant"), ("home",))
    assert (options.auth.mode, options.auth.anonymous_tenant) == (AuthMode.OPTIONAL, "acme")
    assert (options.auth.websocket_query, options.auth.websocket_cookie) == ("access_token", "session")
    assert options.auth.websocket_origins == ("https://app.example",)
    assert options.auth.token_bytes == 4096
    assert options.auth.clock_skew_seconds == 5
    assert options.auth.cell_bound is CellBound.MONITOR
    assert options.tenants == TenantOptions(hides_suspended=True, grace=timedelta(seconds=60))
    assert options.operators == OperatorOptions(claim=("aud",), role="ops", controller=("controller", 81))


def test_every_setting_of_listeners_and_upstreams_reaches_the_translation() -> None:
    options = edge(
        settings(
            edge_listeners={"a": Address("127.0.0.1", 1), "b": Address("127.0.0.1", 2)},
            edge_trusted_hops=1,
            client_upstream=Address("client", 80),
            grpc_node_group="programs",
            cell_health_path="/live",
            internal_listeners={"b": Address("127.0.0.1", 3)},
            internal_tls_cert_file="cert",
            internal_tls_key_file="key",
            internal_tls_ca_file="ca",
            internal_allowed_sans=("spiffe://x",),
        )
    )
    assert options.listeners == {"a": ("127.0.0.1", 1), "b": ("127.0.0.1", 2)}
    assert options.connection.trusted_hops == 1
    assert options.client == ("client", 80)
    assert options.grpc_group == "programs"
    assert options.cluster.health_path == "/live"
    assert options.internal == InternalOptions(
        listeners={NodeGroup("b"): ("127.0.0.1", 3)},
        certificate_file="cert",
        key_file="key",
        ca_file="ca",
        allowed_sans=("spiffe://x",),
    )
    assert edge(settings()).internal is None


@pytest.mark.parametrize(("mode", "bound"), list(zip(CbaMode, CellBound, strict=True)))
def test_each_cba_mode_has_its_meaning(mode: CbaMode, bound: CellBound) -> None:
    assert edge(settings(cba_mode=mode)).auth.cell_bound is bound


def test_without_being_told_to_nobody_is_asked() -> None:
    assert edge(settings(callout_tokens_file=Path("tokens.json"))).auth.callout is None
    assert resolver(settings(callout_tokens_file=Path("tokens.json"))) is None


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
    callout = edge(given).auth.callout
    assert callout is not None
    assert (callout.address, callout.timeout) == (("router", 1), timedelta(milliseconds=100))
    made = resolver(given)
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
    made = resolver(given)
    assert made is not None
    assert made._introspector is not None
    assert made._introspector._expected.cell_claim is None


def test_an_operators_claim_is_named_like_the_others() -> None:
    assert edge(settings(auth_operator_claim="/https:~1~1x.example~1roles")).operators.claim == (
        "https://x.example/roles",
    )
    with pytest.raises(SettingsError, match=r"^AUTH_OPERATOR_CLAIM: expected a claim's name"):
        edge(settings(auth_operator_claim="a..b"))


def test_an_edge_that_cannot_check_tokens_is_never_built() -> None:
    with pytest.raises(SettingsError):
        read_issuers(Settings())
    with pytest.raises(ValueError, match="there must be one"):
        edge_options(Settings(), [])


def test_our_own_issuer_names_no_operator_and_that_of_the_variables_does() -> None:
    ours = own_options(TrustedIssuer(issuer="https://ours", audiences=("alphaswarm",), jwks="{}", operators=True))
    (theirs,) = edge(settings()).auth.issuers
    assert (ours.operators, theirs.operators) == (False, True)


@pytest.mark.parametrize(
    ("entries", "warned"), [(({}, {}), True), (({"operators": False},), True), (({}, {"operators": True}), False)]
)
def test_a_file_of_issuers_of_which_none_names_operators_is_warned_of(
    tmp_path: Path, entries: tuple[dict[str, object], ...], warned: bool
) -> None:
    some = {"audiences": ["api"], "jwks_url": "https://idp.example/jwks"}
    file = tmp_path / "issuers.json"
    file.write_text(json.dumps([{"issuer": f"https://{n}", **some, **each} for n, each in enumerate(entries)]))
    given = Settings(auth_issuers_file=file)
    told = settings_warnings(given, read_issuers(given))
    assert any("nobody can be an operator" in each for each in told) is warned


def test_settings_that_are_as_they_should_be_are_not_warned_of() -> None:
    assert settings_warnings(settings(), read_issuers(settings())) == ()
    off = Settings(auth_mode="off", auth_anonymous_tenant="acme")
    assert settings_warnings(off, read_issuers(off)) == ()


def test_operators_of_whom_no_token_is_asked_are_warned_of() -> None:
    given = settings(http_auth=HttpAuth.OFF)
    assert settings_warnings(given, read_issuers(given)) == (
        "whoever reaches HTTP_LISTEN may operate: no token is asked for (HTTP_AUTH=off)",
    )


def test_a_cookie_that_any_sites_page_may_use_is_warned_of() -> None:
    given = settings(auth_websocket_cookie="session", auth_websocket_origins=("*",))
    (told,) = settings_warnings(given, read_issuers(given))
    assert "AUTH_WEBSOCKET_ORIGINS=*" in told
    named = settings(auth_websocket_cookie="session", auth_websocket_origins=("https://app.example",))
    assert settings_warnings(named, read_issuers(named)) == ()
