"""What the operator decides about the edge, as the translation needs it; all defaults in one place.

Knows nothing about environment variables.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum, auto

from xds.names import NodeGroup


class CellBound(Enum):
    """What becomes of a token that is bound to another cell."""

    ENFORCE = auto()
    MONITOR = auto()
    OFF = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class CalloutOptions:
    """Whom Envoys ask about session tokens that are no JWT; None: the server that they have their config from."""

    address: tuple[str, int] | None = None
    timeout: timedelta = timedelta(milliseconds=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthOptions:
    """How tokens are checked. All of it is required: Envoy does not check what is left empty."""

    issuer: str
    audiences: tuple[str, ...]
    jwks: str
    tenant_claim: str = "tenant_id"
    cell_claim: str = "cell"
    clock_skew_seconds: int = 60
    cell_bound: CellBound = CellBound.ENFORCE
    callout: CalloutOptions | None = None
    """None: a token that is no JWT is refused."""

    def __post_init__(self) -> None:
        if not (self.issuer and self.audiences and self.jwks):
            raise ValueError("issuer, audiences and JWKS must not be empty: Envoy would not check them")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """How Envoys treat a cell's endpoints."""

    connect_timeout: timedelta = timedelta(seconds=1)
    idle_timeout: timedelta = timedelta(seconds=4)
    """Below the 5 s after which uvicorn, which serves a cell's FastAPI, closes an idle connection: an Envoy that
    sends on one that is just being closed answers 503."""

    buffer_bytes: int = 32 * 1024
    health_path: str = "/healthz"
    health_interval: timedelta = timedelta(seconds=5)
    health_jitter_percent: int = 20
    health_timeout: timedelta = timedelta(seconds=1)
    unhealthy_threshold: int = 3
    healthy_threshold: int = 1
    max_connections: int = 4096
    max_pending_requests: int = 4096
    max_requests: int = 16384
    retries: int = 2
    """Only of what reached no endpoint; such a request is safe to send again, whatever it was."""

    retry_budget_percent: float = 20.0
    consecutive_gateway_failures: int = 5
    base_ejection_time: timedelta = timedelta(seconds=10)
    max_ejection_percent: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOptions:
    """How Envoys treat clients: Envoy's own guide for an edge proxy, less what websockets can't live with."""

    request_headers_timeout: timedelta = timedelta(seconds=10)
    stream_idle_timeout: timedelta = timedelta(minutes=5)
    connection_idle_timeout: timedelta = timedelta(hours=1)
    route_timeout: timedelta = timedelta(seconds=60)
    max_concurrent_streams: int = 100
    stream_window_bytes: int = 64 * 1024
    connection_window_bytes: int = 1024 * 1024
    buffer_bytes: int = 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeOptions:
    """The edge: who may enter, where it listens, and what is behind it besides the cells."""

    auth: AuthOptions
    listeners: Mapping[NodeGroup, tuple[str, int]]
    client: tuple[str, int] | None = None
    grpc_group: NodeGroup | None = None
    """Whose nodes are no Envoys but programs with gRPC's own xDS client in them; None: there are none."""

    cluster: ClusterOptions = field(default_factory=ClusterOptions)
    connection: ConnectionOptions = field(default_factory=ConnectionOptions)

    def __post_init__(self) -> None:
        if self.grpc_group in self.listeners:
            raise ValueError(f"node group {self.grpc_group} is gRPC clients' and can't be Envoys' too")
