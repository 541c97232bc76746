"""The state of the running system as plain values, and whether it is ready to serve.

Pure: whoever knows a part fills it in. Must not know how the state is come by, nor how it is shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from xds.model import CellState
from xds.names import CellId, NodeGroup, NodeId
from xds.telemetry.status import IssuerStatus as IssuerStatus
from xds.telemetry.status import PublishStatus as PublishStatus
from xds.telemetry.status import RegistryStatus as RegistryStatus

_LOOSE_MODES = {
    "optional": "a request needs no token (AUTH_MODE=optional)",
    "off": "no token is checked (AUTH_MODE=off)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeStatus:
    """One type of resource on one stream.

    `subscribed` is the number of names, None for the wildcard. `version` is the last acknowledged
    version_info; `error` is Envoy's own words of the last NACK, empty once it acknowledged again.
    """

    label: str
    subscribed: int | None
    sent: int
    acked: int
    nacked: int
    version: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStatus:
    """One connected Envoy."""

    node_id: NodeId
    group: NodeGroup
    variant: Literal["delta", "sotw"]
    peer: str
    user_agent: str
    connected_at: float
    types: tuple[TypeStatus, ...] = ()


_HOLDING_MODES = {
    "frozen": "nothing is published until 'snapshot resume'",
    "pinned": "one snapshot is served until 'snapshot resume'",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemStatus:
    """Everything there is to say at one instant, `now`; every time is in seconds since the epoch.

    `cells` has every cell of the topology in force, sorted by id.
    """

    version: str
    started_at: float
    now: float
    auth_mode: str
    cba_mode: str
    draining: bool
    registry: RegistryStatus
    publish: PublishStatus
    nodes: tuple[NodeStatus, ...] = ()
    cells: tuple[tuple[CellId, CellState], ...] = ()
    tenant_resolution: str = "envoy"
    issuers: tuple[IssuerStatus, ...] = ()
    settings_warnings: tuple[str, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What works, and should not stay so."""
        mode = _LOOSE_MODES.get(self.auth_mode)
        late = (f"issuer {each.issuer}: keys not refreshed: {each.error}" for each in self.issuers if each.error)
        return (*((mode,) if mode else ()), *self.settings_warnings, *late, *self._publishing())

    def _publishing(self) -> Iterator[str]:
        if self.publish.mode in _HOLDING_MODES:
            yield f"publishing is {self.publish.mode}: {_HOLDING_MODES[self.publish.mode]}"
        if self.publish.held:
            yield f"changes are held: {self.publish.held}"
        if self.publish.is_ahead:
            yield "what is served could not be recorded: the database can't be written"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """Whether traffic may depend on this replica; `reason` says why not, and is empty if it may."""

    ready: bool
    reason: str
    active_cells: int


def readiness(status: SystemStatus) -> Readiness:
    """Ready from the first snapshot with an active cell until draining.

    A registry lost later changes nothing: what is served stays served.
    """
    active = status.publish.cells.get(CellState.ACTIVE, 0)
    reason = _obstacle(status, active)
    return Readiness(ready=not reason, reason=reason, active_cells=active)


def _obstacle(status: SystemStatus, active: int) -> str:
    if status.draining:
        return "draining: this replica is shutting down"
    if status.publish.published_at is None:
        return _unpublished(status)
    if not active:
        return f"no active cell among the registry's {sum(status.publish.cells.values())}"
    return ""


def _unpublished(status: SystemStatus) -> str:
    if status.publish.error:
        return f"no snapshot is published: {status.publish.error}"
    if not status.registry.connected:
        return f"the registry is not loaded: {status.registry.error or 'not connected yet'}"
    return "no snapshot is published yet"
