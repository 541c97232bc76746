"""The control loop: registry changes become snapshots, and snapshots reach the streams.

Knows nothing about gRPC or SQL.
"""

from xds.publish.emergency import Displacement, Emergency
from xds.publish.feed import Feed, Slot
from xds.publish.guard import Guard
from xds.publish.history import Candidate, Entry, History, Kind, Lead, Recorded, Unrecorded
from xds.publish.pacer import Pacer
from xds.publish.policy import Mode, Policy
from xds.publish.publisher import Publisher
from xds.publish.recording import Recording
from xds.publish.rolling import RolloutPlan
from xds.publish.rollout import Rollout, RolloutState
from xds.publish.shelf import Shelf
from xds.publish.source import Keys, Registry
from xds.publish.validating import find_envoy
from xds.publish.waves import Waves

__all__ = [
    "Candidate",
    "Displacement",
    "Emergency",
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
    "Publisher",
    "Recorded",
    "Recording",
    "Registry",
    "Rollout",
    "RolloutPlan",
    "RolloutState",
    "Shelf",
    "Slot",
    "Unrecorded",
    "Waves",
    "find_envoy",
]
