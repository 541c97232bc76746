"""The control loop: registry changes become snapshots, and snapshots reach the streams.

Knows nothing about gRPC or SQL.
"""

from xds.publish.feed import Feed, Slot
from xds.publish.pacer import Pacer
from xds.publish.publisher import Publisher
from xds.publish.source import Registry

__all__ = ["Feed", "Pacer", "Publisher", "Registry", "Slot"]
