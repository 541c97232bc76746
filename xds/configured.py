"""The settings as each part wants them.

Reads nothing and starts nothing; raises `SettingsError` for what no part could work with.
"""

import os
import socket
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from xds.callout import Endpoint, Expected, Introspector, Resolver, TokenFile
from xds.errors import RequestError, SettingsError
from xds.identities import Access as ChannelAccess
from xds.names import CellId, NodeGroup, TenantId
from xds.operations.emergency import record_displacements
from xds.publish import Guard, Shelf, Waves
from xds.publish.emergency import Emergency
from xds.publish.recording import Recording
from xds.publish.rolling import RolloutPlan
from xds.publish.validating import find_envoy
from xds.registry import PostgresRegistry
from xds.server import Certificates, ServerOptions, Tls
from xds.settings import Settings
from xds.settingvalues import CbaMode, HttpAuth, TenantResolution
from xds.telemetry import Metrics
from xds.tokens import Issuer, TrustedIssuer
from xds.tokens.claims import claim_path
from xds.translate import (
    AuthMode,
    AuthOptions,
    CalloutOptions,
    CanaryOptions,
    CellBound,
    ClusterOptions,
    ConnectionOptions,
    EdgeOptions,
    InternalOptions,
    IssuerOptions,
    ObservationOptions,
    OperatorOptions,
    TenantOptions,
)

_CALLOUT_SHARE = 0.9


def edge_options(settings: Settings, issuers: Sequence[IssuerOptions]) -> EdgeOptions:
    """The settings as the translation wants them, with these issuers."""
    return EdgeOptions(
        auth=AuthOptions(
            issuers=tuple(issuers),
            mode=_AUTH_MODE[settings.auth_mode],
            anonymous_tenant=TenantId(settings.auth_anonymous_tenant) if settings.auth_anonymous_tenant else None,
            clock_skew_seconds=settings.auth_clock_skew_seconds,
            cell_bound=_CELL_BOUND[settings.cba_mode],
            callout=callout_options(settings),
            websocket_query=settings.auth_websocket_query,
            websocket_cookie=settings.auth_websocket_cookie,
            websocket_origins=settings.auth_websocket_origins,
            token_bytes=settings.auth_token_bytes,
        ),
        listeners={NodeGroup(group): address for group, address in settings.edge_listeners.items()},
        client=settings.client_upstream,
        grpc_group=NodeGroup(settings.grpc_node_group),
        cluster=ClusterOptions(health_path=settings.cell_health_path),
        connection=ConnectionOptions(trusted_hops=settings.edge_trusted_hops),
        operators=OperatorOptions(
            claim=_operator_claim(settings),
            role=settings.auth_operator_role,
            controller=settings.controller_upstream,
        ),
        tenants=TenantOptions(
            hides_suspended=settings.hide_suspended, grace=timedelta(seconds=settings.cba_grace_seconds)
        ),
        internal=_internal_options(settings),
        canary=_canary_options(settings),
        observation=ObservationOptions(
            collector=settings.tracing_collector,
            sample_percent=settings.tracing_sample_percent,
            access_log=settings.access_log,
        ),
    )


def changes_options(settings: Settings) -> EdgeOptions:
    """The settings for a translation of which only what changes of cells and tenants make of it is wanted."""
    # Who issues tokens is in the check of tokens, which no such change touches; one there must be.
    anybody = IssuerOptions(issuer="-", audiences=("-",), jwks='{"keys":[]}')
    return edge_options(settings, (anybody,))


def _canary_options(settings: Settings) -> CanaryOptions | None:
    if settings.legacy_upstream is None:
        return None
    return CanaryOptions(
        legacy=settings.legacy_upstream,
        weight=settings.canary_weight,
        cells={CellId(cell): share for cell, share in settings.canary_cells.items()},
        tenants={TenantId(tenant): bool(share) for tenant, share in settings.canary_tenants.items()},
    )


def _operator_claim(settings: Settings) -> tuple[str, ...]:
    try:
        return claim_path(settings.auth_operator_claim)
    except ValueError as error:
        raise SettingsError((f"AUTH_OPERATOR_CLAIM: {error}",)) from None


def _internal_options(settings: Settings) -> InternalOptions | None:
    if not settings.internal_listeners:
        return None
    return InternalOptions(
        listeners={NodeGroup(group): address for group, address in settings.internal_listeners.items()},
        certificate_file=settings.internal_tls_cert_file,
        key_file=settings.internal_tls_key_file,
        ca_file=settings.internal_tls_ca_file,
        allowed_sans=settings.internal_allowed_sans,
    )


def issuer_options(issuer: Issuer) -> IssuerOptions:
    """An issuer as the translation wants it; its keys come later."""
    return IssuerOptions(
        issuer=issuer.issuer,
        audiences=issuer.audiences,
        tenant_claim=issuer.tenant_claim,
        cell_claim=issuer.cell_claim,
        operators=issuer.operators,
    )


def own_options(issuer: TrustedIssuer) -> IssuerOptions:
    """What signs our own tokens, as the translation wants it. Whoever has an API key is a program, and no operator."""
    return IssuerOptions(
        issuer=issuer.issuer,
        audiences=issuer.audiences,
        jwks=issuer.jwks,
        tenant_claim=claim_path(issuer.tenant_claim),
        cell_claim=claim_path(issuer.cell_claim),
    )


