"""Whether what is to be published takes away so much that somebody should look at it first.

A bad restore, or the wrong database, is a registry that answers well and is empty. Pure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xds.names import ResourceName, TypeUrl
from xds.snapshot import SHARED, Content, ContentChange, Place

GUARDED = ("tenants", "cells", "endpoints")

_COUNTED_BY = {"tenants": TypeUrl.SCOPE, "cells": TypeUrl.CLUSTER}
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """Objects when more than `max_removed_percent` of tenants, cells or endpoints would go, and `min_removed` at least.

    Whatever the numbers, it objects when none of a kind would be left, or a cell would be left without an endpoint.
    """

    max_removed_percent: float = 20.0
    min_removed: int = 10

    def objection(
        self, before: Mapping[str, int], after: Mapping[str, int], base: Content, change: ContentChange
    ) -> str:
        """Why not, in words; empty if there is nothing to object to.

        `before` and `after` count what is guarded; what goes while as much comes is told by the `change` of `base`.
        """
        cells = tuple(_clusters(base, change))
        gone = {kind: before.get(kind, 0) - after.get(kind, 0) for kind in GUARDED}
        gone |= {kind: max(gone[kind], _named(type_url, change)) for kind, type_url in _COUNTED_BY.items()}
        gone["endpoints"] = max(gone["endpoints"], sum(len(cell.was - cell.now) for cell in cells))
        reasons = [
            f"all {before[kind]} {kind} would go"
            if after.get(kind, 0) == 0
            else f"{gone[kind]} of {before[kind]} {kind} would go ({100 * gone[kind] / before[kind]:.0f} %)"
            for kind in GUARDED
            if before.get(kind, 0) and self._is_too_much(gone[kind], before[kind], after.get(kind, 0))
        ]
        if after.get("endpoints", 0):
            reasons += _emptied([cell.name for cell in cells if cell.is_pushed and cell.was and not cell.now])
        return "guard: " + ", ".join(reasons) if reasons else ""

    def _is_too_much(self, gone: int, before: int, after: int) -> bool:
        is_share = gone >= self.min_removed and 100 * gone > self.max_removed_percent * before
        return is_share or after == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cluster:
    """A cluster whose addresses may differ. One that is not pushed any more is a cell that goes, and no empty one."""

    name: ResourceName
    was: frozenset[tuple[str, int]]
    now: frozenset[tuple[str, int]]
    is_pushed: bool


def _clusters(base: Content, change: ContentChange) -> Iterator[_Cluster]:
    # Here and not above: the translation's package takes a second to import, and most commands need none of it.
    from xds.translate import addresses  # noqa: PLC0415

    upserts = {place: each for place, each in change.upserts.items() if _is_of_cluster(place)}
    removed = frozenset(place for place in change.removed if _is_of_cluster(place))
    after = base.apply(ContentChange(upserts=upserts, removed=removed))
    for name in sorted({place.name for place in (*upserts, *removed)}):
        is_pushed = after.get(Place(SHARED, TypeUrl.CLUSTER, name)) is not None
        yield _Cluster(name=name, was=addresses(base, name), now=addresses(after, name), is_pushed=is_pushed)


def _is_of_cluster(place: Place) -> bool:
    return place.group == SHARED and place.type_url in (TypeUrl.CLUSTER, TypeUrl.ENDPOINT)


def _named(type_url: str, change: ContentChange) -> int:
    """How many resources of a type go by name."""
    # An anchor's scope stands for a table and is no tenant's; its name starts with a dash.
    return sum(place[:2] == (SHARED, type_url) and place.name[:1] != "-" for place in change.removed)


def _emptied(names: list[ResourceName]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return [f"no endpoint would be left of {', '.join(names[:_NAMED])}{more}"]
