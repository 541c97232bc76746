"""Verdicts that are remembered for a time, and no more of them than there is room for.

Pure: the time is an argument, in seconds of any clock that never goes back.
"""

from xds.callout.verdicts import Admitted, Refused
from xds.opaque import Digest

_Known = Admitted | Refused


class VerdictCache:
    """Remembers at most `room` verdicts of one kind; the one that came first goes first."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._held: dict[Digest, tuple[_Known, float]] = {}

    def get(self, key: Digest, now: float) -> _Known | None:
        """The verdict about a token, if it is still remembered."""
        found = self._held.get(key)
        if found is None:
            return None
        verdict, end = found
        if now < end:
            return verdict
        del self._held[key]
        return None

    def put(self, key: Digest, verdict: _Known, end: float) -> None:
        """Remember a verdict until then."""
        self._held.pop(key, None)
        self._held[key] = (verdict, end)
        if len(self._held) > self._room:
            del self._held[next(iter(self._held))]

    def __len__(self) -> int:
        return len(self._held)