def callout_options(settings: Settings) -> CalloutOptions | None:
    """The settings of the callout as the translation wants them; None if Envoys are to ask nobody."""
    if settings.tenant_resolution is not TenantResolution.CALLOUT:
        return None
    return CalloutOptions(address=settings.callout_address, timeout=timedelta(milliseconds=settings.callout_timeout_ms))


def token_resolver(settings: Settings, issuers: Sequence[Issuer], metrics: Metrics) -> Resolver | None:
    """Who answers callouts; None if nobody is to. Raises `SettingsError` if the file of tokens can't be used."""
    if settings.tenant_resolution is not TenantResolution.CALLOUT:
        return None
    file, url = settings.callout_tokens_file, settings.callout_introspection_url
    return Resolver(
        metrics,
        file=TokenFile(file) if file else None,
        introspector=_introspector(settings, issuers) if url else None,
        cache_seconds=settings.callout_cache_seconds,
    )


def _introspector(settings: Settings, issuers: Sequence[Issuer]) -> Introspector:
    endpoint = Endpoint(
        url=settings.callout_introspection_url,
        client_id=settings.callout_introspection_client_id,
        client_secret=settings.callout_introspection_client_secret.get_secret_value(),
        # Less than Envoy waits: so it is told, instead of giving up.
        timeout_seconds=settings.callout_timeout_ms / 1000 * _CALLOUT_SHARE,
    )
    is_bound = settings.cba_mode is CbaMode.ENFORCE
    return Introspector(
        endpoint,
        Expected(
            audiences=tuple(dict.fromkeys(each for issuer in issuers for each in issuer.audiences)),
            tenant_claim=claim_path(settings.auth_tenant_claim),
            cell_claim=claim_path(settings.auth_cell_claim) if is_bound else None,
        ),
    )


def settings_warnings(settings: Settings, issuers: Sequence[Issuer]) -> tuple[str, ...]:
    """What the settings alone say that works, and should not stay so."""
    nobody = bool(issuers) and not any(each.operators for each in issuers)
    is_open = bool(settings.auth_websocket_cookie) and "*" in settings.auth_websocket_origins
    warned = {
        "nobody can be an operator: no issuer in AUTH_ISSUERS_FILE has operators: true": nobody,
        "any site's page can open a websocket as whoever looks at it (AUTH_WEBSOCKET_ORIGINS=*)": is_open,
        "whoever reaches HTTP_LISTEN may operate: no token is asked for (HTTP_AUTH=off)": settings.http_auth
        is HttpAuth.OFF,
    }
    return tuple(text for text, is_so in warned.items() if is_so)


def server_options(settings: Settings) -> ServerOptions:
    """The settings as the ADS server wants them."""
    return ServerOptions(
        streams_per_second=settings.xds_streams_per_second,
        stream_burst=settings.xds_stream_burst,
        stream_max_age_seconds=settings.xds_stream_max_age_seconds,
    )


def recording(settings: Settings, registry: PostgresRegistry) -> Recording:
    """The settings of snapshots as the publisher wants them."""
    file = settings.snapshot_file
    return Recording(
        history=registry.snapshots,
        shelf=Shelf(Path(file)) if file else None,
        plan=RolloutPlan(
            waves=rollout_waves(settings.rollout_waves),
            soak=settings.rollout_soak_seconds,
            limit=settings.rollout_wave_seconds,
            delay=settings.rollout_delay_seconds,
            check=settings.rollout_check,
            check_limit=settings.rollout_check_seconds,
            check_every=settings.rollout_check_every_seconds,
            envoy=find_envoy(settings.envoy_binary),
        ),
        guard=Guard(max_removed_percent=settings.guard_max_removed_percent, min_removed=settings.guard_min_removed),
        emergency=Emergency(Path(f"{file}.moves") if file else None),
        settle=lambda moves: record_displacements(registry, moves),
        replica=replica_name(settings),
    )


def replica_name(settings: Settings) -> str:
    """What this process is called in the history and among the replicas."""
    return settings.replica or f"{socket.gethostname()}/{os.getpid()}"


def rollout_waves(text: str) -> Waves:
    """The waves of the settings; raises `SettingsError`."""
    try:
        return Waves(text)
    except RequestError as error:
        raise SettingsError((f"ROLLOUT_WAVES: {error}",)) from None


def tls(settings: Settings) -> Tls | None:
    """The settings of the xDS channel as the ADS server wants them; raises `SettingsError`."""
    files = settings.require_channel()
    access = ChannelAccess(nodes=settings.xds_node_identities, operators=settings.xds_operator_identities)
    return Tls(Certificates(files), access) if files else None


_AUTH_MODE = {"required": AuthMode.REQUIRED, "optional": AuthMode.OPTIONAL, "off": AuthMode.OFF}
_CELL_BOUND = {
    CbaMode.ENFORCE: CellBound.ENFORCE,
    CbaMode.MONITOR: CellBound.MONITOR,
    CbaMode.OFF: CellBound.OFF,
}
