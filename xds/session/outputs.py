"""What a session wants done, or noted, because of an input.

Plain values: the stream performs or logs them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from xds.names import Nonce, ResourceName
from xds.snapshot import Resource

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
    """The client rejected the response of that nonce, in the words of `error`.

    `changes` is what the response said of each name, None for a removal.
    """

    type_url: str
    nonce: Nonce
    version_info: str
    snapshot: int
    error: str
    changes: Mapping[ResourceName, Resource | None]

    @property
    def names(self) -> tuple[ResourceName, ...]:
        """The names that the response was about, sorted."""
        return tuple(sorted(self.changes))


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
