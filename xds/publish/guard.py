"""Whether what is to be published takes away so much that somebody should look at it first.

A bad restore, or the wrong database, is a registry that answers well and is empty. Pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from xds.names import TypeUrl
from xds.snapshot import SHARED, ContentChange

GUARDED = ("tenants", "cells", "endpoints")

_COUNTED_BY = {"tenants": TypeUrl.SCOPE, "cells": TypeUrl.CLUSTER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Objects when more than `max_removed_percent` of tenants, cells or endpoints would go, and `min_removed` at least.

    Whatever the numbers, it objects when none of a kind would be left.
    """

    max_removed_percent: float = 20.0
    min_removed: int = 10

    def objection(self, before: Mapping[str, int], after: Mapping[str, int], change: ContentChange) -> str:
        """Why not, in words; empty if there is nothing to object to.

        `before` and `after` count what is guarded; what goes while as much comes is told by `change`.
        """
        gone = {kind: _removed(kind, before, after, change) for kind in GUARDED}
        reasons = [
            f"all {before[kind]} {kind} would go"
            if after.get(kind, 0) == 0
            else f"{gone[kind]} of {before[kind]} {kind} would go ({100 * gone[kind] / before[kind]:.0f} %)"
            for kind in GUARDED
            if before.get(kind, 0) and self._is_too_much(gone[kind], before[kind], after.get(kind, 0))
        ]
        return "guard: " + ", ".join(reasons) if reasons else ""

    def _is_too_much(self, gone: int, before: int, after: int) -> bool:
        is_share = gone >= self.min_removed and 100 * gone > self.max_removed_percent * before
        return is_share or after == 0


def _removed(kind: str, before: Mapping[str, int], after: Mapping[str, int], change: ContentChange) -> int:
    net = before.get(kind, 0) - after.get(kind, 0)
    # An anchor's scope stands for a table and is no tenant's; its name starts with a dash.
    named = sum(place[:2] == (SHARED, _COUNTED_BY.get(kind)) and place.name[:1] != "-" for place in change.removed)
    return max(net, named)
