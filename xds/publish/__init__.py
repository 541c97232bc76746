"""The control loop: registry changes become snapshots, and snapshots reach the streams.

Knows nothing about gRPC or SQL.
"""

from xds.publish.feed import Feed, Slot
from xds.publish.pacer import Pacer
from xds.publish.publisher import Publisher
from xds.publish.source import Keys, Registry

__all__ = ["Feed", "Keys", "Pacer", "Publisher", "Registry", "Slot"]
