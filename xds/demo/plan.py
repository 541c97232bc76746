"""What a demo is made of, chosen before anything starts.

Pure choice: every port is found free, nothing is started.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from xds.demo import seed
from xds.demo.ports import LOOPBACK, free_port, require_free

Variant: TypeAlias = Literal["delta", "sotw"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The wishes: how many of what, and where.

    Attributes:
        cells: Their ids, `cell-<tenancy>-<tier>-<region>`.
        tenants: How many.
        edges: One Envoy each; also their node groups.
        edge_ports: Where the Envoys listen, in the order of `edges`; chosen where it ends.
        http_port: Where the control plane serves HTTP; 0: chosen.
        variant: The protocol variant that the Envoys speak.
        environment: Further settings of the control plane.
        envoy: Another Envoy than the packaged one.
        tls: Whether the xDS channel has certificates, instead of plain text on loopback.
        data: The data folder of a migrated PostgreSQL that was stopped, to begin with a copy of; None: a new one.
    """

    cells: tuple[str, ...] = seed.CELLS
    tenants: int = 24
    edges: tuple[str, ...] = ("edge-a", "edge-b")
    edge_ports: tuple[int, ...] = ()
    http_port: int = 0
    variant: Variant = "delta"
    environment: Mapping[str, str] = field(default_factory=dict)
    envoy: Path | None = None
    tls: bool = False
    data: Path | None = None


def node_id(edge: str) -> str:
    """The node id of an edge's only Envoy."""
    return f"{edge}-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where everything listens, on the loopback address."""

    xds: int
    http: int
    edges: Mapping[str, int]
    admins: Mapping[str, int]
    cells: Mapping[str, int]

    @classmethod
    def choose(cls, plan: Plan) -> "Ports":
        """Find them; raises `LocalFailure` if one that was asked for is taken."""
        asked = dict(zip(plan.edges, plan.edge_ports, strict=False))
        for edge, port in asked.items():
            require_free(port, f"Envoy {edge}")
        http = require_free(plan.http_port, "control plane, HTTP") if plan.http_port else free_port()
        return cls(
            xds=free_port(),
            http=http,
            edges={edge: asked.get(edge) or free_port() for edge in plan.edges},
            admins={edge: free_port() for edge in plan.edges},
            cells={cell: free_port() for cell in plan.cells},
        )

    def listeners(self) -> str:
        """The setting EDGE_LISTENERS: two Envoys on one machine are two node groups, each with its port."""
        return ",".join(f"{edge}={LOOPBACK}:{port}" for edge, port in self.edges.items())
