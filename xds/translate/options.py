"""What the operator decides about the edge, as the translation needs it; all defaults in one place.

Knows nothing about environment variables.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum

from xds.names import NodeGroup, TenantId
from xds.translate.canary import CanaryOptions

_PLAIN = re.compile(r"[A-Za-z0-9_.-]*")


class AuthMode(Enum):
    """What a request without a token is: refused, the anonymous tenant's; or no token is ever looked at."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    OFF = "off"


class CellBound(Enum):
    """What becomes of a token that is bound to another cell."""

    ENFORCE = "enforce"
    MONITOR = "monitor"
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalloutOptions:
    """Whom Envoys ask about session tokens that are no JWT; None: the server that they have their config from."""

    address: tuple[str, int] | None = None
    timeout: timedelta = timedelta(milliseconds=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerOptions:
    """Whose tokens are taken, and how they are read. A claim is the path to it, from the payload inwards."""

    issuer: str
    audiences: tuple[str, ...]
    jwks: str = ""
    """Its public keys; empty until they are known, and until then nothing can be translated."""

    tenant_claim: tuple[str, ...] = ("tenant_id",)
    cell_claim: tuple[str, ...] = ("cell",)
    operators: bool = False
    """Whether its tokens may be an operator's."""

    def __post_init__(self) -> None:
        if not (self.issuer and self.audiences and all(self.audiences)):
            raise ValueError("issuer and audiences must not be empty: Envoy would not check them")
        if not (self.tenant_claim and all(self.tenant_claim) and self.cell_claim and all(self.cell_claim)):
            raise ValueError(f"issuer {self.issuer}: a claim's path must not be empty, nor any part of it")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthOptions:
    """How tokens are checked, and where they may stand.

    Always in `Authorization: Bearer`; for websockets, whose headers a browser can't set, in the query parameter or the
    cookie of that name too, if one is named.
    """

    issuers: tuple[IssuerOptions, ...]
    mode: AuthMode = AuthMode.REQUIRED
    anonymous_tenant: TenantId | None = None
    clock_skew_seconds: int = 60
    cell_bound: CellBound = CellBound.ENFORCE
    callout: CalloutOptions | None = None
    """None: a token that is no JWT is refused."""

    websocket_query: str = ""
    websocket_cookie: str = ""
    websocket_origins: tuple[str, ...] = ()
    """The origins whose pages may use the cookie, which a browser sends whoever's page asks it to; `*`: any."""

    token_bytes: int = 8 * 1024
    """The largest token: what each Envoy's cache takes, and what the limit of a request's headers has room for."""

    def __post_init__(self) -> None:
        if self.mode is AuthMode.OFF and self.anonymous_tenant is None:
            raise ValueError("with no token looked at, every request is the anonymous tenant's: there must be one")
        if self.mode is not AuthMode.OFF and not self.issuers:
            raise ValueError("tokens are checked against their issuer: there must be one")
        if len({each.issuer for each in self.issuers}) < len(self.issuers):
            raise ValueError("each issuer must be named once")
        if not (_PLAIN.fullmatch(self.websocket_query) and _PLAIN.fullmatch(self.websocket_cookie)):
            raise ValueError("a token's parameter and cookie must be named by letters, digits and _.- only")
        if self.websocket_cookie and not self.websocket_origins:
            raise ValueError("a cookie is sent for any site's page: whose may use it must be said")

    @property
    def public_tenant(self) -> TenantId | None:
        """Whose a request without a token is, if that is anybody's."""
        return None if self.mode is AuthMode.REQUIRED else self.anonymous_tenant

    @property
    def admits_anonymous(self) -> bool:
        """Whether a request may come with a token and may come without."""
        return self.mode is AuthMode.OPTIONAL and self.anonymous_tenant is not None

    def with_keys(self, jwks: Mapping[str, str]) -> "AuthOptions":
        """The same with these keys, by issuer; an issuer that is not in it keeps its own."""
        issuers = tuple(replace(each, jwks=jwks.get(each.issuer, each.jwks)) for each in self.issuers)
        return replace(self, issuers=issuers)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions:
    """How Envoys treat a cell's endpoints."""

    connect_timeout: timedelta = timedelta(seconds=1)
    idle_timeout: timedelta = timedelta(seconds=4)
    """Below the 5 s after which uvicorn, which serves a cell's FastAPI, closes an idle connection: an Envoy that
    sends on one that is just being closed answers 503."""

    buffer_bytes: int = 32 * 1024
    stream_window_bytes: int = 64 * 1024
    connection_window_bytes: int = 1024 * 1024
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

    trusted_hops: int = 0
    """How many proxies of ours are in front, each of which has added its peer to `x-forwarded-for`."""

    max_headers: int = 100
    other_headers_kb: int = 24
    """What a request's headers may come to beside the largest token."""

    request_headers_timeout: timedelta = timedelta(seconds=10)
    stream_idle_timeout: timedelta = timedelta(minutes=5)
    connection_idle_timeout: timedelta = timedelta(hours=1)
    silence_timeout: timedelta = timedelta(seconds=60)
    """For how long neither side of a request may say anything; the only limit of an answer, a stream of events say."""

    request_timeout: timedelta = timedelta(hours=1)
    """For how long a request may be sent: long for any upload, but not for ever. A websocket's is short: it ends before
    the answer begins."""

    max_concurrent_streams: int = 100
    stream_window_bytes: int = 64 * 1024
    connection_window_bytes: int = 1024 * 1024
    buffer_bytes: int = 32 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorOptions:
    """Who is an operator, and what an operator reaches."""

    claim: tuple[str, ...] = ("roles",)
    """The path to it, from the payload inwards."""

    role: str = "operator"
    """What the claim must be, or have among its values."""

    controller: tuple[str, int] | None = None
    """What serves /manage; None: nothing does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantOptions:
    """How the edge treats tenants that it does not let in, and those that have just moved."""

    hides_suspended: bool = False
    """Whether a suspended tenant is answered like an unknown one."""

    grace: timedelta = timedelta(0)
    """For how long after a move tokens that are bound to the old cell pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InternalOptions:
    """Where callers inside the platform, which prove who they are, reach a cell by its name. Files are Envoy's."""

    listeners: Mapping[NodeGroup, tuple[str, int]]
    certificate_file: str
    key_file: str
    ca_file: str
    allowed_sans: tuple[str, ...]

    def __post_init__(self) -> None:
        if not (self.certificate_file and self.key_file and self.ca_file and self.allowed_sans):
            raise ValueError("certificate, key, CA and allowed SANs must not be empty: any caller would be let in")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationOptions:
    """What the edge tells about requests, and to whom."""

    collector: tuple[str, int] | None = None
    """Who takes traces, by OTLP over gRPC; None: nobody."""

    sample_percent: float = 1.0
    access_log: bool = False
    """Whether each request is a line on Envoy's standard output."""

    @property
    def tells_anybody(self) -> bool:
        """Whether anything is told at all."""
        return self.collector is not None or self.access_log


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
    operators: OperatorOptions = field(default_factory=OperatorOptions)
    tenants: TenantOptions = field(default_factory=TenantOptions)
    internal: InternalOptions | None = None
    canary: CanaryOptions | None = None
    """None: every tenant is its cell's."""

    observation: ObservationOptions = field(default_factory=ObservationOptions)

    def __post_init__(self) -> None:
        if self.grpc_group in self.groups:
            raise ValueError(f"node group {self.grpc_group} is gRPC clients' and can't be Envoys' too")

    @property
    def groups(self) -> tuple[NodeGroup, ...]:
        """The node groups of Envoys, sorted."""
        return tuple(sorted({*self.listeners, *(self.internal.listeners if self.internal else ())}))
