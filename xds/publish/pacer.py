"""When to publish: a lone change at once, a burst coalesced.

Pure: the time is an argument, in seconds of any clock.
"""

from dataclasses import dataclass


@dataclass(slots=True)
class Pacer:
    """Keeps publishes at least `interval` seconds apart, counted from one start to the next."""

    interval: float
    _last: float | None = None

    def delay(self, now: float) -> float:
        """How long to wait before a publish may start."""
        return 0.0 if self._last is None else max(0.0, self._last + self.interval - now)

    def started(self, now: float) -> None:
        """Note that a publish starts."""
        self._last = now
