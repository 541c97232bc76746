"""Snapshots: resources encoded once, versioned by their content, compared and checked.

Pure. Knows neither what the resources mean nor how they are sent.
"""

from xds.snapshot.content import SHARED, Content, ContentChange, Place
from xds.snapshot.flat import FlatResource, flatten, gather, place_of, unflatten
from xds.snapshot.frames import Frames, Mortality, delta_size, removal_size, with_nonce
from xds.snapshot.resource import Ref, Resource, encode_resource
from xds.snapshot.snapshot import Snapshot, dangling
from xds.snapshot.table import ResourceTable, Whole, awaited_by
from xds.snapshot.wire import field

__all__ = [
    "SHARED",
    "Content",
    "ContentChange",
    "FlatResource",
    "Frames",
    "Mortality",
    "Place",
    "Ref",
    "Resource",
    "ResourceTable",
    "Snapshot",
    "Whole",
    "awaited_by",
    "dangling",
    "delta_size",
    "encode_resource",
    "field",
    "flatten",
    "gather",
    "place_of",
    "removal_size",
    "unflatten",
    "with_nonce",
]
