"""Cells: isolated serving units, each with its own API, workers and stores.

Knows nothing about Envoy.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from xds.names import CellId


class Tenancy(StrEnum):
    """Whether a cell serves many tenants or one."""

    SHARED = "shared"
    DEDICATED = "dedicated"


class UpstreamProtocol(StrEnum):
    """What a cell's API speaks."""

    HTTP1 = "http1"
    HTTP2 = "http2"


class CellState(StrEnum):
    """Where a cell is in its life.

    ============  ======  =================  =============
    state         pushed  takes new tenants  takes traffic
    ============  ======  =================  =============
    provisioning  yes     no                 no (503)
    active        yes     yes                yes
    draining      yes     no                 yes
    cordoned      yes     no                 yes
    retired       no      no                 no (503)
    ============  ======  =================  =============

    *Pushed* means that Envoys hold its cluster and endpoints (a provisioning cell's are connected and
    health-checked before its first request). A cell that takes no traffic still has a route table, which
    answers its tenants with a 503 that says so. Draining and cordoned differ in intent: a draining cell's
    tenants are being moved away, a cordoned cell's stay.
    """

    PROVISIONING = "provisioning"
    ACTIVE = "active"
    DRAINING = "draining"
    CORDONED = "cordoned"
    RETIRED = "retired"

    @property
    def is_pushed(self) -> bool:
        """Whether Envoys hold the cell's cluster and endpoints."""
        return self is not CellState.RETIRED

    @property
    def takes_tenants(self) -> bool:
        """Whether a tenant may be placed in, or moved to, the cell."""
        return self is CellState.ACTIVE

    @property
    def takes_traffic(self) -> bool:
        """Whether requests of the cell's tenants are sent to it."""
        return self in (CellState.ACTIVE, CellState.DRAINING, CellState.CORDONED)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Endpoint:
    """One address at which a cell's API answers: an IP address or a host name, and a port."""

    address: str
    port: int
    zone: str = ""
    weight: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A cell and the endpoints of its API; `endpoints` is sorted."""

    id: CellId
    state: CellState = CellState.ACTIVE
    tenancy: Tenancy = Tenancy.SHARED
    tier: str = "std"
    region: str = "local"
    labels: tuple[tuple[str, str], ...] = ()
    protocol: UpstreamProtocol = UpstreamProtocol.HTTP1
    endpoints: tuple[Endpoint, ...] = field(default=())
