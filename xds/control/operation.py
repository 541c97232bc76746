"""What an operation is: its name, its place in HTTP, what is asked, what is answered, and what does it."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

from xds.control.shapes import Answer, Request
from xds.model import Topology
from xds.names import TenantId
from xds.operations import AuditEvent, Store, Transactions
from xds.operations.fleet import FleetStore, FleetView
from xds.operations.forecast import Forecast
from xds.operations.operators import Role
from xds.operations.phasing import Witnessed
from xds.operations.rollouts import RolloutStore
from xds.operations.snapshots import SnapshotStore
from xds.operations.status import SystemStatus
from xds.publish.evacuation import Evacuation, Led
from xds.publish.rejection import Checked

Q = TypeVar("Q", bound=Request)
A = TypeVar("A", bound=Answer)


class Evacuate(Protocol):
    """Leads a cell's tenants elsewhere while the registry is down, as `xds.publish.Publisher.evacuate` does."""

    async def __call__(self, order: Evacuation, *, limit: int | None = None, is_rehearsal: bool = False) -> Led:
        """How many tenants were moved, and where to; raises `RequestError` and its kin."""
        ...


class Rehearsal(Transactions, Protocol):
    """Where an operation can be tried: what it does is undone, and told."""

    @property
    def events(self) -> tuple[AuditEvent, ...]:
        """What would be audited."""
        ...

    @property
    def before(self) -> Topology:
        """Every cell, and the tenants that are concerned."""
        ...

    @property
    def after(self) -> Topology:
        """The same, as they would be."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What operations work on.

    `fleet` knows the nodes of all replicas, `seen` those of this one. `topology` is what is published, None before
    there is something, and `witness` says what that is for a tenant, and how far this replica's Envoys are. `check`
    asks this server's Envoy about a snapshot, if it `has_envoy`. `policy` places tenants. `forecast` says what coming
    from the one to the other is for an Envoy.
    """

    registry: Store
    rehearsal: Callable[[], Rehearsal]
    snapshots: SnapshotStore
    rollouts: RolloutStore
    fleet: FleetStore
    seen: Callable[[], FleetView]
    status: Callable[[], SystemStatus]
    topology: Callable[[], Topology | None]
    witness: Callable[[TenantId], Witnessed | None]
    evacuate: Evacuate
    check: Callable[[int | None], Awaitable[Checked]]
    has_envoy: bool
    policy: str
    forecast: Callable[[Topology, Topology], Forecast]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[Q, A]):
    """One thing that can be asked.

    `name` is the gRPC method. `{…}` in `path` are fields of the request; the others are the query of a GET, and the
    body of what is no GET. `run` is given who asks, by name.
    """

    name: str
    summary: str
    method: Literal["GET", "POST", "PUT"]
    path: str
    request: type[Q]
    answer: type[A]
    run: Callable[[Parts, Q, str], Awaitable[A]]
    creates: bool = False
    """Whether what is answered did not exist before."""
    needs_registry: bool = True
    """Whether it reads or writes the registry; what doesn't waits for nobody who does."""

    @property
    def role(self) -> Role:
        """What who asks must be allowed to do."""
        return Role.READ if self.method == "GET" else Role.OPERATE

    @property
    def is_conditional(self) -> bool:
        """Whether who asks must say what he has seen of that which is to change."""
        return "etag" in self.request.model_fields

    @property
    def compares(self) -> bool:
        """Whether what who asks has seen is compared: of this, or of a change that it has inside."""
        inside = self.request.model_json_schema().get("$defs", {}).values()
        return self.is_conditional or any("etag" in shape.get("properties", ()) for shape in inside)

    @property
    def path_fields(self) -> tuple[str, ...]:
        """The fields of the request that stand in the path."""
        return tuple(re.findall(r"{(\w+)}", self.path))
