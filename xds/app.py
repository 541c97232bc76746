"""The composition root: builds every part of the control plane, and owns their start and stop.

The only module that knows all of them.
"""

import asyncio
import signal
import time
from contextlib import nullcontext, suppress
from dataclasses import dataclass

from xds import __version__
from xds.access import Access, Credentials, own_issuer
from xds.callout import Resolver
from xds.configured import (
    changes_options,
    edge_options,
    issuer_options,
    own_options,
    recording,
    replica_name,
    server_options,
    settings_warnings,
    tls,
    token_resolver,
)
from xds.errors import Conflict, LocalFailure, RegistryError, RequestError, SettingsError, XdsError
from xds.http import HttpServer, build_refusal
from xds.operations.drainorders import work_off
from xds.operations.fleet import Replica
from xds.operations.overriding import end_expired
from xds.operations.status import SystemStatus
from xds.publish import Feed
from xds.publish.publisher import Publisher
from xds.registry import PostgresRegistry
from xds.server import AdsServer, Authorization, ControlService, Fleet, Reporter, Surroundings
from xds.session import Limits
from xds.settings import Settings
from xds.snapshot import Frames
from xds.telemetry import Metrics, get_logger
from xds.tokens import Issuer, read_issuers
from xds.tokens.keeping import Keys
from xds.translate import (
    EdgeOptions,
)

_CHANGE_LOG_SECONDS = 7 * 24 * 3600
_PRUNE_SECONDS = 3600
_DAY = 24 * 3600
_OVERRIDE_SECONDS = 2
_DRAIN_SECONDS = 0.5
_TOLD_SECONDS = 10.0
"""For how long a process that may not serve says why: long enough for a probe, or an operator, between crash-loops."""


async def serve(settings: Settings) -> None:
    """Run the control plane until SIGTERM or SIGINT, then stop it gently.

    Raises `SettingsError` if tokens can't be checked or the xDS channel can't be protected, and `LocalFailure` if
    a port is taken, before any Envoy is served. A registry that is down is waited for, and so are keys that can't be
    fetched.
    """
    issuers = await _issuers(settings)
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


async def _issuers(settings: Settings) -> tuple[Issuer, ...]:
    """Every issuer. Without a whole one /readyz says for a while what is missing, and nothing else is served."""
    try:
        return read_issuers(settings)
    except SettingsError as error:
        with suppress(LocalFailure):  # a port that is taken is not what is the matter
            async with HttpServer(build_refusal("; ".join(error.faults)), settings.http_listen) as server:
                get_logger().error("server.refused", http=str(server.address), faults=error.faults)
                with suppress(TimeoutError):
                    await asyncio.wait_for(_stop_signal().wait(), _TOLD_SECONDS)
        raise


def _stop_signal() -> asyncio.Event:
    """What SIGTERM and SIGINT set."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    return stopping


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
        self._warnings = settings_warnings(settings, credentials.issuers)
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
        access = Access(settings, credentials, registry, self._publisher, self._fleet, resolver)
        control = access.build_control(self._status, self._reporter.seen, changes_options(settings))
        operators = access.operators(around.tls.access if around.tls else None)
        service = ControlService(control, operators)
        self._ads = AdsServer(settings.xds_listen, around, server_options(settings), authorization, service)
        self._http = HttpServer(access.build_app(self._status, self._metrics, control), settings.http_listen)
        modes = {"auth_mode": settings.auth_mode, "cba_mode": settings.cba_mode.value, "http_auth": settings.http_auth}
        self._metrics.set_info(version=__version__, **modes)

    async def run(self) -> None:
        stopping = _stop_signal()
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
                    tasks.create_task(self._end_overrides()),
                    tasks.create_task(self._drain_cells()),
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
            except XdsError as error:  # a snapshot that is pinned at that very moment can't be forgotten, say
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

    async def _end_overrides(self) -> None:
        """Let tenants be where they are placed once their override is over, whichever replica sees it first."""
        while True:
            await asyncio.sleep(_OVERRIDE_SECONDS)
            try:
                for tenant in await end_expired(self._registry):
                    self._log.info("override.ended", tenant=tenant)
            except (RegistryError, Conflict) as error:
                self._log.debug("overrides.not_ended", error=str(error))

    async def _drain_cells(self) -> None:
        """Work off the drains that were ordered, whichever replica sees first that the next batch is due."""
        while True:
            await asyncio.sleep(_DRAIN_SECONDS)
            try:
                for drain in await work_off(self._registry):
                    told = {"state": drain.state.value, "moved": drain.moved, "stopped": drain.stopped}
                    self._log.info("drain.worked", cell=drain.cell, operation=drain.id, **told)
            except (RegistryError, RequestError) as error:
                self._log.debug("drains.not_worked", error=str(error))

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
            settings_warnings=self._warnings,
        )
