"""The composition root: builds every part of the control plane, and owns their start and stop.

The only module that knows all of them.
"""

import asyncio
import signal
import time
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta

from xds import __version__
from xds.callout import Endpoint, Expected, Introspector, Resolver, TokenFile
from xds.errors import RegistryError
from xds.http import HttpServer, build_app
from xds.names import NodeGroup
from xds.operations.status import SystemStatus
from xds.publish import Feed, Publisher
from xds.registry import PostgresRegistry
from xds.server import AdsServer, Authorization, Fleet, ServerOptions, Surroundings
from xds.session import Limits
from xds.settings import CbaMode, Settings, TenantResolution
from xds.snapshot import Frames
from xds.telemetry import Metrics, get_logger
from xds.translate import AuthOptions, CalloutOptions, CellBound, ClusterOptions, EdgeOptions

_CHANGE_LOG_SECONDS = 7 * 24 * 3600
_PRUNE_SECONDS = 3600
_CALLOUT_SHARE = 0.9


def edge_options(settings: Settings, jwks: str) -> EdgeOptions:
    """The settings as the translation wants them."""
    return EdgeOptions(
        auth=AuthOptions(
            issuer=settings.auth_issuer,
            audiences=settings.auth_audience,
            jwks=jwks,
            tenant_claim=settings.auth_tenant_claim,
            cell_claim=settings.auth_cell_claim,
            clock_skew_seconds=settings.auth_clock_skew_seconds,
            cell_bound=_CELL_BOUND[settings.cba_mode],
            callout=callout_options(settings),
        ),
        listeners={NodeGroup(group): address for group, address in settings.edge_listeners.items()},
        client=settings.client_upstream,
        grpc_group=NodeGroup(settings.grpc_node_group),
        cluster=ClusterOptions(health_path=settings.cell_health_path),
    )


def callout_options(settings: Settings) -> CalloutOptions | None:
    """The settings of the callout as the translation wants them; None if Envoys are to ask nobody."""
    if settings.tenant_resolution is not TenantResolution.CALLOUT:
        return None
    return CalloutOptions(address=settings.callout_address, timeout=timedelta(milliseconds=settings.callout_timeout_ms))


def resolver(settings: Settings, metrics: Metrics) -> Resolver | None:
    """Who answers callouts; None if nobody is to. Raises `SettingsError` if the file of tokens can't be used."""
    if settings.tenant_resolution is not TenantResolution.CALLOUT:
        return None
    file, url = settings.callout_tokens_file, settings.callout_introspection_url
    return Resolver(
        metrics,
        file=TokenFile(file) if file else None,
        introspector=_introspector(settings) if url else None,
        cache_seconds=settings.callout_cache_seconds,
    )


def _introspector(settings: Settings) -> Introspector:
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
            audiences=settings.auth_audience,
            tenant_claim=tuple(settings.auth_tenant_claim.split(".")),
            cell_claim=tuple(settings.auth_cell_claim.split(".")) if is_bound else None,
        ),
    )


def server_options(settings: Settings) -> ServerOptions:
    """The settings as the ADS server wants them."""
    return ServerOptions(
        streams_per_second=settings.xds_streams_per_second,
        stream_burst=settings.xds_stream_burst,
        stream_max_age_seconds=settings.xds_stream_max_age_seconds,
    )


_CELL_BOUND = {
    CbaMode.ENFORCE: CellBound.ENFORCE,
    CbaMode.MONITOR: CellBound.MONITOR,
    CbaMode.OFF: CellBound.OFF,
}


async def serve(settings: Settings) -> None:
    """Run the control plane until SIGTERM or SIGINT, then stop it gently.

    Raises `SettingsError` if tokens can't be checked, and `LocalFailure` if a port is taken, before any Envoy
    is served. A registry that is down is waited for.
    """
    options = edge_options(settings, settings.require_auth())
    async with PostgresRegistry.open(
        settings.database_url.get_secret_value(),
        pool_size=settings.database_pool_size,
        timeout=settings.database_timeout_seconds,
        poll_seconds=settings.registry_poll_seconds,
    ) as registry:
        await _ControlPlane(settings, options, registry).run()


@dataclass(slots=True)
class _Life:
    """Where the process is in its life."""

    started_at: float
    is_draining: bool = False


class _ControlPlane:
    """Every part, wired."""

    def __init__(self, settings: Settings, options: EdgeOptions, registry: PostgresRegistry) -> None:
        self._settings = settings
        self._registry = registry
        self._log = get_logger()
        self._life = _Life(time.time())
        self._metrics = Metrics()
        self._feed = Feed()
        self._fleet = Fleet()
        self._publisher = Publisher(
            registry, options, self._feed, self._metrics, interval=settings.publish_interval_ms / 1000
        )
        around = Surroundings(
            feed=self._feed, fleet=self._fleet, metrics=self._metrics, limits=Limits(), frames=Frames()
        )
        self._resolver = resolver(settings, self._metrics)
        authorization = Authorization(self._resolver.resolve) if self._resolver else None
        self._ads = AdsServer(settings.xds_listen, around, server_options(settings), authorization)
        self._http = HttpServer(build_app(self._status, self._metrics), settings.http_listen)
        self._metrics.set_info(version=__version__, auth_mode=settings.auth_mode, cba_mode=settings.cba_mode.value)

    async def run(self) -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        async with self._http, self._resolver or nullcontext():
            xds = await self._ads.start()
            self._log.info("server.started", version=__version__, xds=str(xds), http=str(self._http.address))
            async with asyncio.TaskGroup() as tasks:
                running = [
                    tasks.create_task(self._publisher.run()),
                    tasks.create_task(self._announce()),
                    tasks.create_task(self._prune()),
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
            except RegistryError as error:
                self._log.warning("registry.not_pruned", error=str(error))

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
        )
