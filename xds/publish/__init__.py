"""The control loop: registry changes become snapshots, and snapshots reach the streams.

Knows nothing about gRPC or SQL. What translates is imported by its own module: Envoy's schema takes a second to import,
and a command that only asks the registry does without.
"""

from xds.publish.feed import Feed, Slot
from xds.publish.guard import Guard
from xds.publish.history import Candidate, Entry, History, Kind, Lead, Recorded, Unrecorded
from xds.publish.pacer import Pacer
from xds.publish.policy import Mode, Policy
from xds.publish.rollout import Rollout, RolloutState
from xds.publish.shelf import Shelf
from xds.publish.source import Keys, Registry
from xds.publish.waves import Waves

__all__ = [
    "Candidate",
    "Entry",
    "Feed",
    "Guard",
    "History",
    "Keys",
    "Kind",
    "Lead",
    "Mode",
    "Pacer",
    "Policy",
    "Recorded",
    "Registry",
    "Rollout",
    "RolloutState",
    "Shelf",
    "Slot",
    "Unrecorded",
    "Waves",
]
