"""The composition root: builds every part of the control plane, and owns their start and stop.

The only module that knows all of them.
"""

import asyncio
import os
import signal
import socket
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from xds import __version__
from xds.access import Access, Credentials, own_issuer
from xds.callout import Endpoint, Expected, Introspector, Resolver, TokenFile
from xds.errors import RegistryError, RequestError, SettingsError
from xds.http import HttpServer
from xds.identities import Access as ChannelAccess
from xds.names import NodeGroup, TenantId
from xds.operations.fleet import Replica
from xds.operations.status import SystemStatus
from xds.publish import Feed, Guard, Publisher, Recording, RolloutPlan, Shelf, Waves, find_envoy
from xds.registry import PostgresRegistry
from xds.server import AdsServer, Authorization, Certificates, Fleet, Reporter, ServerOptions, Surroundings, Tls
from xds.session import Limits
from xds.settings import Settings
from xds.settingvalues import CbaMode, TenantResolution
from xds.snapshot import Frames
from xds.telemetry import Metrics, get_logger
from xds.tokens import Issuer, TrustedIssuer, read_issuers
from xds.tokens.claims import claim_path
from xds.tokens.keeping import Keys
from xds.translate import (
    AuthMode,
    AuthOptions,
    CalloutOptions,
    CellBound,
    ClusterOptions,
    ConnectionOptions,
    EdgeOptions,
    InternalOptions,
    IssuerOptions,
    OperatorOptions,
    TenantOptions,
)

_CHANGE_LOG_SECONDS = 7 * 24 * 3600
_PRUNE_SECONDS = 3600
_DAY = 24 * 3600
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
    )


def own_options(issuer: TrustedIssuer) -> IssuerOptions:
    """What signs our own tokens, as the translation wants it."""
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
            delay=settings.rollout_delay_seconds,
            check=settings.rollout_check,
            envoy=find_envoy(settings.envoy_binary),
        ),
        guard=Guard(max_removed_percent=settings.guard_max_removed_percent, min_removed=settings.guard_min_removed),
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


async def serve(settings: Settings) -> None:
    """Run the control plane until SIGTERM or SIGINT, then stop it gently.

    Raises `SettingsError` if tokens can't be checked or the xDS channel can't be protected, and `LocalFailure` if
    a port is taken, before any Envoy is served. A registry that is down is waited for, and so are keys that can't be
    fetched.
    """
    issuers = read_issuers(settings)
    signer = own_issuer(settings, issuers)
    taken = [issuer_options(each) for each in issuers]
    if taken and signer:
        taken.append(own_options(signer.issuer))
    metrics = Metrics()
    keys = Keys(
        issuers,
        metrics,
        refresh_seconds=settings.auth_jwks_refresh_seconds,
        overlap_seconds=settings.auth_jwks_overlap_seconds,
    )
    keys.load_files()
    resolver = token_resolver(settings, issuers, metrics)
    credentials = Credentials(issuers, keys, signer, settings.auth_clock_skew_seconds)
    async with PostgresRegistry.open(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        timeout=settings.database_timeout_seconds,
        poll_seconds=settings.registry_poll_seconds,
    ) as registry:
        options = edge_options(settings, taken)
        await _ControlPlane(settings, options, registry, credentials, metrics, resolver).run()


@dataclass(slots=True)
class _Life:
    """Where the process is in its life."""

    started_at: float
    is_draining: bool = False


class _ControlPlane:
    """Every part, wired."""

    def __init__(
        self,
        settings: Settings,
        options: EdgeOptions,
        registry: PostgresRegistry,
        credentials: Credentials,
        metrics: Metrics,
        resolver: Resolver | None,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._keys = credentials.keys
        self._log = get_logger()
        self._life = _Life(time.time())
        self._metrics = metrics
        self._feed = Feed()
        self._fleet = Fleet()
        self._publisher = Publisher(
            registry,
            options,
            self._feed,
            self._metrics,
            interval=settings.publish_interval_ms / 1000,
            keys=credentials,
            recording=recording(settings, registry),
        )
        around = Surroundings(
            feed=self._feed,
            fleet=self._fleet,
            metrics=self._metrics,
            limits=Limits(),
            frames=Frames(),
            tls=tls(settings),
        )
        self._is_plain = around.tls is None
        self._reporter = Reporter(self._fleet, registry.rollouts, self._describe)
        self._resolver = resolver
        authorization = Authorization(resolver.resolve) if resolver else None
        self._ads = AdsServer(settings.xds_listen, around, server_options(settings), authorization)
        access = Access(settings, credentials, registry, self._publisher, self._fleet)
        self._http = HttpServer(access.build_app(self._status, self._metrics), settings.http_listen)
        self._metrics.set_info(version=__version__, auth_mode=settings.auth_mode, cba_mode=settings.cba_mode.value)

    async def run(self) -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        async with self._http, self._resolver or nullcontext():
            xds = await self._ads.start()
            listening = {"xds": str(xds), "plaintext": self._is_plain, "http": str(self._http.address)}
            self._log.info("server.started", version=__version__, **listening)
            for warning in self._status().warnings:
                self._log.warning("server.warned", warning=warning)
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(self._publisher.run()),
                    tasks.create_task(self._announce()),
                    tasks.create_task(self._prune()),
                    tasks.create_task(self._reporter.run()),
                ]
                if self._resolver:
                    running.append(tasks.create_task(self._resolver.watch()))
                await stopping.wait()
                await self._stop()
                for task in running:
                    task.cancel()
        self._log.info("server.stopped")

    async def _stop(self) -> None:
        self._life.is_draining = True
        self._log.info("server.draining", streams=len(self._fleet.nodes()))
        await self._ads.stop(self._settings.shutdown_seconds)

    async def _announce(self) -> None:
        """Tell gRPC health once there is something to serve."""
        await self._feed.published.wait()
        await self._ads.set_serving(serving=True)

    async def _prune(self) -> None:
        """Keep the change log from growing for ever."""
        while True:
            await asyncio.sleep(_PRUNE_SECONDS)
            try:
                await self._registry.prune(_CHANGE_LOG_SECONDS)
                await self._registry.rollouts.forget(replica_name(self._settings))
                await self._registry.snapshots.prune(
                    keep=self._settings.snapshots_kept, keep_seconds=self._settings.snapshots_kept_days * _DAY
                )
            except RegistryError as error:
                self._log.warning("registry.not_pruned", error=str(error))

    def _describe(self) -> Replica:
        publish = self._publisher.status
        return Replica(
            name=replica_name(self._settings),
            version=__version__,
            started_at=self._life.started_at,
            seen_at=time.time(),
            snapshot=publish.snapshot,
            publishes=publish.leads,
        )

    def _status(self) -> SystemStatus:
        registry = self._registry.status
        self._metrics.registry_connected.set(registry.connected)
        return SystemStatus(
            version=__version__,
            started_at=self._life.started_at,
            now=time.time(),
            auth_mode=self._settings.auth_mode,
            cba_mode=self._settings.cba_mode.value,
            draining=self._life.is_draining,
            registry=registry,
            publish=self._publisher.status,
            nodes=self._fleet.nodes(),
            cells=self._publisher.cells,
            tenant_resolution=self._settings.tenant_resolution.value,
            issuers=self._keys.status,
        )
