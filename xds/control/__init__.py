"""What operators ask of a running server: one table of operations, which HTTP and gRPC are faces of.

Each operation is a name, a place in HTTP, what is asked and answered, and what does it: `table` says how to add one.
Knows neither HTTP nor gRPC.
"""

from xds.control.operation import Operation, Parts
from xds.control.performing import Control
from xds.control.table import OPERATIONS
from xds.control.watching import watch_fleet, watch_rollout, watch_snapshots

__all__ = ["OPERATIONS", "Control", "Operation", "Parts", "watch_fleet", "watch_rollout", "watch_snapshots"]
