"""What a session wants done, or noted, because of an input.

Plain values: the stream performs or logs them.
"""

from dataclasses import dataclass
from typing import Literal

from xds.names import Nonce, ResourceName

Cause = Literal["request", "publish"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Respond:
    """Send `frame`, a whole response of `resources` resources and `removed` removals."""

    type_url: str
    nonce: Nonce
    frame: bytes
    version_info: str
    snapshot: int
    resources: int
    removed: int
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Acked:
    """The client applied the response of that nonce, which carried the given snapshot's content."""

    type_url: str
    nonce: Nonce
    version_info: str
    snapshot: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Nacked:
    """The client rejected the response of that nonce; `error` is its own words."""

    type_url: str
    nonce: Nonce
    version_info: str
    snapshot: int
    error: str
    names: tuple[ResourceName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """The acknowledgement in a request was for a response that is not the one in flight."""

    type_url: str
    nonce: Nonce
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Violated:
    """The client broke the protocol; the stream is to end with INVALID_ARGUMENT and this reason."""

    reason: str


Output = Respond | Acked | Nacked | Ignored | Violated
