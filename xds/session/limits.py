"""The bounds of a session.

Knows nothing about where they are configured.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a session waits and how much it says at once."""

    wait_seconds: float = 5.0
    """How long a resource is held back for an acknowledgement that others depend on. Then it goes: a wait
    is always bounded by time, or one silent type would freeze the rest."""

    response_bytes: int = 3 << 20
    """A delta response is cut here; the rest follows when it is acknowledged. gRPC clients refuse messages
    above 4 MiB by default."""

    types: int = 32
    """How many resource types one stream may ask for; Envoy knows about a dozen."""
