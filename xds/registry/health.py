"""Whether the registry answers, as seen by those who ask it.

Knows nothing about databases; the clock is passed in.
"""

from collections.abc import Callable

from xds.telemetry.status import RegistryStatus


class Health:
    """Collects how each way of asking (queries, the listener) fared last.

    The registry is connected when something succeeded and no way is known to fail: a listener that cannot
    connect is a fault even while queries pass, and the other way round.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._faults: dict[str, str] = {}
        self._status = RegistryStatus(connected=False, error="not asked yet", since=clock())

    @property
    def status(self) -> RegistryStatus:
        """How things stand now."""
        return self._status

    def succeeded(self, way: str) -> None:
        """`way` of asking works."""
        self._faults.pop(way, None)
        self._update()

    def failed(self, way: str, error: str) -> None:
        """`way` of asking fails with `error`."""
        self._faults[way] = error
        self._update()

    def _update(self) -> None:
        connected, error = not self._faults, next(iter(self._faults.values()), "")
        if (connected, error) != (self._status.connected, self._status.error):
            since = self._status.since if connected == self._status.connected else self._clock()
            self._status = RegistryStatus(connected=connected, error=error, since=since)
