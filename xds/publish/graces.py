"""When the graces of moved tenants end, so that the publisher need not look at all tenants to know.

Knows no clock: the caller says what time it is.
"""

import heapq
from collections.abc import Iterable

from xds.model import Tenant
from xds.names import TenantId
from xds.translate import EdgeOptions, grace_end


class Graces:
    """The ends of graces, the next one first. One that has become void is told all the same."""

    def __init__(self, options: EdgeOptions) -> None:
        self._options = options
        self._ends: list[tuple[float, TenantId]] = []

    def note(self, tenants: Iterable[Tenant | None], now: float) -> None:
        """Remember when the graces of these tenants end."""
        if not self._options.tenants.grace:
            return
        for tenant in tenants:
            end = grace_end(tenant, self._options) if tenant is not None else None
            if tenant is not None and end is not None and end > now:
                heapq.heappush(self._ends, (end, tenant.id))

    def ended(self, now: float) -> list[TenantId]:
        """Whose graces have ended since this was last asked."""
        ended = []
        while self._ends and self._ends[0][0] <= now:
            ended.append(heapq.heappop(self._ends)[1])
        return ended

    def seconds_left(self, now: float) -> float | None:
        """How long until the next end; None if there is none."""
        return max(0.0, self._ends[0][0] - now) if self._ends else None
