"""Requests as the sessions read them, free of any encoding.

Knows nothing about protobuf.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class DeltaRequest:
    """A DeltaDiscoveryRequest.

    `error` is None unless `error_detail` was present: that, and nothing else, makes a NACK.
    """

    type_url: str
    nonce: str = ""
    error: str | None = None
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    known: Mapping[str, str] = field(default_factory=dict)
    """`initial_resource_versions`: what the client still holds from a former stream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SotwRequest:
    """A DiscoveryRequest. `names` is the full set each time; `error` as in `DeltaRequest`."""

    type_url: str
    nonce: str = ""
    error: str | None = None
    names: tuple[str, ...] = ()
    version_info: str = ""
