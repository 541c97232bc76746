"""The HTTP face under test, and a status that serves."""

import dataclasses

from xds.model import CellState
from xds.names import CellId, NodeGroup, NodeId
from xds.operations.status import IssuerStatus, NodeStatus, PublishStatus, RegistryStatus, SystemStatus, TypeStatus
from xds.telemetry import Metrics

SERVING = SystemStatus(
    version="0.2.0",
    started_at=1_700_000_000.0,
    now=1_700_000_060.5,
    auth_mode="required",
    cba_mode="enforce",
    draining=False,
    registry=RegistryStatus(connected=True, error="", since=1_700_000_001.0),
    publish=PublishStatus(
        revision=7,
        snapshot=3,
        published_at=1_700_000_050.25,
        cells={"draining": 1, "active": 2},
        tenants=24,
        resources={"srds": 25, "cds": 3},
        problems=("tenant ann: no such cell",),
    ),
    issuers=(
        IssuerStatus(
            issuer="https://idp.example",
            keys=2,
            retiring=1,
            fetched_at=1_700_000_005.0,
            error="expected status 200, got 503",
        ),
        IssuerStatus(issuer="https://other.example", keys=0, retiring=0, fetched_at=None, error=""),
    ),
    nodes=(
        NodeStatus(
            node_id=NodeId("edge-1"),
            group=NodeGroup("alphaswarm-edge"),
            variant="delta",
            peer="ipv4:127.0.0.1:40000",
            user_agent="envoy/1.40.0",
            connected_at=1_700_000_030.0,
            types=(
                TypeStatus(label="cds", subscribed=None, sent=2, acked=2, nacked=0, version="c0ffee"),
                TypeStatus(label="eds", subscribed=3, sent=2, acked=1, nacked=1, error="no such cluster"),
            ),
        ),
    ),
    cells=(
        (CellId("cell-b"), CellState.DRAINING),
        (CellId("cell-shared-std-local"), CellState.ACTIVE),
        (CellId("cell-a"), CellState.ACTIVE),
    ),
)


class Face:
    """The HTTP face under test: what `status` gives is what it is set to, or the exception that it is set to."""

    def __init__(self) -> None:
        self.status: SystemStatus | Exception = SERVING
        self.metrics = Metrics()
        self.base = ""

    def read(self) -> SystemStatus:
        if isinstance(self.status, Exception):
            raise self.status
        return self.status

    def change_publish(self, **changes: object) -> None:
        self.status = dataclasses.replace(SERVING, publish=dataclasses.replace(SERVING.publish, **changes))  # type: ignore[arg-type]
