"""The two variants of an ADS stream: how its requests are decoded and which session they go to."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Protocol

from xds.server.wire import decode_delta, decode_sotw
from xds.session import DeltaRequest, DeltaSession, Limits, Node, Output, SotwRequest, SotwSession, Standing
from xds.snapshot import Frames, Snapshot
from xds.telemetry import Variant

Request = DeltaRequest | SotwRequest


class Session(Protocol):
    """What the sessions of both variants do; each takes its own kind of request."""

    @property
    def deadline(self) -> float | None:
        """When `expire` is due."""
        ...

    def receive(self, request: Any, now: float) -> tuple[Output, ...]:  # noqa: ANN401 -- the variant's own kind
        """Take a request."""
        ...

    def publish(self, snapshot: Snapshot, now: float) -> tuple[Output, ...]:
        """Take a newer snapshot."""
        ...

    def expire(self, now: float) -> tuple[Output, ...]:
        """Send what has waited too long."""
        ...

    def subscribed(self, type_url: str) -> int | None:
        """How many names of a type are asked for; None for all."""
        ...

    def standings(self) -> Mapping[str, Standing]:
        """How each type that was asked for stands."""
        ...


@dataclass(frozen=True, slots=True)
class VariantParts:
    """One variant."""

    name: Variant
    decode: Callable[[bytes], tuple[Node | None, Request]]
    session: Callable[[Snapshot, Limits, Frames, AbstractSet[str]], Session]


DELTA = VariantParts("delta", decode_delta, DeltaSession)
SOTW = VariantParts("sotw", decode_sotw, SotwSession)
